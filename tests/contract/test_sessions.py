"""Sessions of the 2025 protocols over streamable HTTP, as raw requests: what clients rely on."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx2
import mcp
import pytest
from mcp.client.sse import sse_client

from tests.conftest import Serve, ServerProcess, environment, start_server
from tests.contract.features import proves

pytestmark = [pytest.mark.anyio, pytest.mark.contract]

PATH = "/mcp"
ACCEPT = {"Accept": "application/json, text/event-stream"}


@pytest.fixture(scope="module")
def served(test_plugins: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with room for three sessions that may idle for two seconds."""
    settings = ("http.session_idle_timeout=2", "http.max_sessions=3", "http.retry_interval=0.2")
    assignments = [part for setting in settings for part in ("--set", setting)]
    transports = ("--transport", "streamable-http", "--transport", "sse")
    folder = tmp_path_factory.mktemp("sessions")
    arguments = ("--port", "0", *transports, *assignments)
    server = start_server(arguments, environment(test_plugins), folder)
    try:
        yield server
    finally:
        server.close()


def request(method: str, number: int = 1, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def initialize(version: str) -> dict[str, Any]:
    client = {"name": "raw", "version": "1"}
    return request("initialize", protocolVersion=version, capabilities={}, clientInfo=client)


def events(text: str) -> list[dict[str, str]]:
    """The events of a stream, each with its fields."""
    found = []
    for block in text.replace("\r\n", "\n").split("\n\n"):
        fields = dict(line.partition(":")[::2] for line in block.splitlines() if ":" in line)
        if fields:
            found.append({name: value.removeprefix(" ") for name, value in fields.items()})
    return found


@asynccontextmanager
async def session(
    url: str, version: str = "2025-11-25", *, delete: bool = True
) -> AsyncIterator[httpx2.AsyncClient]:
    """Open a session as a client of some version does; every request is made in it."""
    async with httpx2.AsyncClient(
        base_url=url.removesuffix(PATH), headers=ACCEPT, timeout=20
    ) as http:
        opened = await http.post(PATH, json=initialize(version))
        opened.raise_for_status()
        result = json.loads(events(opened.text)[-1]["data"])["result"]
        assert result["protocolVersion"] == version
        http.headers["Mcp-Session-Id"] = opened.headers["mcp-session-id"]
        if version != "2025-03-26":  # which knew no such header
            http.headers["MCP-Protocol-Version"] = version
        ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        assert (await http.post(PATH, json=ready)).status_code == 202
        try:
            yield http
        finally:
            if delete:
                await http.delete(PATH)


def answer(response: httpx2.Response) -> Any:
    """The last message of a stream."""
    return json.loads(events(response.text)[-1]["data"])


@pytest.mark.parametrize("version", ["2025-03-26", "2025-06-18", "2025-11-25"])
async def test_clients_of_older_versions_are_served(served: ServerProcess, version: str) -> None:
    async with session(served.url(), version) as http:
        listed = answer(await http.post(PATH, json=request("tools/list")))
        called = answer(
            await http.post(
                PATH,
                json=request("tools/call", name="conversation_echo", arguments={"text": "hei"}),
            )
        )

    assert "conversation_echo" in {tool["name"] for tool in listed["result"]["tools"]}
    assert called["result"]["content"] == [{"type": "text", "text": "hei"}]


async def test_clients_of_2024_are_served_over_sse(served: ServerProcess) -> None:
    async with (
        sse_client(served.url("sse")) as (read, write),
        mcp.ClientSession(read, write) as client,
    ):
        message = initialize("2024-11-05")["params"]
        types = mcp.types
        params = types.InitializeRequestParams.model_validate(message, by_name=False)
        result = await client.send_request(
            types.InitializeRequest(params=params), types.InitializeResult
        )

    assert result.protocol_version == "2024-11-05"


@proves("Sessions: resuming, deleting, idle time-out, limit")
async def test_a_lost_stream_is_resumed_where_it_broke(
    served: ServerProcess, era: str, transport: str
) -> None:
    call = request("tools/call", 7, name="conversation_wait", arguments={"seconds": 1})
    call["params"]["_meta"] = {"progressToken": "p"}
    async with session(served.url(), era) as http:
        seen = ""
        async with http.stream("POST", PATH, json=call) as stream:
            async for text in stream.aiter_text():
                seen += text
                if "notifications/progress" in seen:
                    break  # and the connection is lost
        first = events(seen)
        resume = {"Accept": "text/event-stream", "Last-Event-ID": first[-1]["id"]}
        async with http.stream("GET", PATH, headers=resume) as stream:
            rest = ""
            async for text in stream.aiter_text():
                rest += text
                if '"result"' in rest:
                    break

    assert first[0]["data"] == ""  # the priming event: an id before anything was said
    assert first[0]["retry"] == "200"
    messages = [json.loads(event["data"]) for event in events(rest) if event.get("data")]
    assert [message.get("method") for message in messages] == ["notifications/progress", None]
    assert messages[-1]["id"] == 7
    assert messages[-1]["result"]["structuredContent"] == {"result": "waited 1 s"}


async def test_a_resumed_stream_ends_with_the_response(served: ServerProcess) -> None:
    async with session(served.url()) as http:
        sent = await http.post(PATH, json=request("tools/call", 3, name="conversation_ecko"))
        priming, error = events(sent.text)
        resume = {"Accept": "text/event-stream"}
        with anyio.fail_after(5):
            resumed = await http.get(PATH, headers=resume | {"Last-Event-ID": priming["id"]})
            again = await http.get(PATH, headers=resume | {"Last-Event-ID": error["id"]})

    assert answer(resumed) == json.loads(error["data"])
    assert again.status_code == 405  # what makes a client stop asking


async def test_one_session_cannot_resume_the_stream_of_another(served: ServerProcess) -> None:
    async with session(served.url()) as one, session(served.url()) as other:
        sent = await one.post(PATH, json=request("tools/list", 5))
        event_id = events(sent.text)[0]["id"]
        async with other.stream(
            "GET", PATH, headers={"Accept": "text/event-stream", "Last-Event-ID": event_id}
        ) as stream:
            text = ""
            with anyio.move_on_after(0.5):
                async for part in stream.aiter_text():
                    text += part

    assert "conversation_echo" in sent.text
    assert "conversation_echo" not in text


async def test_a_session_that_was_deleted_is_gone(served: ServerProcess) -> None:
    async with session(served.url(), delete=False) as http:
        deleted = await http.delete(PATH)
        after = await http.post(PATH, json=request("tools/list"))

    assert deleted.status_code == 200
    assert after.status_code == 404


async def test_an_idle_session_ends_and_a_busy_one_does_not(served: ServerProcess) -> None:
    async with session(served.url(), delete=False) as idle, session(served.url()) as busy:
        for _ in range(8):
            assert (await busy.post(PATH, json=request("ping"))).status_code == 200
            await anyio.sleep(0.5)
        gone = await idle.post(PATH, json=request("ping"))
        still = await busy.post(PATH, json=request("ping"))

    assert gone.status_code == 404
    assert still.status_code == 200


async def test_there_are_no_more_sessions_than_allowed(serve: Serve) -> None:
    server = serve("--transport", "streamable-http", "--port", "0", "--set", "http.max_sessions=1")
    async with session(server.url()), httpx2.AsyncClient(headers=ACCEPT) as http:
        refused = await http.post(server.url(), json=initialize("2025-11-25"))
    async with session(server.url()) as http:
        again = await http.post(PATH, json=request("ping"))

    assert refused.status_code == 503
    assert again.status_code == 200


async def test_without_kept_events_nothing_is_resumed(serve: Serve) -> None:
    arguments = ("--transport", "streamable-http", "--port", "0")
    server = serve(*arguments, "--set", "http.resumable_events=0")
    async with session(server.url()) as http:
        sent = await http.post(PATH, json=request("ping"))

    assert "id" not in events(sent.text)[0]
