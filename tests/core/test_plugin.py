"""`Plugin`: what its decorators take."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import fields
from functools import partial
from typing import Any

import mcp_types as types
import pytest
from pydantic import BaseModel

from mcpkit import MCPKitError, Plugin, PluginSettings
from mcpkit.core import declarations, options
from mcpkit.core.assembly import build
from mcpkit.core.settings import Settings
from mcpkit.testing import connect

pytestmark = pytest.mark.anyio


async def test_decorators_need_no_parentheses() -> None:
    plugin = Plugin()

    @plugin.tool
    def add(first: int, second: int) -> int:
        """Add."""
        return first + second

    @plugin.prompt
    def welcome() -> str:
        """Welcome."""
        return "Welcome"

    @plugin.completion
    def complete(ref: Any, argument: Any, context: Any) -> list[str]:
        return ["done"]

    plugin.tool(add, name="sum", title="Sum")

    @plugin.tool("product")
    def multiply(first: int, second: int) -> int:
        """Multiply."""
        return first * second

    async with connect(it=plugin) as client:
        tools = (await client.list_tools()).tools
        prompts = (await client.list_prompts()).prompts
        ref = types.PromptReference(name="it_welcome")
        completed = await client.complete(ref, {"name": "x", "value": ""})

    assert [(tool.name, tool.title) for tool in tools] == [
        ("it_add", None), ("it_product", None), ("it_sum", "Sum"),
    ]  # fmt: skip
    assert [prompt.name for prompt in prompts] == ["it_welcome"]
    assert completed.completion.values == ["done"]
    assert add(1, 2) == 3


@pytest.mark.parametrize(
    "options",
    [{"task": False}, {"task": None}, {"task": "requird"}, {"timeout": "5"}, {"timeout": -1}],
)
def test_an_option_of_a_tool_that_means_nothing_is_refused(options: Any) -> None:
    (option,) = options

    with pytest.raises(TypeError, match=f"{option} must be"):
        Plugin().tool(len, **options)


async def test_a_resource_whose_scheme_no_client_reads_is_refused() -> None:
    plugin = Plugin()

    @plugin.resource("bird_song://salutation")
    def salutation() -> str:
        """Salute."""
        return "Hello"

    with pytest.raises(MCPKitError, match=r"no legal URI") as refused:
        async with connect(bird_song=plugin):
            pass

    assert refused.value.hint == "Write bird-song://…"


class Result(BaseModel):
    celsius: float


WRONG: list[tuple[str, Any, str]] = [
    ("title", 5, "a text"),
    ("description", 5, "a text"),
    ("annotations", 5, "mcpkit.ToolAnnotations"),
    ("annotations", {"readOnly": True}, "mcpkit.ToolAnnotations"),
    ("annotations", {"readOnlyHint": "perhaps"}, "mcpkit.ToolAnnotations"),
    ("icons", "icon.png", "a list of mcpkit.Icon"),
    ("icons", [{"sizes": 5}], "a list of mcpkit.Icon"),
    ("meta", "x", "a dict"),
    ("structured_output", "no", "True or False"),
    ("cache", 60, "mcpkit.CacheHint"),
    ("app", 5, "ui://"),
    ("input_schema", Result, "input_schema=Result.model_json_schema()"),
    ("output_schema", Result, "-> Result"),
    ("output_schema", [], "JSON Schema"),
]


@pytest.mark.parametrize(("option", "value", "hint"), WRONG)
def test_an_option_of_a_wrong_type_is_named_with_its_tool(
    option: str, value: Any, hint: str
) -> None:
    plugin = Plugin()
    plugin.tool(_paid, **{option: value})

    (record,) = build(Settings(), plugins=False, objects={"it": plugin}).records

    assert record.error is not None
    assert record.error.message.startswith("Its tool '_paid' has ")
    assert f"{option}=" in record.error.message
    assert "validation error" not in record.error.message
    assert hint in (record.error.hint or "")


@pytest.mark.parametrize("kind", ["prompt", "resource"])
def test_an_option_of_a_wrong_type_is_named_for_other_kinds_too(kind: str) -> None:
    plugin = Plugin()
    declare = plugin.prompt if kind == "prompt" else partial(plugin.resource, "paid://all")
    declare(title=5)(_paid)  # type: ignore[operator, call-overload]

    (record,) = build(Settings(), plugins=False, objects={"it": plugin}).records

    assert record.error is not None
    assert "has title= of type int" in record.error.message
    assert record.error.hint == "Pass title= a text"


async def test_decorators_of_hooks_and_lifespans_may_have_parentheses() -> None:
    plugin = Plugin()
    events: list[str] = []

    @plugin.hookimpl()
    def mcpkit_instructions() -> str:
        return "Be brief."

    @plugin.lifespan()
    @asynccontextmanager
    async def lifespan(settings: Any) -> AsyncIterator[None]:
        events.append("open")
        yield

    async with connect(it=plugin) as client:
        assert "Be brief." in (client.instructions or "")
    assert events == ["open"]


@pytest.mark.parametrize("decorator", ["tool", "prompt", "completion", "hookimpl", "lifespan"])
def test_a_decorator_of_what_is_no_function_says_so(decorator: str) -> None:
    with pytest.raises(TypeError, match=f"{decorator}.* function"):
        getattr(Plugin(), decorator)(5)


async def test_what_is_declared_after_the_plugin_was_loaded_is_warned_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    plugin = Plugin()

    @plugin.lifespan
    @asynccontextmanager
    async def lifespan(settings: Any) -> AsyncIterator[None]:
        plugin.tool(_paid)
        yield

    async with connect(it=plugin) as client:
        assert (await client.list_tools()).tools == []

    (record,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert f"Plugin.tool() declares {__name__}._paid after" in record.getMessage()


def test_a_resource_without_uri_and_an_unknown_parameter_are_refused() -> None:
    plugin = Plugin()

    with pytest.raises(TypeError, match=r'write @plugin\.resource\("scheme://path"\)'):
        plugin.resource(len)  # type: ignore[arg-type]
    with pytest.raises(
        TypeError, match=r"Plugin\.tool\(\) has no parameter 'tags'; put it into meta="
    ):
        plugin.tool(tags={"x"})  # type: ignore[call-overload]
    assert plugin.declarations == ()


@pytest.mark.parametrize("kind", ["Tool", "Resource", "Prompt"])
def test_editors_know_each_parameter_of_a_decorator(kind: str) -> None:
    known = {field.name for field in fields(getattr(declarations, f"{kind}Declaration"))}
    offered = set(getattr(options, f"{kind}Options").__annotations__)

    assert offered == known - {"handler", "uri"}


class KeySettings(PluginSettings):
    key: str | None = None


def make_paid(enabled: Any) -> Plugin:
    plugin = Plugin(settings=KeySettings)

    @plugin.tool
    def free() -> str:
        """Free."""
        return "free"

    plugin.prompt(free)
    plugin.resource("free://all")(free)
    plugin.tool(enabled=enabled)(_paid)
    plugin.prompt(enabled=enabled)(_paid)
    plugin.resource("paid://all", enabled=enabled)(_paid)
    return plugin


def _paid() -> str:
    """Paid."""
    return "paid"


@pytest.mark.parametrize(
    ("enabled", "section", "served"),
    [
        (True, {}, 1),
        (False, {}, 0),
        (lambda settings: settings.key is not None, {}, 0),
        (lambda settings: settings.key is not None, {"key": "k"}, 1),
    ],
)
async def test_what_is_not_enabled_is_not_there(
    enabled: Any, section: dict[str, Any], served: int
) -> None:
    async with connect(it=make_paid(enabled), settings={"it": section}) as client:
        tools = [tool.name for tool in (await client.list_tools()).tools]
        resources = (await client.list_resources()).resources
        prompts = (await client.list_prompts()).prompts

    assert "it_free" in tools
    assert [len(tools), len(resources), len(prompts)] == [1 + served] * 3


@pytest.mark.parametrize(
    "enabled", [lambda settings: settings.nothing, lambda settings: "no", "false"]
)
async def test_an_enabled_that_does_not_say_yes_or_no_is_refused(enabled: Any) -> None:
    with pytest.raises(MCPKitError, match="'_paid' is enabled") as refused:
        async with connect(it=make_paid(enabled)):
            pass

    assert refused.value.hint


SCHEMA = {
    "type": "object",
    "properties": {"celsius": {"type": "number", "minimum": -273.15}},
    "required": ["celsius"],
}


class Reading(BaseModel):
    celsius: float


def make_thermometer(**given: Any) -> Plugin:
    plugin = Plugin()

    @plugin.tool(**{"output_schema": SCHEMA, **given})
    def read(kind: str) -> Any:
        """Read the thermometer."""
        return {
            "mapping": {"celsius": 21},
            "model": Reading(celsius=21),
            "result": types.CallToolResult(content=[], structured_content={"celsius": 21}),
            "error": types.CallToolResult(content=[], is_error=True),
            "colder": {"celsius": -300},
            "text": "21",
            "unstructured": types.CallToolResult(content=[]),
        }[kind]

    return plugin


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_tool_brings_the_schema_of_its_results(mode: Any) -> None:
    async with connect(it=make_thermometer(), mode=mode) as client:
        (tool,) = (await client.list_tools()).tools
        good = [
            await client.call_tool("it_read", {"kind": kind})
            for kind in ("mapping", "model", "result")
        ]
        error = await client.call_tool("it_read", {"kind": "error"})

    assert tool.output_schema == SCHEMA
    assert [result.structured_content for result in good] == [{"celsius": 21}] * 3
    assert '"celsius": 21' in good[0].content[0].text  # type: ignore[union-attr]
    assert error.is_error


@pytest.mark.parametrize("kind", ["colder", "text", "unstructured"])
async def test_a_result_that_its_schema_forbids_is_an_internal_error(kind: str) -> None:
    async with connect(it=make_thermometer()) as client:
        result = await client.call_tool("it_read", {"kind": kind})

    assert result.is_error
    assert result.content[0].text == "Internal error in tool 'it_read'"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "given",
    [
        {"output_schema": {"type": "array"}},
        {"output_schema": {"type": "nonsense"}},
        {"output_schema": {"type": "object", "$ref": "#/$defs/gone"}},
        {"structured_output": False},
    ],
)
async def test_an_output_schema_that_cannot_be_kept_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(MCPKitError, match="'read'"):
        async with connect(it=make_thermometer(**given)):
            pass
