"""Signatures: what clients cannot fill is refused when the plugin loads."""

from functools import partial
from typing import Any

import pytest

from mcpkit import Context, MCPKitError, Plugin, ResourceTemplateReference
from mcpkit.core.assembly import build
from mcpkit.core.settings import Settings
from mcpkit.testing import connect

pytestmark = pytest.mark.anyio


def refused(plugin: Plugin) -> MCPKitError:
    app = build(Settings(), plugins=False, objects={"it": plugin})
    (record,) = app.records
    assert record.error is not None
    return record.error


def collected(*names: str) -> str:
    """Collect."""
    return "".join(names)


def gathered(**names: str) -> str:
    """Gather."""
    return "".join(names)


def placed(first: str, /, second: str = "") -> str:
    """Place."""
    return first + second


@pytest.mark.parametrize(
    ("function", "parameter"), [(collected, "*names"), (gathered, "**names"), (placed, "'first'")]
)
@pytest.mark.parametrize("kind", ["tool", "own_schema", "prompt", "resource"])
def test_a_parameter_that_takes_no_value_by_name_is_refused(
    function: Any, parameter: str, kind: str
) -> None:
    plugin = Plugin()
    if kind == "resource":
        plugin.resource("it://{names}")(function)
    elif kind == "own_schema":
        plugin.tool(function, input_schema={"type": "object"})
    else:
        getattr(plugin, kind)(function)

    error = refused(plugin)

    assert f"its function {function.__name__!r} takes {parameter}" in error.message
    assert error.hint


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("def add(first): 'Add.'", "Write first: str"),
        ("def add(first=1.5): 'Add.'", "Write first: float = 1.5"),
        ("def add(first: int, ctx): 'Add.'", "Write ctx: Context"),
    ],
)
def test_a_parameter_of_a_tool_without_type_is_refused(code: str, hint: str) -> None:
    names: dict[str, Any] = {}
    exec(code, names)
    plugin = Plugin()
    plugin.tool(names["add"])

    error = refused(plugin)

    assert "Its tool 'add' takes" in error.message
    assert (error.hint or "").startswith(hint)


async def test_a_partial_takes_the_arguments_that_it_leaves_open() -> None:
    def power(base: int, exponent: int, ctx: Context) -> str:
        """Raise to a power."""
        return f"{ctx.exposed_name('power')} {base**exponent}"

    async def later(base: int, exponent: int) -> int:
        """Raise to a power, later."""
        return int(base**exponent)

    plugin = Plugin()
    plugin.tool(partial(power, exponent=2))
    plugin.tool(partial(later, 2), name="of_two")
    plugin.resource("it://{base}")(partial(power, exponent=3))

    async def complete(suffix: str, ref: Any, argument: Any, context: Any) -> list[str]:
        return [argument.value + suffix]

    plugin.completion(partial(complete, "0"))

    async with connect(it=plugin) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        square = await client.call_tool("it_power", {"base": 3})
        of_two = await client.call_tool("it_of_two", {"exponent": 5})
        bound = await client.call_tool("it_power", {"base": 3, "exponent": 9})
        cube = await client.read_resource("it://2")
        ref = ResourceTemplateReference(uri="it://{base}")
        completed = await client.complete(ref, {"name": "base", "value": "1"})

    assert tools["it_power"].description == "Raise to a power."
    assert list(tools["it_power"].input_schema["properties"]) == ["base"]
    assert square.structured_content == {"result": "it_power 9"}
    assert of_two.structured_content == {"result": 32}
    assert bound.is_error
    assert completed.completion.values == ["10"]
    assert cube.contents[0].text == "it_power 8"  # type: ignore[union-attr]


class Sum:
    """An object that can be called."""

    async def __call__(self, first: int, second: int) -> int:
        """Add."""
        return first + second


async def test_a_partial_of_an_object_that_can_be_called_is_awaited_and_needs_a_name() -> None:
    plugin = Plugin()
    plugin.tool("add")(partial(Sum(), first=1))

    with pytest.raises(ValueError, match="has no name"):
        plugin.tool()(partial(Sum(), first=1))
    async with connect(it=plugin) as client:
        result = await client.call_tool("it_add", {"second": 2})

    assert result.structured_content == {"result": 3}


async def test_a_partial_of_a_function_whose_types_are_texts_is_understood() -> None:
    plugin = Plugin()
    code = "from __future__ import annotations\nfrom enum import Enum\n"
    code += "class Unit(Enum):\n    METRE = 'm'\n"
    code += "def measured(size: int, unit: Unit) -> str:\n    'Measure.'\n"
    code += "    return f'{size} {unit.value}'\n"
    module: dict[str, Any] = {"__name__": "measures"}
    exec(code, module)  # this module has its types at hand
    plugin.tool(partial(module["measured"], size=3))

    async with connect(it=plugin) as client:
        result = await client.call_tool("it_measured", {"unit": "m"})

    assert result.structured_content == {"result": "3 m"}
