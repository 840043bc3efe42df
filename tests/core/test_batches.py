"""Batches: several messages at a time, in protocol 2025-03-26 alone."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2
import pytest

from mcpkit import Context, Plugin
from mcpkit.core.assembly import build
from mcpkit.core.settings import Settings
from mcpkit.core.transports import batches, streamable_http
from mcpkit.core.transports.lines import serve_lines

pytestmark = pytest.mark.anyio

ACCEPT = {"Accept": "application/json, text/event-stream"}
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}
BATCHES, NEWER = "2025-03-26", "2025-06-18"


def request(number: Any, method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def call(number: Any, name: str, **arguments: Any) -> dict[str, Any]:
    return request(number, "tools/call", name=f"own_{name}", arguments=arguments)


def initialize(version: str) -> dict[str, Any]:
    client = {"name": "raw", "version": "1"}
    return request(0, "initialize", protocolVersion=version, capabilities={}, clientInfo=client)


@asynccontextmanager
async def endpoint(http: dict[str, Any] | None = None, **calls: Any) -> AsyncIterator[Any]:
    plugin = Plugin()

    @plugin.tool()
    async def say(text: str) -> str:
        """Say it."""
        return text

    @plugin.tool()
    async def work(ctx: Context) -> str:
        """Tell how far it is."""
        await ctx.report_progress(1, 2)
        return "worked"

    @plugin.tool(structured_output=False)
    async def long() -> str:
        """Say much."""
        return LARGE

    @plugin.tool()
    async def hang() -> str:
        """Never end."""
        await anyio.sleep_forever()
        return ""

    settings = Settings.model_validate({"calls": calls, "http": http or {}})
    app = build(settings, plugins=False, objects={"own": plugin})
    with anyio.fail_after(15):
        async with app.running() as running:
            yield running


@asynccontextmanager
async def posting(
    version: str, http: dict[str, Any] | None = None, **calls: Any
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client over HTTP that has shaken hands."""
    async with endpoint(http, **calls) as running, streamable_http.open_routes(running) as routes:
        transport = httpx2.ASGITransport(app=routes[0])
        async with httpx2.AsyncClient(
            transport=transport, base_url="http://localhost", headers=ACCEPT
        ) as client:
            opened = await client.post("/mcp", json=initialize(version))
            client.headers["Mcp-Session-Id"] = opened.headers["mcp-session-id"]
            await client.post("/mcp", json=INITIALIZED)
            yield client


class Talk:
    """A client that writes and reads lines."""

    def __init__(self, send: Any, receive: Any) -> None:
        self._send = send
        self._receive = receive

    async def say(self, message: Any) -> None:
        """Write a line."""
        await self._send.send(json.dumps(message).encode() + b"\n")

    async def hear(self) -> Any:
        """Read a line."""
        return json.loads(await self._receive.receive())


@asynccontextmanager
async def talking(version: str, **calls: Any) -> AsyncIterator[Talk]:
    """A client over lines that has shaken hands."""
    receive: Any
    send: Any
    to_server, receive = anyio.create_memory_object_stream[bytes](9)
    send, from_server = anyio.create_memory_object_stream[bytes](9)
    with to_server, receive, send, from_server:
        async with endpoint(**calls) as running, anyio.create_task_group() as tasks:
            tasks.start_soon(serve_lines, running, receive, send)
            talk = Talk(to_server, from_server)
            await talk.say(initialize(version))
            await talk.hear()
            await talk.say(INITIALIZED)
            yield talk
            tasks.cancel_scope.cancel()


MIXED = [
    call(1, "say", text="a"),
    INITIALIZED,
    {"jsonrpc": "2.0", "id": None, "method": "ping"},
    initialize(BATCHES) | {"id": "again"},
    call("2", "say", text="b"),
    17,
]


def check_mixed(answers: Any) -> None:
    """Each request has its answer, whatever the order."""
    found = {answer["id"]: answer for answer in answers if answer["id"] is not None}
    texts = [found[key]["result"]["content"][0]["text"] for key in (1, "2")]

    assert texts == ["a", "b"]
    assert found["again"]["error"]["code"] == -32600
    assert [answer["error"]["code"] for answer in answers if answer["id"] is None] == [-32600] * 2
    assert len(answers) == 5


async def test_a_batch_over_http_is_answered_as_one() -> None:
    async with posting(BATCHES) as client:
        mixed = await client.post("/mcp", json=MIXED)
        silent = await client.post("/mcp", json=[INITIALIZED, INITIALIZED])
        after = await client.post("/mcp", json=call(1, "say", text="c"))

    assert mixed.status_code == 200
    assert mixed.headers["content-type"] == "application/json"
    check_mixed(mixed.json())
    assert (silent.status_code, silent.content) == (202, b"")
    assert after.json()["result"]["content"][0]["text"] == "c"


async def test_a_batch_over_http_that_tells_something_is_a_stream() -> None:
    work = call(2, "work")
    work["params"]["_meta"] = {"progressToken": "p"}
    async with posting(BATCHES) as client:
        streamed = await client.post("/mcp", json=[call(1, "say", text="a"), work])

    lines = [line for line in streamed.text.splitlines() if line.startswith("data: ")]
    told = [json.loads(line.removeprefix("data: ")) for line in lines]
    assert streamed.headers["content-type"] == "text/event-stream"
    assert told[0]["method"] == "notifications/progress"
    assert sorted(message["id"] for message in told[1:]) == [1, 2]


async def test_a_batch_over_lines_is_answered_as_one() -> None:
    async with talking(BATCHES) as talk:
        await talk.say(MIXED)
        check_mixed(await talk.hear())
        await talk.say([17, 18])
        refused = await talk.hear()
        await talk.say(call(3, "say", text="c"))
        after = await talk.hear()

    assert [answer["error"]["code"] for answer in refused] == [-32600] * 2
    assert after["id"] == 3


async def test_a_batch_whose_request_is_cancelled_is_answered() -> None:
    cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 2}}
    async with talking(BATCHES) as talk:
        await talk.say([call(1, "say", text="a"), call(2, "hang")])
        await talk.say(cancel)
        answers = await talk.hear()

    found = {answer["id"]: answer for answer in answers}
    assert found[1]["result"]["content"][0]["text"] == "a"
    assert found[2]["error"]["code"] == -32800


@pytest.mark.parametrize("batch", [[], [INITIALIZED] * 4])
async def test_a_batch_has_one_message_at_least_and_as_many_as_allowed(batch: Any) -> None:
    async with posting(BATCHES, max_batch=3) as client:
        posted = await client.post("/mcp", json=batch)
    async with talking(BATCHES, max_batch=3) as talk:
        await talk.say(batch)
        said = await talk.hear()

    assert posted.status_code == 400
    assert posted.json()["error"] == said["error"]
    assert "1 to 3 messages" in said["error"]["message"]


@pytest.mark.parametrize("version", ["2024-11-05", NEWER, "2025-11-25"])
async def test_other_versions_refuse_batches_and_say_why(version: str) -> None:
    batch = [call(1, "say", text="a")]
    async with posting(version) as client:
        posted = await client.post("/mcp", json=batch, headers={"MCP-Protocol-Version": version})
    async with talking(version) as talk:
        await talk.say(batch)
        said = await talk.hear()

    assert posted.status_code == 400
    assert posted.json()["error"] == said["error"]
    assert said["error"]["code"] == -32600
    assert "only protocol 2025-03-26" in said["error"]["message"]


async def test_requests_of_a_batch_count() -> None:
    async with posting(BATCHES, limit_per_connection=2) as client:
        answers = await client.post("/mcp", json=[call(n, "say", text="a") for n in range(4)])

    codes = [answer.get("error", {}).get("code") for answer in answers.json()]
    assert sorted(map(str, codes)) == ["429", "429", "None", "None"]


LARGE = "x" * 3000
"""An answer of which one has room in the smallest limits of the test."""


async def test_answers_that_wait_for_their_batch_count_as_what_its_client_uses() -> None:
    http = {"max_requests_size_per_client": 5000, "json_response": True}
    hangs = [call(0, "hang"), *(call(number, "long") for number in (1, 2, 3))]
    cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 0}}
    waited: list[Any] = []
    async with posting(BATCHES, http) as client, anyio.create_task_group() as tasks:

        async def ask() -> None:
            waited.extend((await client.post("/mcp", json=hangs)).json())

        tasks.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        await client.post("/mcp", json=cancel)
        while not waited:
            await anyio.wait_all_tasks_blocked()
        later = (await client.post("/mcp", json=[call(4, "long"), call(5, "say", text="a")])).json()

    refused = [one["error"]["code"] for one in waited if one["id"] in {1, 2, 3} and "error" in one]
    assert refused == [413, 413]
    assert [one["id"] for one in later if "result" in one] == [4, 5]


async def test_answers_that_wait_on_lines_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "MOST_HELD", 5000)
    cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 0}}
    async with talking(BATCHES) as talk:
        await talk.say([call(0, "hang"), *(call(number, "long") for number in (1, 2))])
        await anyio.wait_all_tasks_blocked()
        await talk.say(cancel)
        waited = await talk.hear()
        await talk.say([call(4, "long"), call(5, "say", text="a")])
        later = await talk.hear()

    assert [one["error"]["code"] for one in waited if one["id"] in {1, 2} and "error" in one] == [
        413
    ]
    assert {one["id"] for one in later if "result" in one} == {4, 5}
