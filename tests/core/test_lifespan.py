"""Lifespans: opened side by side, closed in reverse, and nobody's failure but their own."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import mcp
import pytest
from mcp.shared.exceptions import MCPError

from mcpkit import Context, Plugin
from mcpkit.core.assembly import build
from mcpkit.core.contributions import Health
from mcpkit.core.errors import PluginError
from mcpkit.core.settings import Settings
from mcpkit.core.status import Stage, Status

pytestmark = pytest.mark.anyio


def plugin_with(lifespan: Any = None) -> Plugin:
    plugin = Plugin()
    if lifespan is not None:
        plugin.lifespan(lifespan)

    @plugin.tool()
    def answer() -> int:
        """Answer."""
        return 42

    return plugin


async def test_lifespans_open_before_the_first_call_and_close_in_reverse() -> None:
    events: list[str] = []

    def note(name: str) -> Any:
        @asynccontextmanager
        async def lifespan(settings: Any) -> AsyncIterator[None]:
            events.append(f"open {name}")
            yield
            events.append(f"close {name}")

        return lifespan

    objects = {name: plugin_with(note(name)) for name in ("a", "b", "c")}
    async with build(Settings(), plugins=False, objects=objects).running():
        events.append("serve")

    assert sorted(events[:3]) == ["open a", "open b", "open c"]
    assert events[3:] == ["serve", "close c", "close b", "close a"]


@asynccontextmanager
async def raises(settings: Any) -> AsyncIterator[None]:
    raise RuntimeError("no database")
    yield


@asynccontextmanager
async def exits(settings: Any) -> AsyncIterator[None]:
    raise SystemExit(4)
    yield


@asynccontextmanager
async def hangs(settings: Any) -> AsyncIterator[None]:
    await anyio.sleep_forever()
    yield


@asynccontextmanager
async def interrupts(settings: Any) -> AsyncIterator[None]:
    raise KeyboardInterrupt
    yield


@asynccontextmanager
async def cancels_itself(settings: Any) -> AsyncIterator[None]:
    raise asyncio.CancelledError
    yield


def exits_at_once(settings: Any) -> None:
    raise SystemExit(5)


class MuteError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


@asynccontextmanager
async def mumbles(settings: Any) -> AsyncIterator[None]:
    raise MuteError
    yield


async def no_context_manager(settings: Any) -> AsyncIterator[None]:
    yield


@pytest.mark.parametrize(
    ("lifespan", "said"),
    [
        (raises, "RuntimeError: no database"),
        (exits, "SystemExit"),
        (hangs, "did not start within 0.1 s"),
        (interrupts, "Its lifespan raised KeyboardInterrupt"),
        (cancels_itself, "Its lifespan raised CancelledError"),
        (exits_at_once, "'mcpkit_lifespan' raised SystemExit: 5"),
        (mumbles, "MuteError (its text cannot be read)"),
        (no_context_manager, "not an async context manager"),
    ],
)
async def test_a_lifespan_that_does_not_start_costs_its_plugin_alone(
    lifespan: Any, said: str
) -> None:
    settings = Settings.model_validate({"lifespan": {"startup_timeout": 0.1}})
    objects = {"bad": plugin_with(lifespan), "good": plugin_with()}
    app = build(settings, plugins=False, objects=objects)

    with anyio.fail_after(5):
        async with app.running() as running, mcp.Client(running.server) as client:
            tools = [tool.name for tool in (await client.list_tools()).tools]
            brief, report = await running.report(), await running.report(in_full=True)

    assert tools == ["bad_answer", "good_answer"]
    record = app.records[0]
    assert (record.status, record.stage) == (Status.FAILED, Stage.LIFESPAN)
    assert record.error is not None
    assert said in record.error.message
    assert (report["ready"], report["status"]) == (True, "degraded")
    assert said in report["plugins"]["bad"]["reason"]
    assert "no database" not in str(brief)


async def test_a_strict_plugin_whose_lifespan_fails_stops_the_start() -> None:
    settings = Settings.model_validate({"plugins": {"bad": {"strict": True}}})
    app = build(settings, plugins=False, objects={"bad": plugin_with(raises)})

    with pytest.raises(PluginError, match="no database"):
        async with app.running():
            pytest.fail("the server started")


async def test_a_lifespan_that_ends_while_serving_retires_its_plugin() -> None:
    crash = anyio.Event()

    @asynccontextmanager
    async def fragile(settings: Any) -> AsyncIterator[None]:
        async def background() -> None:
            await crash.wait()
            raise RuntimeError("connection lost")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(background)
            yield
            tasks.cancel_scope.cancel()

    changed = anyio.Event()

    async def on_message(message: Any) -> None:
        if getattr(message, "method", "") == "notifications/tools/list_changed":
            changed.set()

    objects = {"fragile": plugin_with(fragile), "good": plugin_with()}
    app = build(Settings(), plugins=False, objects=objects)
    async with (
        app.running() as running,
        mcp.Client(running.server, mode="legacy", message_handler=on_message) as client,
    ):
        before = [tool.name for tool in (await client.list_tools()).tools]
        crash.set()
        with anyio.fail_after(5):
            await changed.wait()
        after = [tool.name for tool in (await client.list_tools(cache_mode="bypass")).tools]

    assert before == ["fragile_answer", "good_answer"]
    assert after == ["good_answer"]
    assert app.records[0].status is Status.FAILED


async def test_a_lifespan_that_hangs_at_the_end_is_given_up() -> None:
    @asynccontextmanager
    async def clings(settings: Any) -> AsyncIterator[None]:
        yield
        await anyio.sleep_forever()

    settings = Settings.model_validate({"lifespan": {"shutdown_timeout": 0.1}})
    app = build(settings, plugins=False, objects={"clings": plugin_with(clings)})

    with anyio.fail_after(5):
        async with app.running():
            pass


async def test_health_of_plugins_is_in_the_report() -> None:
    plugin, broken = plugin_with(), plugin_with()

    @plugin.hookimpl
    def mcpkit_health(state: Any) -> Health:
        return Health(ready=True, message="All well", data={"documents": 3})

    def raising(state: Any) -> Health:
        raise RuntimeError("lost")

    raising.__name__ = "mcpkit_health"
    broken.hookimpl(raising)
    settings = Settings.model_validate({"plugins": {"broken": {"strict": True}}})
    app = build(settings, plugins=False, objects={"well": plugin, "broken": broken})
    async with app.running() as running:
        report = await running.report()

    assert report["plugins"]["well"]["message"] == "All well"
    assert report["plugins"]["well"]["data"] == {"documents": 3}
    assert report["plugins"]["broken"]["ready"] is False
    assert (report["ready"], report["status"]) == (False, "degraded")


async def test_what_fails_in_the_body_comes_out_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError):
        async with build(Settings(), plugins=False, objects={"a": plugin_with()}).running():
            1 / 0  # noqa: B018


async def test_a_lifespan_that_takes_long_keeps_nobody_else_waiting() -> None:
    go_on = anyio.Event()

    @asynccontextmanager
    async def slow(settings: Any) -> AsyncIterator[str]:
        await go_on.wait()
        yield "open"

    plugin = Plugin()
    plugin.lifespan(slow)

    @plugin.tool()
    async def state(ctx: Context) -> str:
        """Tell the state."""
        return str(ctx.state)

    app = build(Settings(), plugins=False, objects={"slow": plugin, "good": plugin_with()})
    states: list[Any] = []
    async with app.running() as running, mcp.Client(running.server) as client:
        good = await client.call_tool("good_answer", {})
        before = await running.report()

        async def ask() -> None:
            states.append((await client.call_tool("slow_state", {})).structured_content)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await client.call_tool("good_answer", {})
            assert states == []
            go_on.set()
        after = await running.report()

    assert good.structured_content == {"result": 42}
    assert (before["ready"], before["status"]) == (True, "starting")
    assert before["plugins"]["slow"]["status"] == "starting"
    assert states == [{"result": "open"}]
    assert (after["ready"], after["status"]) == (True, "ok")


async def call_at_last(client: mcp.Client, tool: str) -> Any:
    """Call a tool until its plugin has started."""
    with anyio.fail_after(10):
        while True:
            with contextlib.suppress(MCPError):
                return (await client.call_tool(tool, {})).structured_content
            await anyio.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize("is_late", [False, True])
async def test_a_plugin_whose_first_start_failed_is_tried_again(is_late: bool) -> None:
    go_on, opened, needed = anyio.Event(), 0, 2 if is_late else 3

    @asynccontextmanager
    async def lifespan(settings: Any) -> AsyncIterator[str]:
        nonlocal opened
        opened += 1
        if opened < needed:
            await go_on.wait()
            raise RuntimeError("no database")
        yield "connected"

    plugin = plugin_with(lifespan)

    @plugin.tool()
    async def state(ctx: Context) -> str:
        """Tell the state."""
        return str(ctx.state)

    @plugin.hookimpl
    def mcpkit_routes(settings: Any) -> list[Any]:
        return []

    app = build(Settings(), plugins=False, objects={"shaky": plugin})
    if not is_late:
        go_on.set()
    async with app.running() as running, mcp.Client(running.server) as client:
        go_on.set()
        with pytest.raises(MCPError, match="tried again"):
            await client.call_tool("shaky_state", {})
        tools = [tool.name for tool in (await client.list_tools()).tools]
        failed = app.records[0].status
        answer = await call_at_last(client, "shaky_state")

    assert (tools, failed) == (["shaky_answer", "shaky_state"], Status.FAILED)
    assert answer == {"result": "connected"}
    assert (app.records[0].status, app.records[0].error, opened) == (Status.LOADED, None, needed)


@pytest.mark.parametrize("is_late", [False, True])
async def test_a_plugin_that_is_composed_at_the_start_is_not_tried_again(is_late: bool) -> None:
    go_on, retired = anyio.Event(), anyio.Event()

    @asynccontextmanager
    async def fails(settings: Any) -> AsyncIterator[None]:
        await go_on.wait()
        raise RuntimeError("no database")
        yield

    async def pass_by(call: Any, call_next: Any) -> Any:
        return await call_next(call)

    def mcpkit_middleware(settings: Any) -> list[Any]:
        return [pass_by]

    async def on_message(message: Any) -> None:
        if getattr(message, "method", "") == "notifications/tools/list_changed":
            retired.set()

    bound = plugin_with(fails)
    bound.hookimpl(mcpkit_middleware)
    app = build(Settings(), plugins=False, objects={"bound": bound, "good": plugin_with()})
    if not is_late:
        go_on.set()
    async with (
        app.running() as running,
        mcp.Client(running.server, mode="legacy", message_handler=on_message) as client,
    ):
        if is_late:
            await client.list_tools()  # this session wants to know of changes
            go_on.set()
            with anyio.fail_after(5):
                await retired.wait()
        tools = [tool.name for tool in (await client.list_tools(cache_mode="bypass")).tools]

    assert tools == ["good_answer"]
    assert "no database" in str(app.records[0].error)


async def test_a_strict_plugin_is_waited_for() -> None:
    opened = False

    @asynccontextmanager
    async def slow(settings: Any) -> AsyncIterator[None]:
        nonlocal opened
        await anyio.sleep(1)  # longer than others are waited for
        opened = True
        yield

    settings = Settings.model_validate({"plugins": {"slow": {"strict": True}}})
    async with build(settings, plugins=False, objects={"slow": plugin_with(slow)}).running() as run:
        assert opened
        assert (await run.report())["status"] == "ok"
