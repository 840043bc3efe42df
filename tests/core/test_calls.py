"""What clients and models see of calls, good and bad, in both protocol eras."""

import logging
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Annotated, Any

import anyio
import mcp_types as types
import pytest
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel, Field

from mcpkit import (
    Context,
    Plugin,
    PluginSettings,
    PromptError,
    ResourceError,
    ResourceNotFoundError,
    ToolError,
)
from mcpkit.core.contributions import Call, CallNext
from mcpkit.testing import connect

pytestmark = pytest.mark.anyio

ERAS = pytest.mark.parametrize("mode", ["auto", "legacy"])


class DemoSettings(PluginSettings):
    greeting: str = "Hello"


@dataclass
class DemoState:
    calls: int = 0


class Weather(BaseModel):
    celsius: float = Field(description="Air temperature in °C")


def make_plugin() -> Plugin:
    plugin = Plugin(settings=DemoSettings, instructions="Greet people politely.")

    @plugin.lifespan
    @asynccontextmanager
    async def lifespan(settings: DemoSettings) -> AsyncIterator[DemoState]:
        yield DemoState()

    @plugin.tool(annotations=types.ToolAnnotations(read_only_hint=True), meta={"demo/x": 1})
    def add(first: Annotated[int, Field(description="One number")], second: int = 2) -> int:
        """Add two numbers."""
        return first + second

    @plugin.tool()
    async def greet(name: str, ctx: Context[DemoSettings, DemoState]) -> str:
        """Greet somebody."""
        ctx.state.calls += 1
        await ctx.report_progress(1, 2, "halfway")
        return f"{ctx.settings.greeting} {name} ({ctx.state.calls})"

    @plugin.tool()
    def weather() -> Weather:
        """Tell the weather."""
        return Weather(celsius=3.5)

    @plugin.tool()
    async def quote(uri: str, ctx: Context) -> str:
        """Quote a resource."""
        return "".join(str(part.content) for part in await ctx.read_resource(uri))

    @plugin.tool()
    def refuse() -> str:
        """Refuse on purpose."""
        raise ToolError("Ask for something else")

    @plugin.tool()
    def crash() -> str:
        """Fail by accident."""
        raise RuntimeError("the secret is 42")

    @plugin.tool()
    def leave() -> str:
        """Try to end the process."""
        sys.exit(3)

    @plugin.tool()
    async def leave_async() -> str:
        """Try to end the process from the event loop."""
        raise SystemExit(3)

    @plugin.tool()
    async def cancel_itself() -> str:
        """Raise a cancellation that nobody asked for."""
        raise anyio.get_cancelled_exc_class()

    @plugin.tool(timeout=0.05)
    async def hang() -> str:
        """Never return."""
        await anyio.sleep_forever()
        return "never"

    @plugin.tool()
    def lie() -> int:
        """Return what the schema forbids."""
        return "not a number"  # type: ignore[return-value]

    @plugin.resource("demo://motto")
    def motto(ctx: Context[DemoSettings, DemoState]) -> str:
        """The motto."""
        return ctx.settings.greeting

    @plugin.resource("demo://bytes", mime_type="application/octet-stream")
    def raw() -> bytes:
        """Some bytes."""
        return b"\x00\x01"

    @plugin.resource("demo://people/{name}")
    async def person(name: str) -> dict[str, str]:
        """One person."""
        if name == "nobody":
            raise ResourceNotFoundError("There is nobody of that name")
        if name == "ill":
            raise ResourceError("That person is ill")
        if name == "crash":
            raise RuntimeError("the secret is 42")
        return {"name": name}

    @plugin.prompt()
    def introduce(name: Annotated[str, Field(description="Whom")], times: int = 1) -> str:
        """Introduce somebody."""
        if name == "nobody":
            raise PromptError("Name somebody")
        if name == "crash":
            raise RuntimeError("the secret is 42")
        return f"Introduce {name} {times} times"

    @plugin.completion()
    def complete(ref: Any, argument: Any, context: Any, ctx: Context) -> list[str]:
        if argument.value == "crash":
            raise RuntimeError("the secret is 42")
        owner = ref.name if ref.type == "ref/prompt" else ref.uri
        return [f"{owner}/{argument.value}{number}" for number in range(200)]

    return plugin


@ERAS
async def test_a_tool_answers_with_text_and_structure(mode: Any) -> None:
    async with connect(demo=make_plugin(), mode=mode) as client:
        result = await client.call_tool("demo_add", {"first": 1})
        weather = await client.call_tool("demo_weather", {})

    assert result.structured_content == {"result": 3}
    assert weather.structured_content == {"celsius": 3.5}


@ERAS
async def test_listed_tools_carry_schema_annotations_and_meta(mode: Any) -> None:
    async with connect(demo=make_plugin(), mode=mode) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}

    add = tools["demo_add"]
    assert add.description == "Add two numbers."
    assert add.input_schema["additionalProperties"] is False
    assert add.input_schema["properties"]["first"]["description"] == "One number"
    assert add.annotations is not None
    assert add.annotations.read_only_hint is True
    assert add.meta is not None
    assert add.meta["demo/x"] == 1
    output = tools["demo_weather"].output_schema
    assert output is not None
    assert output["properties"]["celsius"]["description"] == "Air temperature in °C"
    assert list(tools) == sorted(tools)


@ERAS
async def test_a_handler_reads_its_settings_and_state_and_reports_progress(mode: Any) -> None:
    seen: list[tuple[float, float | None]] = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        seen.append((done, total))

    async with connect(
        demo=make_plugin(), settings={"demo": {"greeting": "Hei"}}, mode=mode
    ) as client:
        await client.call_tool("demo_greet", {"name": "Kari"})
        result = await client.call_tool("demo_greet", {"name": "Ola"}, progress_callback=progress)

    assert result.content[0].text == "Hei Ola (2)"  # type: ignore[union-attr]
    assert seen == [(1, 2)]


@ERAS
@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("add", {}, "first is required"),
        ("add", {"first": "many"}, "first must be an integer"),
        ("add", {"first": 1, "secnd": 2}, "Did you mean 'second'?"),
        ("refuse", {}, "Ask for something else"),
        ("hang", {}, "did not finish within 0.05 s"),
        ("quote", {"uri": "demo://moto"}, "Did you mean 'demo://motto'?"),
    ],
)
async def test_the_model_reads_what_to_do_instead(
    mode: Any, tool: str, arguments: dict[str, Any], said: str
) -> None:
    async with connect(demo=make_plugin(), mode=mode) as client:
        result = await client.call_tool(f"demo_{tool}", arguments)

    assert result.is_error
    text = result.content[0].text  # type: ignore[union-attr]
    assert said in text
    assert "pydantic" not in text


@ERAS
@pytest.mark.parametrize("tool", ["crash", "leave", "leave_async", "cancel_itself", "lie"])
async def test_a_crash_tells_the_client_nothing_and_the_operator_everything(
    mode: Any, tool: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with connect(demo=make_plugin(), mode=mode) as client:
        result = await client.call_tool(f"demo_{tool}", {})
        alive = await client.call_tool("demo_add", {"first": 1})

    assert result.is_error
    assert result.content[0].text == f"Internal error in tool 'demo_{tool}'"  # type: ignore[union-attr]
    assert alive.structured_content == {"result": 3}
    crashes = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [record.exc_info is not None for record in crashes] == [True]
    assert "'demo'" in crashes[0].getMessage()


@ERAS
async def test_arguments_stay_out_of_the_log(mode: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "mcpkit")
    async with connect(demo=make_plugin(), mode=mode) as client:
        await client.call_tool("demo_add", {"first": "my-password"})

    assert "ArgumentsError" in caplog.text
    assert "my-password" not in caplog.text


@ERAS
@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda client: client.call_tool("demo_ad", {}), "Did you mean 'demo_add'?"),
        (lambda client: client.get_prompt("demo_introdce", {}), "Did you mean 'demo_introduce'?"),
        (lambda client: client.get_prompt("demo_introduce", {}), "name is required"),
        (
            lambda client: client.get_prompt("demo_introduce", {"name": "A", "tims": "2"}),
            "Did you mean 'times'?",
        ),
        (
            lambda client: client.get_prompt("demo_introduce", {"name": "A", "times": "x"}),
            "times must be an integer",
        ),
        (lambda client: client.get_prompt("demo_introduce", {"name": "nobody"}), "Name somebody"),
        (lambda client: client.read_resource("demo://moto"), "Did you mean 'demo://motto'?"),
        (lambda client: client.read_resource("demo://people/nobody"), "nobody of that name"),
        (lambda client: client.read_resource("demo://people/..%2Fetc"), "is not allowed"),
    ],
)
async def test_a_wrong_request_is_invalid_params(
    mode: Any, ask: Callable[..., Any], said: str
) -> None:
    async with connect(demo=make_plugin(), mode=mode) as client:
        with pytest.raises(MCPError) as caught:
            await ask(client)

    assert caught.value.code == types.INVALID_PARAMS
    assert said in caught.value.message


@ERAS
@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda client: client.read_resource("demo://people/ill"), "That person is ill"),
        (
            lambda client: client.read_resource("demo://people/crash"),
            "Internal error in resource 'demo://people/crash'",
        ),
        (
            lambda client: client.get_prompt("demo_introduce", {"name": "crash"}),
            "Internal error in prompt 'demo_introduce'",
        ),
        (
            lambda client: client.complete(
                types.PromptReference(name="demo_introduce"), {"name": "name", "value": "crash"}
            ),
            "Internal error in completion 'demo_introduce'",
        ),
    ],
)
async def test_what_fails_here_is_an_internal_error(
    mode: Any, ask: Callable[..., Any], said: str
) -> None:
    async with connect(demo=make_plugin(), mode=mode) as client:
        with pytest.raises(MCPError) as caught:
            await ask(client)

    assert caught.value.code == types.INTERNAL_ERROR
    assert caught.value.message == said


@ERAS
async def test_resources_are_read_as_text_json_and_bytes(mode: Any) -> None:
    async with connect(demo=make_plugin(), mode=mode) as client:
        motto = (await client.read_resource("demo://motto")).contents[0]
        person = (await client.read_resource("demo://people/Kari")).contents[0]
        raw = (await client.read_resource("demo://bytes")).contents[0]
        quoted = await client.call_tool("demo_quote", {"uri": "demo://motto"})

    assert motto.text == "Hello"  # type: ignore[union-attr]
    assert '"Kari"' in person.text  # type: ignore[union-attr]
    assert raw.blob == "AAE="  # type: ignore[union-attr]
    assert quoted.content[0].text == "Hello"  # type: ignore[union-attr]


@ERAS
async def test_prompts_are_rendered_with_typed_arguments(mode: Any) -> None:
    async with connect(demo=make_plugin(), mode=mode) as client:
        listed = (await client.list_prompts()).prompts[0]
        result = await client.get_prompt("demo_introduce", {"name": "Kari", "times": "3"})

    assert [(a.name, a.required) for a in listed.arguments or ()] == [
        ("name", True),
        ("times", False),
    ]
    assert result.messages[0].content.text == "Introduce Kari 3 times"  # type: ignore[union-attr]


@ERAS
async def test_completion_knows_the_plugins_own_name_and_keeps_to_the_limit(mode: Any) -> None:
    async with connect(demo=make_plugin(), mode=mode) as client:
        prompt = await client.complete(
            types.PromptReference(name="demo_introduce"), {"name": "name", "value": "K"}
        )
        template = await client.complete(
            types.ResourceTemplateReference(uri="demo://people/{name}"),
            {"name": "name", "value": "K"},
        )

    assert prompt.completion.values[0] == "introduce/K0"
    assert template.completion.values[0] == "demo://people/{name}/K0"
    assert len(prompt.completion.values) == 100
    assert prompt.completion.total == 200
    assert prompt.completion.has_more is True


async def test_instructions_of_plugins_join_those_of_the_operator() -> None:
    other = Plugin(instructions="Be brief.")

    async with connect(
        demo=make_plugin(), other=other, server={"instructions": "You work for us."}
    ) as client:
        instructions = client.instructions

    assert instructions == "You work for us.\n\nGreet people politely.\n\nBe brief."


async def test_middleware_of_a_plugin_stands_around_the_calls_of_all() -> None:
    seen: list[str] = []
    watcher = Plugin()

    async def watch(call: Call, call_next: CallNext) -> Any:
        seen.append(f"{call.kind} {call.name}")
        if call.name == "demo_refuse":
            raise ToolError("Not today")
        if call.name == "demo_add":
            call = replace(call, arguments={"first": 40})
        return await call_next(call)

    @watcher.hookimpl
    def mcpkit_middleware() -> list[Any]:
        return [watch]

    async with connect(demo=make_plugin(), watcher=watcher) as client:
        refused = await client.call_tool("demo_refuse", {})
        added = await client.call_tool("demo_add", {"first": 1})
        await client.read_resource("demo://motto")

    assert refused.content[0].text == "Not today"  # type: ignore[union-attr]
    assert added.structured_content == {"result": 42}
    assert seen == ["tool demo_refuse", "tool demo_add", "resource demo://motto"]


@pytest.mark.parametrize("failure", [RuntimeError("broken"), SystemExit(3)])
async def test_a_crash_of_middleware_is_logged_for_the_plugin_it_belongs_to(
    failure: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    outer, bad = Plugin(), Plugin()

    async def crash(call: Call, call_next: CallNext) -> Any:
        result = await call_next(call)
        if call.name == "demo_add":
            raise failure
        return result

    async def count(call: Call, call_next: CallNext) -> Any:
        return await call_next(call)

    bad.hookimpl(_middleware(crash))
    outer.hookimpl(_middleware(count))
    async with connect(demo=make_plugin(), bad=bad, another=outer) as client:
        added = await client.call_tool("demo_add", {"first": 1})
        crashed = await client.call_tool("demo_crash", {})
        refused = await client.call_tool("demo_refuse", {})

    errors = [item for item in caplog.records if item.levelno == logging.ERROR]
    assert added.content[0].text == "Internal error in tool 'demo_add'"  # type: ignore[union-attr]
    assert (added.is_error, crashed.is_error, refused.is_error) == (True, True, True)
    assert [item.getMessage().split(" (")[0] for item in errors] == [
        "Plugin 'bad': its middleware crashed around tool 'demo_add'",
        "Plugin 'demo': tool 'demo_crash' crashed",
    ]
    assert type(failure).__name__ in str(errors[0].exc_text or errors[0].exc_info)


def _middleware(function: Any) -> Any:
    """A hook implementation that contributes one middleware."""

    def mcpkit_middleware() -> list[Any]:
        return [function]

    return mcpkit_middleware


async def test_hung_threads_of_one_plugin_starve_no_other() -> None:
    release = threading.Event()
    began: list[str] = []
    slow, quick = Plugin(), Plugin()

    @slow.tool(timeout=0.1)
    def hang() -> str:
        """Block a thread."""
        began.append("hung")
        release.wait(10)
        return "late"

    @quick.tool()
    def answer() -> str:
        """Answer at once."""
        return "here"

    # As many hang as there would be threads if all plugins shared them.
    shared = anyio.to_thread.current_default_thread_limiter()
    before, shared.total_tokens = shared.total_tokens, 2
    settings = {"slow": {"call_threads": 2}}
    calls = {"calls": {"threads": 3}}
    async with connect(slow=slow, quick=quick, settings=settings, server=calls) as client:
        try:
            with anyio.fail_after(10):
                for _ in range(4):
                    result = await client.call_tool("slow_hang", {})
                    assert result.is_error
                result = await client.call_tool("quick_answer", {})
        finally:
            release.set()
            shared.total_tokens = before

    assert result.content[0].text == "here"  # type: ignore[union-attr]
    assert began == ["hung", "hung"]


async def test_the_operators_timeout_wins_over_the_tools_own() -> None:
    plugin = Plugin()

    @plugin.tool(timeout=30)
    async def hang() -> str:
        """Never return."""
        await anyio.sleep_forever()
        return "never"

    async with connect(slow=plugin, settings={"slow": {"call_timeout": 0.05}}) as client:
        with anyio.fail_after(5):
            result = await client.call_tool("slow_hang", {})

    assert "0.05 s" in result.content[0].text  # type: ignore[union-attr]


@ERAS
async def test_a_cancelled_call_stops_the_handler(mode: Any) -> None:
    stopped = anyio.Event()
    plugin = Plugin()

    @plugin.tool()
    async def wait() -> str:
        """Wait for ever."""
        try:
            await anyio.sleep_forever()
        finally:
            stopped.set()
        return "never"

    async with connect(slow=plugin, mode=mode) as client:
        with anyio.move_on_after(0.1):
            await client.call_tool("slow_wait", {})
        with anyio.fail_after(5):
            await stopped.wait()
