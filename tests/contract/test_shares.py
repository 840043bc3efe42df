"""Shares: what one client may use of the network transports, with real sockets."""

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.conftest import ServerProcess, environment, start_server
from tests.contract.conftest import write_plugin
from tests.contract.raw_http import INITIALIZE, Raw, connections
from tests.contract.wires import JSON, PATIENCE, WebSocket, event_stream

pytestmark = pytest.mark.contract

NETWORK = ("-t", "streamable-http", "-t", "sse", "-t", "websocket", "--port", "0")
KEYS = {"ann": "a" * 20, "bob": "b" * 20, "eve": "e" * 20}


@pytest.fixture(scope="module")
def narrow(test_plugins: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with little room for each client."""
    limits = {
        "http.max_sessions_per_client": 3,
        "http.max_requests_per_client": 5,
        "calls.limit_per_connection": 4,
    }
    arguments = [part for item in limits.items() for part in ("--set", "{}={}".format(*item))]
    env = environment(test_plugins, {"MCPKIT_AUTH__API_KEYS": json.dumps(KEYS)})
    server = start_server((*NETWORK, *arguments), env, tmp_path_factory.mktemp("narrow"))
    try:
        yield server
    finally:
        server.close()


def client_of(name: str) -> httpx2.Client:
    return httpx2.Client(headers={**JSON, "X-API-Key": KEYS[name]})


def websocket(server: ServerProcess, name: str) -> ClientConnection:
    return connect(
        server.url("websocket"),
        subprotocols=["mcp"],  # type: ignore[list-item]
        additional_headers={"X-API-Key": KEYS[name]},
        max_size=None,
    )


def say(http: httpx2.Client, url: str, message: Any, session: str = "") -> httpx2.Response:
    fields = {"Mcp-Session-Id": session} if session else {}
    return http.post(url, json=message, headers=fields)


PING = {"jsonrpc": "2.0", "id": 2, "method": "ping"}


def test_sessions_of_every_transport_count_for_the_client_that_has_them(
    narrow: ServerProcess,
) -> None:
    with contextlib.ExitStack() as opened:
        ann, bob = opened.enter_context(client_of("ann")), opened.enter_context(client_of("bob"))
        opened.enter_context(websocket(narrow, "ann"))
        opened.enter_context(ann.stream("GET", narrow.url("sse")))
        names = []
        for _ in range(3):
            answered = say(ann, narrow.url(), INITIALIZE)
            names.append(answered.headers["mcp-session-id"])
        statuses = [say(ann, narrow.url(), PING, name).status_code for name in names]
        opened.enter_context(websocket(narrow, "ann"))  # the idle session makes room
        with pytest.raises(InvalidStatus) as refused:
            websocket(narrow, "ann")
        stream = ann.get(narrow.url("sse"))
        session = say(ann, narrow.url(), INITIALIZE)
        other = say(bob, narrow.url(), INITIALIZE)

    assert statuses == [404, 404, 200]
    assert refused.value.response.status_code == 503
    assert refused.value.response.headers["retry-after"] == "10"
    assert (stream.status_code, stream.headers["retry-after"]) == (503, "10")
    assert (session.status_code, session.json()["error"]["code"]) == (503, 503)
    assert other.status_code == 200
    narrow.wait_for("client:ann has 3 sessions, as many as http.max_sessions_per_client allows")


def wait(number: int | str, seconds: float = 30) -> dict[str, Any]:
    params = {"name": "conversation_wait", "arguments": {"seconds": seconds}}
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}


def cancel(number: int) -> dict[str, Any]:
    params = {"requestId": number}
    return {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}


INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}


@contextlib.contextmanager
def duplex(server: ServerProcess, transport: str) -> Iterator[Any]:
    """A connection in both directions that has shaken hands."""
    with contextlib.ExitStack() as opened:
        wire: Any
        if transport == "websocket":
            wire = WebSocket(opened.enter_context(websocket(server, "ann")))
        else:
            stream = event_stream(server.url("sse"), {"X-API-Key": KEYS["ann"]})
            wire = opened.enter_context(stream)
        for message in ({**INITIALIZE, "id": "hello"}, INITIALIZED):
            wire.send(json.dumps(message).encode())
        assert wire.receive(5)["id"] == "hello"
        yield wire


@pytest.mark.parametrize("transport", ["websocket", "sse"])
def test_a_connection_with_too_many_calls_is_told_so_and_goes_on(
    narrow: ServerProcess, transport: str
) -> None:
    with duplex(narrow, transport) as wire:
        for number in range(1, 9):
            wire.send(json.dumps(wait(number)).encode())
        refused = [wire.receive(5) for _ in range(4)]
        wire.send(json.dumps(wait(1)).encode())
        taken = wire.receive(5)
        wire.send(json.dumps(cancel(1)).encode())
        wire.send(json.dumps(PING | {"id": "ping"}).encode())
        answered = wire.receive(5)

    assert [message["id"] for message in refused] == [5, 6, 7, 8]
    assert {message["error"]["code"] for message in refused} == {429}
    assert refused[0]["error"]["data"] == {"retryAfter": 1}
    assert (taken["id"], taken["error"]["code"]) == (1, -32600)
    assert (answered["id"], answered["result"]) == ("ping", {})
    narrow.wait_for("has 4 requests in flight, as many as calls.limit_per_connection allows")


def test_calls_of_clients_that_have_gone_count_in_all_sessions_of_one_key(
    narrow: ServerProcess,
) -> None:
    url, gone = narrow.url(), httpx2.Timeout(5, read=0.2)
    with client_of("eve") as eve, client_of("bob") as bob:
        names = [say(eve, url, INITIALIZE).headers["mcp-session-id"] for _ in range(2)]
        foreign = say(bob, url, INITIALIZE).headers["mcp-session-id"]
        statuses = []
        for name, number in [(names[0], number) for number in range(5)] + [(names[1], 9)] * 2:
            message = wait(number)
            fields = {"Mcp-Session-Id": name}
            with eve.stream("POST", url, json=message, headers=fields, timeout=gone) as response:
                statuses.append(response.status_code)  # and leave
        full = say(eve, url, PING, names[1])
        other = say(bob, url, PING, foreign)
        ended = eve.delete(url, headers={"Mcp-Session-Id": names[0]})
        again = say(eve, url, PING, names[1])
        deadline = time.monotonic() + PATIENCE  # calls end just after their session
        while again.status_code == 429 and time.monotonic() < deadline:
            again = say(eve, url, PING, names[1])
        eve.delete(url, headers={"Mcp-Session-Id": names[1]})

    assert statuses == [200, 200, 200, 200, 429, 200, 400]  # the last one's id is taken
    assert (full.status_code, full.headers["retry-after"]) == (429, "1")
    assert [response.status_code for response in (other, ended, again)] == [200, 200, 200]
    narrow.wait_for("client:eve has 5 requests in flight, as many as http.max_requests_per_client")


BLOB = """
    @plugin.tool()
    def blob(size: int) -> str:
        \"\"\"A long text.\"\"\"
        return "x" * (size // 2)  # it comes twice, as text and structured
"""
SIZE = 8_000_000
"""Bytes of a result: more than the kernel buffers for a client that reads nothing."""


@pytest.fixture(scope="module")
def frugal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that lets nobody leave much unread, and nothing for long.

    Its log tells of five connections that were closed for that in a minute.
    """
    folder = tmp_path_factory.mktemp("frugal")
    limits = {
        "http.max_unsent_size_per_client": SIZE // 4,
        "http.max_unsent_size": 2 * SIZE,
        "http.send_timeout": 4,
        "http.json_response": "true",
    }
    arguments = [part for item in limits.items() for part in ("--set", "{}={}".format(*item))]
    env = environment(write_plugin(folder / "plugins", "big", BLOB))
    server = start_server((*NETWORK, *arguments), env, folder)
    try:
        yield server
    finally:
        server.close()


def blob(number: int = 1) -> dict[str, Any]:
    """A call with a large result, in the modern protocol."""
    params = {"name": "big_blob", "arguments": {"size": SIZE}, "_meta": META}
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}


META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "raw", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
CALL = {
    "MCP_Protocol_Version": "2026-07-28",
    "Mcp_Method": "tools/call",
    "Mcp_Name": "big_blob",
}


def size_of_answer(raw: Raw) -> int:
    """Bytes of a body, of which the server may have sent nothing."""
    return len(raw.body) if raw.status() == 200 else 0


def test_answers_that_a_client_does_not_read_are_given_up_and_not_those_of_others(
    frugal: ServerProcess,
) -> None:
    url = frugal.url()
    with connections(url, 3, "127.0.0.2") as unread, connections(url, 1, "127.0.0.3") as others:
        for raw in [*unread, *others]:
            raw.post(blob(), **CALL)
        frugal.wait_for("peer:127.0.0.2 has .* to read, more than http.max_unsent_size_per_client")
        sizes = [size_of_answer(raw) for raw in [*unread, *others]]

    assert any(size < SIZE for size in sizes[:3])
    assert sizes[3] > SIZE


def test_all_clients_together_leave_no_more_unread_than_they_may(frugal: ServerProcess) -> None:
    url = frugal.url()
    with contextlib.ExitStack() as opened:
        for number in range(4, 14):
            (raw,) = opened.enter_context(connections(url, 1, f"127.0.0.{number}"))
            raw.post(blob(), **CALL)
        frugal.wait_for("to read, and all clients more than http.max_unsent_size allows")


def test_who_reads_nothing_for_long_is_closed(frugal: ServerProcess) -> None:
    with connections(frugal.url(), 1, "127.0.0.14") as (raw,):
        raw.post(blob(), **CALL)
        frugal.wait_for("a connection of 127.0.0.14: nothing was read .* http.send_timeout")

        assert size_of_answer(raw) < SIZE


def test_a_websocket_on_which_too_much_is_unread_is_closed(frugal: ServerProcess) -> None:
    with connect(
        frugal.url("websocket"),
        subprotocols=["mcp"],  # type: ignore[list-item]
        max_size=None,
        max_queue=1,
        compression=None,
        source_address=("127.0.0.15", 0),
    ) as unread:
        for number in range(9):
            unread.send(json.dumps(blob(number)))
        frugal.wait_for("peer:127.0.0.15 has .* to read, more than .*_per_client")
        with pytest.raises(ConnectionClosed):
            [unread.recv(5) for _ in range(9)]


def test_an_event_stream_on_which_too_much_is_unread_is_closed(frugal: ServerProcess) -> None:
    url = frugal.url("sse")
    with connections(url, 1, "127.0.0.16") as (stream,), httpx2.Client(headers=JSON) as http:
        stream.send(stream.head("GET", "/sse") + b"\r\n")
        path = stream.read_until(rb"/messages/\S+").decode()
        for number in range(9):
            assert http.post(urljoin(url, path), json=blob(number)).status_code == 202

        frugal.wait_for("peer:127.0.0.16 has .* to read, more than .*_per_client")
        stream.seconds_until_closed()
