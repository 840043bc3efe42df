"""Calls and reads of a handler on behalf of its client."""

import threading
from typing import Annotated, Any

import anyio
import anyio.from_thread
import mcp_types as types
import pytest
from mcp.server.mcpserver import Elicit, Resolve
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel

from mcpkit import Context, Plugin, RateLimitedError, ToolError
from mcpkit.testing import connect

pytestmark = pytest.mark.anyio

ERAS = pytest.mark.parametrize("mode", ["auto", "legacy"])


class Name(BaseModel):
    name: str


def who() -> Elicit[Name]:
    return Elicit("Who?", Name)


def make_shop() -> Plugin:
    plugin = Plugin()

    @plugin.tool
    def price(product: str) -> int:
        """Tell a price."""
        if product == "air":
            raise ToolError("Air has no price: ask for something else")
        if product == "crash":
            raise RuntimeError("the secret is 42")
        if product == "busy":
            raise RateLimitedError("Too many", retry_after=7)
        return len(product)

    @plugin.tool(timeout=0.05)
    async def hang() -> str:
        """Never return."""
        await anyio.sleep_forever()
        return "never"

    @plugin.tool
    def greet(name: Annotated[Name, Resolve(who)]) -> str:
        """Greet whom the user names."""
        return f"Hello {name.name}"

    @plugin.tool(task="optional")
    def grind() -> str:
        """Take long."""
        return "ground"

    @plugin.resource("shop://mirror")
    async def mirror(ctx: Context) -> str:
        """Read itself."""
        return str(list(await ctx.read_resource("shop://mirror")))

    return plugin


def make_desk() -> Plugin:
    plugin = Plugin()

    @plugin.tool
    async def ask(tool: str, arguments: dict[str, Any], ctx: Context) -> dict[str, Any]:
        """Call any tool of the server."""
        return (await ctx.call_tool(tool, arguments)).structured_content or {}

    @plugin.tool
    def ask_from_thread(tool: str, arguments: dict[str, Any], ctx: Context) -> dict[str, Any]:
        """Call any tool of the server, from a sync function."""
        result = anyio.from_thread.run(ctx.call_tool, tool, arguments)
        return result.structured_content or {}

    @plugin.tool(task="optional")
    async def ask_in_task(tool: str, ctx: Context) -> dict[str, Any]:
        """Call any tool of the server, as a task."""
        return (await ctx.call_tool(tool)).structured_content or {}

    return plugin


async def ask(client: Any, tool: str, **arguments: Any) -> types.CallToolResult:
    given = {"tool": tool, "arguments": arguments}
    result: types.CallToolResult = await client.call_tool("desk_ask", given)
    return result


@ERAS
async def test_a_handler_calls_a_tool_of_another_plugin_by_its_exposed_name(mode: Any) -> None:
    shop, prefix = make_shop(), {"prefix": "store"}
    async with connect(shop=shop, desk=make_desk(), settings={"shop": prefix}, mode=mode) as client:
        result = await ask(client, "store_price", product="tea")

    assert result.structured_content == {"result": 3}


@ERAS
@pytest.mark.parametrize(
    ("tool", "arguments", "told"),
    [
        ("shop_prize", {}, "Unknown tool 'shop_prize'. Did you mean 'shop_price'?"),
        ("shop_price", {}, "product"),
        ("shop_price", {"product": "tea", "size": 1}, "size is not known"),
        ("shop_price", {"product": "air"}, "Air has no price"),
        ("shop_price", {"product": "crash"}, "Internal error in tool 'shop_price'"),
        ("shop_hang", {}, "did not finish within 0.05 s"),
    ],
)
async def test_what_fails_in_a_nested_call_is_told_by_its_caller(
    mode: Any, tool: str, arguments: dict[str, Any], told: str
) -> None:
    async with connect(shop=make_shop(), desk=make_desk(), mode=mode) as client:
        result = await ask(client, tool, **arguments)

    assert result.is_error
    assert told in result.content[0].text  # type: ignore[union-attr]
    assert "42" not in str(result)


@ERAS
async def test_a_nested_call_that_is_refused_for_a_while_refuses_its_caller(mode: Any) -> None:
    async with connect(shop=make_shop(), desk=make_desk(), mode=mode) as client:
        with pytest.raises(MCPError) as refused:
            await ask(client, "shop_price", product="busy")

    assert refused.value.error.code == 429
    assert refused.value.error.data == {"retryAfter": 7}


async def test_middleware_stands_around_nested_calls() -> None:
    desk = make_desk()

    async def no_prices(call: Any, call_next: Any) -> Any:
        if call.name == "shop_price":
            raise ToolError("Prices are a secret")
        return await call_next(call)

    @desk.hookimpl
    def mcpkit_middleware(settings: Any) -> list[Any]:
        return [no_prices]

    async with connect(shop=make_shop(), desk=desk) as client:
        result = await ask(client, "shop_price", product="tea")

    assert "Prices are a secret" in str(result.content)


async def test_a_sync_handler_calls_a_tool() -> None:
    async with connect(shop=make_shop(), desk=make_desk()) as client:
        given = {"tool": "shop_price", "arguments": {"product": "tea"}}
        result = await client.call_tool("desk_ask_from_thread", given)

    assert result.structured_content == {"result": 3}


async def test_sync_handlers_that_fill_their_threads_call_sync_tools_of_their_plugin() -> None:
    desk, results = make_desk(), []
    all_run = threading.Barrier(2, timeout=5)

    @desk.tool
    def meet(ctx: Context) -> dict[str, Any]:
        """Call a sync tool by way of another one, when all threads are in use."""
        all_run.wait()
        deeper = {"tool": "desk_add", "arguments": {"a": 1}}
        result = anyio.from_thread.run(ctx.call_tool, "desk_ask_from_thread", deeper)
        return result.structured_content or {}

    @desk.tool
    def add(a: int) -> int:
        """Add one."""
        return a + 1

    async def meet_now(client: Any) -> None:
        results.append((await client.call_tool("desk_meet", {})).structured_content)

    async with connect(desk=desk, settings={"desk": {"call_threads": 2}}) as client:
        with anyio.fail_after(5):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(meet_now, client)
                tasks.start_soon(meet_now, client)

    assert results == [{"result": 2}, {"result": 2}]


@pytest.mark.parametrize("tool", ["desk_ask", "desk_ask_from_thread"])
async def test_tools_that_call_themselves_come_to_an_end(tool: str) -> None:
    async with connect(desk=make_desk()) as client:
        arguments: dict[str, Any] = {}
        for _ in range(20):
            arguments = {"tool": tool, "arguments": arguments}
        result = await client.call_tool(tool, arguments)

    assert "more than 8 deep" in str(result.content)


async def test_a_resource_that_reads_itself_comes_to_an_end() -> None:
    async with connect(shop=make_shop()) as client:
        with pytest.raises(MCPError, match="more than 8 deep"):
            await client.read_resource("shop://mirror")


async def test_a_nested_call_asks_the_user_where_that_needs_no_further_round() -> None:
    async def answer(context: Any, params: Any) -> types.ElicitResult:
        return types.ElicitResult(action="accept", content={"name": "Kari"})

    client_options = {"elicitation_callback": answer}
    results = {}
    for mode in ("auto", "legacy"):
        async with connect(
            shop=make_shop(),
            desk=make_desk(),
            mode=mode,
            client=client_options,
        ) as client:
            results[mode] = await ask(client, "shop_greet")

    assert results["legacy"].structured_content == {"result": "Hello Kari"}
    assert "asks for input, which only its client gives" in str(results["auto"].content)


async def test_a_tool_that_may_be_a_task_runs_within_the_call_of_its_caller() -> None:
    async with connect(shop=make_shop(), desk=make_desk()) as client:
        plain = await ask(client, "shop_grind")
        task = await client.call_tool("desk_ask_in_task", {"tool": "shop_grind"})

    assert plain.structured_content == {"result": "ground"}
    assert task.structured_content == {"result": "ground"}
