"""Stopping: calls in flight finish, lifespans close, the process exits with 0."""

import json
import signal
from pathlib import Path
from typing import Any

import anyio
import httpx2
import mcp
import pytest
from mcp.client.sse import sse_client

from tests.conftest import Serve
from tests.contract.conftest import websocket_client

pytestmark = [pytest.mark.anyio, pytest.mark.contract]

CALL = 2.0
"""Seconds that the call in flight takes."""

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}


def wait_call(number: int, seconds: float) -> dict[str, Any]:
    params = {"name": "conversation_wait", "arguments": {"seconds": seconds}}
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}


async def until(path: Path, word: str) -> None:
    """Wait until the plugin has noted a word."""
    with anyio.fail_after(20):
        while not path.exists() or word not in path.read_text("utf-8"):
            await anyio.sleep(0.02)


@pytest.mark.parametrize("transport", ["streamable-http", "sse", "websocket"])
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_sigterm_lets_a_call_over_the_network_finish(
    serve: Serve, tmp_path: Path, transport: str, mode: Any
) -> None:
    journal = tmp_path / "journal.txt"
    server = serve(
        *("--transport", transport, "--port", "0"),
        *("--set", f"plugins.conversation.journal={journal}"),
    )
    url = server.url(transport)
    clients = {"sse": sse_client, "websocket": websocket_client}
    target = clients[transport](url) if transport in clients else url
    results = []

    with anyio.fail_after(40):
        async with mcp.Client(target, mode=mode) as client, anyio.create_task_group() as tasks:

            async def call() -> None:
                results.append(await client.call_tool("conversation_wait", {"seconds": CALL}))

            tasks.start_soon(call)
            await until(journal, "waiting")
            server.process.send_signal(signal.SIGTERM)

    code = await anyio.to_thread.run_sync(server.process.wait, 30)
    assert results[0].structured_content == {"result": "waited 2 s"}
    assert journal.read_text("utf-8").splitlines() == ["open", "waiting", "waited", "close"]
    assert code == 0


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "end of input"])
async def test_stopping_on_stdio_lets_a_call_finish(serve: Serve, tmp_path: Path, how: str) -> None:
    journal = tmp_path / "journal.txt"
    server = serve("--set", f"plugins.conversation.journal={journal}")
    stdin, stdout = server.process.stdin, server.process.stdout
    assert stdin is not None
    assert stdout is not None
    for message in (
        INITIALIZE,
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        wait_call(2, CALL),
    ):
        stdin.write(json.dumps(message).encode() + b"\n")
    stdin.flush()
    await until(journal, "waiting")

    if how == "end of input":
        stdin.close()
    else:
        server.process.send_signal(getattr(signal, how))
        await anyio.to_thread.run_sync(server.wait_for, "finishing calls in flight")
        stdin.write(json.dumps(wait_call(3, 0)).encode() + b"\n")
        stdin.flush()
    code = await anyio.to_thread.run_sync(server.process.wait, 30)

    lines = map(json.loads, stdout.read().splitlines())
    answers = {answer["id"]: answer for answer in lines if "id" in answer}
    assert answers[2]["result"]["structuredContent"] == {"result": "waited 2 s"}
    if how != "end of input":
        assert answers[3]["error"]["code"] == 503
    assert journal.read_text("utf-8").splitlines() == ["open", "waiting", "waited", "close"]
    assert code == 0


async def test_a_second_signal_stops_at_once(serve: Serve, tmp_path: Path) -> None:
    journal = tmp_path / "journal.txt"
    server = serve("--set", f"plugins.conversation.journal={journal}")
    assert server.process.stdin is not None
    server.process.stdin.write(json.dumps(INITIALIZE).encode() + b"\n")
    server.process.stdin.write(json.dumps(wait_call(2, 60)).encode() + b"\n")
    server.process.stdin.flush()
    await until(journal, "waiting")

    server.process.send_signal(signal.SIGINT)
    await anyio.to_thread.run_sync(server.wait_for, "finishing calls in flight")
    server.process.send_signal(signal.SIGINT)
    with anyio.fail_after(10):
        await anyio.to_thread.run_sync(server.process.wait, 10)

    assert journal.read_text("utf-8").splitlines()[-1] == "close"


async def test_the_grace_period_ends_calls_that_do_not(serve: Serve, tmp_path: Path) -> None:
    journal = tmp_path / "journal.txt"
    server = serve(
        *("--set", f"plugins.conversation.journal={journal}"),
        *("--set", "lifespan.grace_period=0.3"),
    )
    assert server.process.stdin is not None
    server.process.stdin.write(json.dumps(INITIALIZE).encode() + b"\n")
    server.process.stdin.write(json.dumps(wait_call(2, 60)).encode() + b"\n")
    server.process.stdin.flush()
    await until(journal, "waiting")

    code = await anyio.to_thread.run_sync(server.stop)

    assert journal.read_text("utf-8").splitlines() == ["open", "waiting", "cancelled", "close"]
    assert code == 0


async def test_a_client_that_disconnects_mid_call_harms_nobody(
    serve: Serve, tmp_path: Path
) -> None:
    journal = tmp_path / "journal.txt"
    server = serve(
        *("--transport", "streamable-http", "--port", "0"),
        *("--set", f"plugins.conversation.journal={journal}"),
    )
    url = server.url()
    body = wait_call(1, 60)
    body["params"]["_meta"] = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    headers = {
        "Accept": "application/json, text/event-stream",
        "Mcp-Protocol-Version": "2026-07-28",
        "Mcp-Method": "tools/call",
        "Mcp-Name": "conversation_wait",
    }
    with anyio.fail_after(30):
        async with httpx2.AsyncClient() as http:
            with anyio.move_on_after(1):
                await http.post(url, json=body, headers=headers)
        await until(journal, "cancelled")
        async with mcp.Client(url) as client:
            echoed = await client.call_tool("conversation_echo", {"text": "still here"})

    assert echoed.structured_content == {"result": "still here"}
    assert server.stop() == 0


async def test_a_host_that_dies_takes_its_stdio_server_along(serve: Serve) -> None:
    server = serve()
    server.wait_for("Serving stdio")
    assert server.process.stdin is not None
    assert server.process.stdout is not None

    server.process.stdout.close()
    server.process.stdin.close()

    assert await anyio.to_thread.run_sync(server.process.wait, 15) == 0
