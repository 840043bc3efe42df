"""The entry of the modern protocol: it answers as the SDK's own, and streams only when it must."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

import anyio
import httpx2
import pytest
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from pydantic import Field
from starlette.types import ASGIApp

from mcpkit import Context, Plugin, ToolError
from mcpkit.core.assembly import build
from mcpkit.core.running import Running
from mcpkit.core.settings import Settings
from mcpkit.core.transports import responses, streamable_http

VERSION = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
ACCEPT = "application/json, text/event-stream"

pytestmark = pytest.mark.anyio

plugin = Plugin()


@plugin.tool()
async def echo(
    text: str, region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})] = ""
) -> str:
    """Say it again."""
    return text


@plugin.tool()
async def fail(text: str) -> str:
    """Fail in a way that the model may read."""
    raise ToolError(text)


@plugin.tool()
async def count(ctx: Context, to: int) -> int:
    """Count, and tell so."""
    for number in range(to):
        await ctx.report_progress(number, to)
    return to


@plugin.tool()
async def broken() -> float:
    """Return what JSON cannot say."""
    return float("nan")


@plugin.resource("numbers://all")
def numbers() -> str:
    """Some numbers."""
    return "1 2 3"


def message(method: str, params: dict[str, Any] | None = None, **changed: Any) -> dict[str, Any]:
    meta = {"_meta": META, **(params or {})}
    return {"jsonrpc": "2.0", "id": 7, "method": method, "params": meta, **changed}


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return message("tools/call", {"name": f"own_{name}", "arguments": arguments})


def fields(body: Any, **changed: str) -> dict[str, str]:
    """The header fields that belong to a message."""
    found = {"accept": ACCEPT, "content-type": "application/json", "mcp-protocol-version": VERSION}
    if isinstance(body, dict):
        found["mcp-method"] = str(body.get("method"))
        params = body.get("params") or {}
        name = params.get("name") or params.get("uri")
        found |= {"mcp-name": name} if name else {}
    return {**found, **{key.replace("_", "-"): value for key, value in changed.items()}}


@asynccontextmanager
async def running(**http: Any) -> AsyncIterator[Running]:
    settings = Settings.model_validate({"http": http})
    async with build(settings, plugins=False, objects={"own": plugin}).running() as server:
        yield server


@asynccontextmanager
async def ours(server: Running) -> AsyncIterator[ASGIApp]:
    async with streamable_http.open_routes(server) as routes:
        yield routes[0]


@asynccontextmanager
async def of_the_sdk(server: Running) -> AsyncIterator[ASGIApp]:
    json_response = server.settings.http.json_response
    manager = StreamableHTTPSessionManager(server.server, json_response=json_response)
    async with manager.run():
        yield manager.handle_request


async def post(app: ASGIApp, body: Any, headers: Any) -> tuple[int, str, Any]:
    """Status, media type and messages of a response."""
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        response = await client.post("/mcp", content=content, headers=headers)
    kind = response.headers.get("content-type", "").partition(";")[0]
    lines = response.text.splitlines()
    data = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    texts = data if kind == "text/event-stream" else [response.text] if response.text else []
    return response.status_code, kind, [json.loads(text) for text in texts]


ASKED: dict[str, tuple[Any, dict[str, str]]] = {
    "a call": (call("echo", text="æ"), {}),
    "a call with its header": (call("echo", text="a", region="eu"), {"mcp_param_region": "eu"}),
    "a call without its header": (call("echo", text="a", region="eu"), {}),
    "a call with another header": (
        call("echo", text="a", region="eu"),
        {"mcp_param_region": "us"},
    ),
    "a failing call": (call("fail", text="no"), {}),
    "wrong arguments": (call("echo", txt="no"), {}),
    "arguments that are no object": (
        message("tools/call", {"name": "own_echo", "arguments": [1]}),
        {},
    ),
    "an unknown tool": (call("ecko"), {}),
    "a call that streams": (
        message(
            "tools/call",
            {
                "name": "own_count",
                "arguments": {"to": 3},
                "_meta": {**META, "progressToken": "t"},
            },
        ),
        {},
    ),
    "a list": (message("tools/list"), {}),
    "a resource": (message("resources/read", {"uri": "numbers://all"}), {}),
    "an unknown resource": (message("resources/read", {"uri": "numbers://none"}), {}),
    "discovery": (message("server/discover"), {}),
    "an unknown method": (message("tools/fly"), {}),
    "a method of the other era": (message("initialize"), {}),
    "no envelope": ({"jsonrpc": "2.0", "id": 7, "method": "tools/list"}, {}),
    "half an envelope": (
        message("tools/list", {"_meta": {"io.modelcontextprotocol/protocolVersion": VERSION}}),
        {},
    ),
    "another method in the header": (message("tools/list"), {"mcp_method": "tools/call"}),
    "another name in the header": (call("echo", text="a"), {"mcp_name": "own_fail"}),
    "a notification": ({"jsonrpc": "2.0", "method": "notifications/cancelled"}, {}),
    "a wrong cursor": (message("tools/list", {"cursor": "none"}), {}),
    "a wrong progress token": (
        message("tools/list", {"_meta": {**META, "progressToken": []}}),
        {},
    ),
}


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("json_response", [False, True])
async def test_it_answers_what_the_entry_of_the_sdk_answers(
    asked: str, json_response: bool
) -> None:
    body, changed = ASKED[asked]
    headers = fields(body, **changed)

    async with running(json_response=json_response) as server:
        async with of_the_sdk(server) as app:
            expected = await post(app, body, headers)
        async with ours(server) as app:
            twice = [await post(app, body, headers) for _ in range(2)]

    assert twice == [expected, expected]


@pytest.mark.parametrize("method", ["tools/list", "notifications/cancelled"])
async def test_a_version_that_is_not_served_is_told_every_one_that_is(method: str) -> None:
    meta = {**META, "io.modelcontextprotocol/protocolVersion": "2099-01-01"}
    body = message(method, {"_meta": meta})
    if method.startswith("notifications/"):
        del body["id"]

    async with running() as server, ours(server) as app:
        headers = fields(body, mcp_protocol_version="2099-01-01")
        status, _, [told] = await post(app, body, headers)

    assert (status, told["error"]["code"]) == (400, -32022)
    assert told["error"]["data"]["supported"][0] == "2024-11-05"
    assert told["error"]["data"]["supported"][-1] == VERSION


async def test_a_repeated_header_is_refused_as_by_the_sdk() -> None:
    body = message("tools/list")
    headers = [*fields(body).items(), ("mcp-method", "tools/list")]

    async with running() as server:
        async with of_the_sdk(server) as app:
            expected = await post(app, body, headers)
        async with ours(server) as app:
            assert await post(app, body, headers) == expected


@pytest.mark.parametrize(
    ("body", "changed", "status"),
    [
        (b"{", {}, 400),
        (b"[]", {}, 400),
        (b'{"jsonrpc": "2.0", "id": 1, "result": {}}', {}, 400),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"a": NaN}}', {}, 400),
        (message("tools/list"), {"content_type": "text/plain"}, 400),
        (message("tools/list"), {"accept": "application/json"}, 406),
        (message("tools/list"), {"accept": "text/event-stream"}, 406),
        (message("tools/list"), {"accept": "*/*"}, 200),
        (message("tools/list"), {"accept": "application/*;q=0.5, text/*"}, 200),
    ],
)
async def test_what_is_no_request_or_not_wanted_is_refused_in_json(
    body: Any, changed: dict[str, str], status: int
) -> None:
    async with running() as server, ours(server) as app:
        got, kind, [told] = await post(app, body, fields(body, **changed))

    assert (got, kind) == (status, "application/json")
    assert status == 200 or told["error"]


async def test_a_subscription_streams_also_where_all_else_is_json() -> None:
    body = message("subscriptions/listen", {"notifications": {"toolsListChanged": True}})

    async with running(json_response=True) as server, ours(server) as app:
        assert (await post(app, body, fields(body, accept="application/json")))[0] == 406
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(close_soon, server)
            status, kind, told = await post(app, body, fields(body))

    assert (status, kind) == (200, "text/event-stream")
    assert told[0]["method"] == "notifications/subscriptions/acknowledged"
    assert told[-1]["id"] == 7


async def close_soon(server: Running) -> None:
    await anyio.sleep(0.1)
    server.listen.close()


async def test_what_json_cannot_say_does_not_end_the_answer() -> None:
    body = call("broken")

    async with running() as server, ours(server) as app:
        status, _, [told] = await post(app, body, fields(body))

    assert status == 200
    assert told["id"] == 7


class Client:
    """A client that can leave, and sees each part of a response when it comes."""

    def __init__(self, body: dict[str, Any]) -> None:
        self.parts: list[Any] = []
        self.gone = anyio.Event()
        self._body = json.dumps(body).encode()
        self._headers = [(key.encode(), value.encode()) for key, value in fields(body).items()]

    async def ask(self, app: ASGIApp) -> None:
        body: list[Any] = [{"type": "http.request", "body": self._body, "more_body": False}]

        async def receive() -> Any:
            if body:
                return body.pop()
            await self.gone.wait()
            return {"type": "http.disconnect"}

        async def send(part: Any) -> None:
            self.parts.append(part)

        scope = {"type": "http", "method": "POST", "path": "/mcp", "root_path": ""}
        await app({**scope, "headers": self._headers, "query_string": b""}, receive, send)

    @property
    def text(self) -> str:
        return b"".join(part.get("body", b"") for part in self.parts).decode()


def waiting(work: Callable[[Context], Any]) -> Plugin:
    """A plugin whose one tool does some work."""
    patient = Plugin()

    @patient.tool()
    async def wait(ctx: Context) -> str:
        """Take a while."""
        await work(ctx)
        return "done"

    return patient


@asynccontextmanager
async def serving(patient: Plugin) -> AsyncIterator[ASGIApp]:
    app = build(Settings(), plugins=False, objects={"own": patient})
    async with app.running() as server, ours(server) as asgi:
        yield asgi


async def test_a_client_that_leaves_ends_its_call_and_no_other() -> None:
    ended: list[str] = []
    go_on = anyio.Event()

    async def work(ctx: Context) -> None:
        try:
            await go_on.wait()
        except BaseException:
            ended.append(str(ctx.request_id))
            raise

    leaving, staying = Client({**call("wait"), "id": "a"}), Client({**call("wait"), "id": "b"})
    with anyio.fail_after(5):
        async with serving(waiting(work)) as app, anyio.create_task_group() as tasks:
            tasks.start_soon(staying.ask, app)
            leaving.gone.set()
            await leaving.ask(app)
            go_on.set()

    assert ended == ["a"]
    assert leaving.parts == []
    assert '"done"' in staying.text


async def test_a_long_silence_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(responses, "ALONE", 0.01)
    monkeypatch.setattr(responses, "SILENCE", 0.02)
    client = Client(call("wait"))

    async def work(ctx: Context) -> None:
        while client.text.count(": ping") < 3:
            await anyio.sleep(0.01)

    with anyio.fail_after(5):
        async with serving(waiting(work)) as app:
            await client.ask(app)

    assert client.parts[0]["status"] == 200
    assert (b"content-type", b"text/event-stream") in client.parts[0]["headers"]
    assert client.text.rpartition("data: ")[2].startswith('{"jsonrpc":"2.0","id":7,"result"')


async def test_what_is_told_after_the_result_is_dropped() -> None:
    kept: list[Context] = []

    async def work(ctx: Context) -> None:
        kept.append(ctx)
        await ctx.report_progress(1)

    body = call("wait")
    body["params"]["_meta"] = {**META, "progressToken": 1}
    client = Client(body)
    async with serving(waiting(work)) as app:
        await client.ask(app)
        parts = list(client.parts)
        await kept[0].report_progress(2)

    assert client.parts == parts
    assert parts[1]["more_body"]
    assert not parts[-1].get("more_body")
