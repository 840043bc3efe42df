"""Wrong messages that once did harm, against real processes: none ends or stalls anything."""

import json
import socket
import time
from typing import Any

import httpx2
import pytest

from tests.conftest import Serve, ServerProcess
from tests.contract.garbage import INITIALIZE, MODERN
from tests.contract.wires import Lines, event_stream, websocket

pytestmark = pytest.mark.contract

WRONG_ID = b'{"jsonrpc":"2.0","id":null,"method":"ping"}'


def message(number: Any, method: str, **params: Any) -> bytes:
    return json.dumps(
        {"jsonrpc": "2.0", "method": method, "params": params}
        | ({} if number is None else {"id": number})
    ).encode()


def test_a_cancellation_of_nothing_changes_nothing(serve: Serve) -> None:
    server = serve()
    wire = Lines(server.process.stdin, server.process.stdout)

    wire.send(message(1, "initialize", **INITIALIZE))
    for wrong in ([], {}, True, None, 1.5, "7", 8):
        wire.send(message(None, "notifications/cancelled", requestId=wrong))
    wire.send(message(2, "ping"))

    assert [wire.receive(30)["id"] for _ in range(2)] == [1, 2]
    assert server.process.poll() is None


def test_a_call_cancelled_by_its_id_as_text_does_not_hold_up_the_end(serve: Serve) -> None:
    server = serve()
    wire = Lines(server.process.stdin, server.process.stdout)
    wire.send(message(1, "initialize", **INITIALIZE))
    wire.receive(30)

    arguments = {"seconds": 60}
    wire.send(message(7, "tools/call", name="conversation_wait", arguments=arguments))
    wire.send(message(None, "notifications/cancelled", requestId="7"))
    wire.send(message(8, "ping"))
    assert wire.receive(5)["id"] == 8
    assert server.process.stdin is not None
    server.process.stdin.close()

    assert server.process.wait(5) == 0


@pytest.mark.parametrize("transport", ["sse", "websocket"])
def test_a_request_with_a_wrong_id_is_answered(network: ServerProcess, transport: str) -> None:
    url = network.url(transport)
    if transport == "sse":
        with event_stream(url) as stream:
            stream.send(WRONG_ID)
            assert stream.statuses == [400]
        return
    with websocket(url) as wire:
        wire.send(WRONG_ID)
        assert wire.receive(5)["error"]["code"] == -32600


@pytest.mark.parametrize("path", ["/mcp", "/messages/"])
@pytest.mark.parametrize("version", ["2025-11-25", MODERN])
def test_a_post_that_ends_early_is_no_news(network: ServerProcess, path: str, version: str) -> None:
    host, _, port = network.url().split("/")[2].partition(":")
    head = [
        f"POST {path}?session_id={'0' * 32} HTTP/1.1",
        f"Host: {host}:{port}",
        "Content-Type: application/json",
        "Accept: application/json, text/event-stream",
        f"MCP-Protocol-Version: {version}",
        "Content-Length: 100",
    ]

    with socket.create_connection((host, int(port))) as connection:
        connection.sendall("\r\n".join([*head, "", '{"jsonrpc"']).encode())
        time.sleep(0.05)  # the server has begun to read

    base = network.url().removesuffix("/mcp")
    assert httpx2.get(f"{base}/livez").status_code == 200
    assert "Traceback" not in "".join(network.lines)


def test_a_client_that_opens_and_says_twice_that_it_is_ready_is_told_once(serve: Serve) -> None:
    server = serve()
    wire = Lines(server.process.stdin, server.process.stdout)
    ready = message(None, "notifications/initialized")
    wire.send(ready)
    for number in (1, 2):
        wire.send(message(number, "initialize", **INITIALIZE))
        wire.send(ready)
        wire.send(ready)
    wire.send(message(3, "ping"))
    wire.send(message(4, "tools/call", name="conversation_rename", arguments={}))

    wire.send(message(5, "tools/call", name="conversation_wait", arguments={"seconds": 0.2}))
    told = []
    while (received := wire.receive(30)).get("id") != 5:
        told.append(received.get("method"))

    assert told.count("notifications/tools/list_changed") == 1
