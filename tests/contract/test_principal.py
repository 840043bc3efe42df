"""`ctx.principal`: the API key of a call, over every transport, with a real process."""

import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx2
import mcp
import mcp_types as types
import pytest
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

from mcpkit.testing import FollowTasks
from tests.conftest import ServerProcess, environment, start_server
from tests.contract.conftest import websocket_client, write_plugin

pytestmark = [pytest.mark.anyio, pytest.mark.contract]

KEYS = {"alice": "alice-" * 5, "bob": "bob-" * 8}

PLUGIN = """
    @plugin.tool
    async def who(ctx: Context) -> str | None:
        \"\"\"Tell who calls.\"\"\"
        return ctx.principal

    @plugin.tool
    def who_in_thread(ctx: Context) -> str | None:
        \"\"\"Tell who calls, in a thread.\"\"\"
        return ctx.principal

    @plugin.tool(task="optional")
    async def who_in_task(ctx: Context) -> str | None:
        \"\"\"Tell who calls, in a task.\"\"\"
        await ctx.report_progress(1)
        return ctx.principal

    @plugin.tool
    async def who_within(ctx: Context) -> str:
        \"\"\"Tell who calls, by another tool and a resource.\"\"\"
        called = await ctx.call_tool("me_who")
        (read,) = await ctx.read_resource("me://name")
        return f"{called.structured_content['result']} {read.content}"

    @plugin.resource("me://name")
    def name(ctx: Context) -> str:
        \"\"\"Who reads.\"\"\"
        return str(ctx.principal)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("principal")
    arguments = ["--port", "0"]
    for transport in ("streamable-http", "sse", "websocket"):
        arguments += ["-t", transport]
    for client, key in KEYS.items():
        arguments += ["--set", f"auth.api_keys.{client}={key}"]
    env = environment(write_plugin(folder / "site", "me", PLUGIN))
    process = start_server(tuple(arguments), env, folder)
    try:
        yield process
    finally:
        process.close()


@asynccontextmanager
async def connected(
    server: ServerProcess, transport: str, mode: Any, key: str
) -> AsyncIterator[mcp.Client]:
    headers, url = {"X-API-Key": key}, server.url(transport)
    options: dict[str, Any] = {"mode": mode, "extensions": [FollowTasks()]}
    async with httpx2.AsyncClient(headers=headers) as http:
        target: Any = {
            "streamable-http": lambda: streamable_http_client(url, http_client=http),
            "sse": lambda: sse_client(url, headers=headers),
            "websocket": lambda: websocket_client(url, additional_headers=headers),
        }[transport]()
        async with mcp.Client(target, **options) as client:
            yield client


async def names(client: mcp.Client) -> set[str]:
    tools = ("me_who", "me_who_in_thread", "me_who_in_task")
    results: list[types.CallToolResult] = [await client.call_tool(tool) for tool in tools]
    read = await client.read_resource("me://name")
    within = (await client.call_tool("me_who_within")).structured_content or {}
    return {
        *((result.structured_content or {})["result"] for result in results),
        *within["result"].split(),
        read.contents[0].text,  # type: ignore[union-attr]
    }


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize("transport", ["streamable-http", "sse", "websocket"])
async def test_a_handler_learns_the_name_of_the_key(
    server: ServerProcess, transport: str, mode: Any
) -> None:
    with anyio.fail_after(30):
        async with (
            connected(server, transport, mode, KEYS["alice"]) as alice,
            connected(server, transport, mode, KEYS["bob"]) as bob,
        ):
            found = [await names(alice), await names(bob), await names(alice)]

    assert found == [{"alice"}, {"bob"}, {"alice"}]


async def test_without_keys_nobody_is_known(tmp_path: Path) -> None:
    env = environment(write_plugin(tmp_path / "site", "me", PLUGIN))
    command = mcp.StdioServerParameters(
        command=sys.executable, args=["-m", "mcpkit", "serve"], env=env
    )
    async with mcp.Client(command) as client:
        result = await client.call_tool("me_who")

    assert result.structured_content == {"result": None}
