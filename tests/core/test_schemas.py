"""Tools that bring their own JSON Schema: what is refused, and what a call learns."""

from typing import Annotated, Any

import pytest
from pydantic import Field

from mcpkit import Context, Plugin
from mcpkit.core.errors import ArgumentsError, PluginError
from mcpkit.core.schemas import checker
from mcpkit.testing import connect

pytestmark = pytest.mark.anyio

OBJECT = {"type": "object"}


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "objekt"}, "is no JSON Schema"),
        ({"type": "object", "properties": []}, "is no JSON Schema"),
        ({"type": "array"}, "is not of type 'object'"),
        ({}, "is not of type 'object'"),
        ({**OBJECT, "$ref": "#/$defs/none"}, "refers to '#/$defs/none'"),
        ({**OBJECT, "properties": {"x": {"$ref": "https://example.org/s"}}}, "which it does not"),
        (
            {**OBJECT, "properties": {"x": {"type": "string", "x-mcp-header": "a b"}}},
            "x-mcp-header",
        ),
        ({**OBJECT, "properties": {"x": {"type": "array", "x-mcp-header": "A"}}}, "x-mcp-header"),
    ],
)
async def test_a_schema_that_cannot_serve_fails_its_plugin(schema: Any, said: str) -> None:
    plugin = Plugin()

    @plugin.tool(input_schema=schema)
    def tool(arguments: dict[str, Any]) -> str:
        """Take anything."""
        return ""

    with pytest.raises(PluginError, match="'tool'") as caught:
        async with connect(demo=plugin):
            pytest.fail("it loaded")
    assert said in caught.value.message


async def test_a_signature_with_a_bad_header_is_refused_too() -> None:
    plugin = Plugin()

    @plugin.tool()
    def tool(x: Annotated[str, Field(json_schema_extra={"x-mcp-header": ""})]) -> str:
        """Take one."""
        return x

    with pytest.raises(PluginError, match="x-mcp-header"):
        async with connect(demo=plugin):
            pytest.fail("it loaded")


async def test_a_function_that_takes_more_than_the_arguments_is_refused() -> None:
    plugin = Plugin()

    @plugin.tool(input_schema=OBJECT)
    def tool(one: str, two: str) -> str:
        """Take two."""
        return one + two

    with pytest.raises(PluginError, match="takes 2 arguments instead of one"):
        async with connect(demo=plugin):
            pytest.fail("it loaded")


async def test_its_function_gets_all_arguments_and_the_context() -> None:
    plugin = Plugin()

    @plugin.tool(input_schema={**OBJECT, "properties": {"ctx": {"type": "integer"}}})
    async def tool(arguments: dict[str, Any], context: Context) -> dict[str, Any]:
        """Take anything."""
        return {"plugin": context.plugin, **arguments}

    async with connect(demo=plugin) as client:
        result = await client.call_tool("demo_tool", {"ctx": 1, "more": [None]})

    assert result.structured_content == {"plugin": "demo", "ctx": 1, "more": [None]}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"a": "x"}, "a: 'x' is not of type 'integer'"),
        ({"b": [1, "x"]}, "b[1]: 'x' is not of type 'integer'"),
        ({"c": {"d": None}}, "c.d: None is not of type 'string'"),
        ({"z": 1}, "'z' was unexpected"),
    ],
)
def test_a_problem_is_told_with_its_place(arguments: dict[str, Any], said: str) -> None:
    integer = {"type": "integer"}
    check = checker(
        "demo",
        {
            **OBJECT,
            "properties": {
                "a": integer,
                "b": {"type": "array", "items": integer},
                "c": {**OBJECT, "properties": {"d": {"type": "string"}}},
            },
            "additionalProperties": False,
        },
    )

    with pytest.raises(ArgumentsError) as caught:
        check(arguments)
    assert said in str(caught.value)


def test_no_more_than_three_problems_are_told_at_once() -> None:
    properties = {name: {"type": "integer"} for name in "abcdef"}
    check = checker("demo", {**OBJECT, "properties": properties})

    with pytest.raises(ArgumentsError) as caught:
        check(dict.fromkeys("abcdef", "x"))
    assert str(caught.value).count("is not of type") == 3
