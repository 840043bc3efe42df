"""Containment: plugin code that tries to end the server ends its own call."""

import asyncio
import sys
from collections.abc import Callable
from typing import Annotated, Any

import anyio
import mcp_types as types
import pytest
from mcp.server.extension import Extension as SDKExtension
from mcp.server.extension import MethodBinding
from mcp.server.mcpserver import MCPServer, Resolve
from mcp.shared.exceptions import MCPError

from mcpkit import Call, CallNext, Extension, Method, Plugin
from mcpkit.core.containment import contain
from mcpkit.core.errors import HandlerExitedError
from mcpkit.testing import connect

pytestmark = pytest.mark.anyio

EXITS = {
    "exit": SystemExit(3),
    "interrupt": KeyboardInterrupt(),
    "group": BaseExceptionGroup("several", [SystemExit(3)]),
}


@pytest.fixture(params=EXITS)
def leave(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """A function that tries to end the process."""

    def leave() -> str:
        raise EXITS[request.param]

    return leave


class Leaving(types.RequestParams):
    """Parameters of `acme/leave`."""


def calm() -> str:
    """Answer at once."""
    return "here"


async def assert_alive(client: Any) -> None:
    """Check that another plugin of the same session still answers."""
    answer = await client.call_tool("other_calm", {})
    assert answer.content[0].text == "here"


@pytest.fixture
def other() -> Plugin:
    """A plugin that is not to notice anything."""
    plugin = Plugin()
    plugin.tool(calm)
    return plugin


async def test_a_tool_of_an_adopted_server_ends_its_own_call(
    leave: Callable[..., Any], other: Plugin
) -> None:
    server: MCPServer[Any] = MCPServer("old")

    @server.tool()
    async def run() -> str:
        """Try to end the process."""
        return str(leave())

    with anyio.fail_after(10):
        async with connect(mode="legacy", old=server, other=other) as client:
            result = await client.call_tool("old_run", {})
            await assert_alive(client)

    assert result.is_error


async def test_a_middleware_ends_its_own_call(leave: Callable[..., Any], other: Plugin) -> None:
    bad = Plugin()

    async def middleware(call: Call, call_next: CallNext) -> Any:
        return leave() if call.plugin == "bad" else await call_next(call)

    @bad.hookimpl
    def mcpkit_middleware() -> list[Any]:
        return [middleware]

    bad.tool(calm)
    bad.prompt(lambda: "hello", name="greet", description="Greet.")
    with anyio.fail_after(10):
        async with connect(mode="legacy", bad=bad, other=other) as client:
            result = await client.call_tool("bad_calm", {})
            with pytest.raises(MCPError) as refused:
                await client.get_prompt("bad_greet")
            await assert_alive(client)

    assert result.is_error
    assert refused.value.code == types.INTERNAL_ERROR


async def test_a_method_of_an_extension_ends_its_own_call(
    leave: Callable[..., Any], other: Plugin
) -> None:
    bad = Plugin()

    async def handler(ctx: Any, params: Any) -> Any:
        return leave()

    @bad.hookimpl
    def mcpkit_extensions() -> list[Extension]:
        method = Method(name="acme/leave", params=Leaving, handler=handler)
        return [Extension(identifier="com.example/leave", methods=(method,))]

    await assert_method_fails(bad, other)


async def test_a_method_of_an_adopted_servers_extension_ends_its_own_call(
    leave: Callable[..., Any], other: Plugin
) -> None:
    async def handler(ctx: Any, params: Any) -> Any:
        return leave()

    class Leave(SDKExtension):
        identifier = "com.example/leave"

        def methods(self) -> list[MethodBinding]:
            return [MethodBinding("acme/leave", Leaving, handler)]

    await assert_method_fails(MCPServer("old", extensions=[Leave()]), other)


async def assert_method_fails(bad: object, other: Plugin) -> None:
    """Check that `acme/leave` is an internal error in a session that goes on."""
    request = types.Request[Leaving, str](method="acme/leave", params=Leaving())
    with anyio.fail_after(10):
        async with connect(mode="legacy", bad=bad, other=other) as client:
            with pytest.raises(MCPError) as refused:
                await client.session.send_request(request, types.EmptyResult)
            await assert_alive(client)

    assert refused.value.code == types.INTERNAL_ERROR


async def test_a_function_behind_resolve_ends_its_own_call(
    leave: Callable[..., Any], other: Plugin
) -> None:
    bad = Plugin()

    async def answer() -> str:
        return str(leave())

    @bad.tool()
    def ask(name: Annotated[str, Resolve(answer)]) -> str:
        """Ask first."""
        return name

    with anyio.fail_after(10):
        async with connect(mode="legacy", bad=bad, other=other) as client:
            result = await client.call_tool("bad_ask", {})
            await assert_alive(client)

    assert result.is_error


async def test_the_middleware_and_the_list_of_an_adopted_server_end_nothing(
    leave: Callable[..., Any], other: Plugin
) -> None:
    class Server(MCPServer[Any]):
        is_up = False

        async def list_tools(self) -> list[types.Tool]:
            return leave() if self.is_up else await super().list_tools()

    async def middleware(ctx: Any, call_next: Any) -> Any:
        return leave()

    server = Server("old")
    server.tool()(calm)
    server.middleware.append(middleware)
    with anyio.fail_after(10):
        async with connect(mode="legacy", old=server, other=other) as client:
            server.is_up = True
            listed = await client.list_tools()
            result = await client.call_tool("old_calm", {})
            await assert_alive(client)

    assert "other_calm" in [tool.name for tool in listed.tools]
    assert result.is_error


async def test_a_cancellation_from_outside_goes_on() -> None:
    async def leave_when_cancelled() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            sys.exit(3)

    for function in (anyio.sleep_forever, leave_when_cancelled):
        with anyio.move_on_after(0) as scope:
            await contain(function)
        assert scope.cancelled_caught


async def test_a_function_that_cancels_itself_is_broken() -> None:
    async def cancel() -> None:
        raise anyio.get_cancelled_exc_class()

    with pytest.raises(HandlerExitedError):
        await contain(cancel)


async def test_a_middleware_may_limit_time_by_asyncio() -> None:
    plugin = Plugin()

    async def limit(call: Call, call_next: CallNext) -> Any:
        try:
            async with asyncio.timeout(0.05):
                return await call_next(call)
        except TimeoutError:
            text = types.TextContent(text="too late")
            return types.CallToolResult(content=[text], is_error=True)

    @plugin.hookimpl
    def mcpkit_middleware() -> list[Any]:
        return [limit]

    @plugin.tool()
    async def wait() -> str:
        """Wait for ever."""
        await anyio.sleep_forever()
        return ""

    @plugin.tool()
    async def cancel() -> str:
        """Cancel its own task."""
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await anyio.sleep_forever()
        return ""

    plugin.tool(calm)
    with anyio.fail_after(10):
        async with connect(mode="legacy", own=plugin) as client:
            late = await client.call_tool("own_wait", {})
            broken = await client.call_tool("own_cancel", {})
            alive = await client.call_tool("own_calm", {})

    assert late.content[0].text == "too late"  # type: ignore[union-attr]
    assert broken.is_error
    assert alive.content[0].text == "here"  # type: ignore[union-attr]
