"""Refusals: whoever says "not now" decides the HTTP status, and when to come back."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from mcp.shared.exceptions import MCPError

from mcpkit import Context, Plugin, RateLimitedError, UnavailableError
from mcpkit.core.assembly import build
from mcpkit.core.running import Running
from mcpkit.core.settings import Settings
from mcpkit.core.transports import streamable_http
from mcpkit.testing import connect

pytestmark = pytest.mark.anyio

META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
ACCEPT = {"accept": "application/json, text/event-stream"}


@pytest.fixture
def plugin() -> Plugin:
    """A plugin that refuses in every way."""
    plugin = Plugin()

    @plugin.tool()
    def often() -> str:
        """Refuse: asked too often."""
        raise RateLimitedError("Too often", retry_after=1.2)

    @plugin.tool()
    async def down() -> str:
        """Refuse: nobody is served."""
        raise UnavailableError("The database is down")

    @plugin.tool()
    async def late(ctx: Context) -> str:
        """Refuse after something was told."""
        await ctx.report_progress(1, 2)
        raise RateLimitedError("Too often", retry_after=1)

    @plugin.tool()
    async def own(code: int, data: Any = None) -> str:
        """Refuse with an error of the SDK."""
        raise MCPError(code, "Own error", data)

    @plugin.tool()
    def fine() -> str:
        """Answer, unless the middleware refuses."""
        return "fine"

    @plugin.resource("busy://it")
    def busy() -> str:
        """Refuse to be read."""
        raise RateLimitedError("Too often", retry_after=0)

    @plugin.prompt()
    def ask() -> str:
        """Refuse to be asked."""
        raise UnavailableError("Closed", retry_after=3600)

    @plugin.hookimpl
    def mcpkit_middleware(settings: Any) -> list[Any]:
        async def limit(call: Any, call_next: Any) -> Any:
            if call.name == "own_fine":
                raise RateLimitedError("Ask half as often", retry_after=30)
            return await call_next(call)

        return [limit]

    return plugin


@asynccontextmanager
async def serving(plugin: Plugin, **http: Any) -> AsyncIterator[tuple[Running, httpx2.AsyncClient]]:
    settings = Settings.model_validate({"http": http})
    app = build(settings, plugins=False, objects={"own": plugin})
    async with app.running() as running, streamable_http.open_routes(running) as routes:
        transport = httpx2.ASGITransport(app=routes[0])
        async with httpx2.AsyncClient(
            transport=transport, base_url="http://localhost", headers=ACCEPT
        ) as client:
            yield running, client


async def modern(client: httpx2.AsyncClient, method: str, **params: Any) -> httpx2.Response:
    name = params.get("name") or params.get("uri")
    headers = {"mcp-protocol-version": "2026-07-28", "mcp-method": method, "mcp-name": str(name)}
    meta = {**META, **params.pop("_meta", {})}
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}
    return await client.post("/mcp", json=message, headers=headers)


async def initialize(client: httpx2.AsyncClient) -> httpx2.Response:
    hello = {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "t", "version": "1"},
    }
    message = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello}
    return await client.post("/mcp", json=message)


async def legacy(client: httpx2.AsyncClient, method: str, **params: Any) -> httpx2.Response:
    opened = await initialize(client)
    headers = {
        "mcp-session-id": opened.headers["mcp-session-id"],
        "mcp-protocol-version": "2025-11-25",
    }
    await client.post(
        "/mcp", json={"jsonrpc": "2.0", "method": "notifications/initialized"}, headers=headers
    )
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return await client.post("/mcp", json=message, headers=headers)


def call(name: str, **arguments: Any) -> tuple[str, dict[str, Any]]:
    return "tools/call", {"name": f"own_{name}", "arguments": arguments}


REFUSED = [
    (call("often"), 429, "2", {"retryAfter": 1.2}),
    (call("down"), 503, None, None),
    (call("fine"), 429, "30", {"retryAfter": 30}),
    (("resources/read", {"uri": "busy://it"}), 429, "0", {"retryAfter": 0}),
    (("prompts/get", {"name": "own_ask"}), 503, "3600", {"retryAfter": 3600}),
    (call("own", code=429, data={"retryAfter": 7}), 429, "7", {"retryAfter": 7}),
    (call("own", code=503, data={"retryAfter": "soon"}), 503, None, {"retryAfter": "soon"}),
    (call("own", code=503, data={"retryAfter": -1}), 503, None, {"retryAfter": -1}),
    (call("own", code=503, data={"retryAfter": 1e300}), 503, None, {"retryAfter": 1e300}),
    (call("own", code=503, data=[1]), 503, None, [1]),
    (call("own", code=402), 200, None, None),
]


@pytest.mark.parametrize("ask", [modern, legacy])
@pytest.mark.parametrize(("asked", "status", "after", "data"), REFUSED)
async def test_a_refusal_is_a_status_of_http(
    plugin: Plugin, ask: Any, asked: Any, status: int, after: str | None, data: Any
) -> None:
    async with serving(plugin) as (_, client):
        method, params = asked
        response = await ask(client, method, **params)

    assert response.status_code == status
    assert response.headers.get("retry-after") == after
    error = response.json()["error"]
    assert error["code"] == (402 if status == 200 else status)
    assert error.get("data") == data


@pytest.mark.parametrize("ask", [modern, legacy])
async def test_in_a_stream_that_has_begun_it_is_an_event(plugin: Plugin, ask: Any) -> None:
    method, params = call("late")
    params["_meta"] = {"progressToken": 1}
    async with serving(plugin) as (_, client):
        response = await ask(client, method, **params)

    assert response.status_code == 200
    last = [line for line in response.text.splitlines() if line.startswith("data: {")][-1]
    error = json.loads(last.removeprefix("data: "))["error"]
    assert (error["code"], error["data"]) == (429, {"retryAfter": 1})


async def test_a_server_that_stops_says_when_another_is_there(plugin: Plugin) -> None:
    async with serving(plugin) as (running, client):
        running.stop()
        method, params = call("fine")
        responses = [await modern(client, method, **params), await initialize(client)]

    assert [response.status_code for response in responses] == [503, 503]
    assert [response.headers["retry-after"] for response in responses] == ["5", "5"]


async def test_too_many_sessions_are_told_when_to_come_back(plugin: Plugin) -> None:
    async with serving(plugin, max_sessions=1) as (running, client):
        with running.clients.connected("another") as place:
            assert place is not None
            refused = await initialize(client)
        welcome = await initialize(client)

    assert welcome.status_code == 200
    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "10"
    assert refused.json()["error"]["code"] == 503


async def test_without_http_it_is_a_plain_error(plugin: Plugin) -> None:
    async with connect(own=plugin) as client:
        with pytest.raises(MCPError) as caught:
            await client.call_tool("own_often")

    assert (caught.value.error.code, caught.value.error.message) == (429, "Too often")
    assert caught.value.error.data == {"retryAfter": 1.2}
