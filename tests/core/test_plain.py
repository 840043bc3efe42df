"""Schemas that are right at sight: nothing is called plain that the full check refuses."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcpkit.core.plain import is_plain
from mcpkit.core.schemas import check_input_schema

KEYWORDS = [
    *("type", "title", "description", "format", "default", "const", "enum", "examples"),
    *("required", "minimum", "maximum", "exclusiveMinimum", "minLength", "maxItems"),
    *("uniqueItems", "items", "additionalProperties", "properties", "$defs", "anyOf", "oneOf"),
    *("prefixItems", "$ref", "pattern", "x-mcp-header", "$id", "not"),
]

LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2),
    st.floats(),
    st.sampled_from(["string", "object", "array", "a", "#/$defs/a", "#/$defs/b", "#", "("]),
)

VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from([*KEYWORDS, "a", "b"]), inner, max_size=4),
    ),
    max_leaves=12,
)

SCHEMAS = st.dictionaries(st.sampled_from(KEYWORDS), VALUES, max_size=5).map(
    lambda schema: {"type": "object", **schema}
)


@pytest.mark.slow
@given(SCHEMAS)
def test_what_is_plain_stands_the_full_check(schema: dict[str, Any]) -> None:
    if is_plain(schema):
        check_input_schema("tool", schema)


PLAIN = {
    "type": "object",
    "title": "Arguments",
    "required": ["a"],
    "additionalProperties": False,
    "$defs": {"Unit": {"enum": ["m", "ft"], "type": "string", "description": "A unit."}},
    "properties": {
        "a": {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}], "default": None},
        "b": {"type": "array", "items": {"$ref": "#/$defs/Unit"}, "maxItems": 3},
        "c": {"type": "object", "additionalProperties": {"type": "string", "minLength": 1}},
    },
}


def test_what_signatures_make_is_plain() -> None:
    assert is_plain(PLAIN)


@pytest.mark.parametrize(
    "more",
    [
        {"type": "array"},
        {"properties": {"a": {"type": "string", "pattern": "("}}},
        {"properties": {"a": {"type": "string", "x-mcp-header": "A"}}},
        {"properties": {"a": {"$ref": "#/$defs/none"}}},
        {"properties": {"a": {"$ref": "https://example.org/schema"}}},
        {"properties": {"a": True}},
        {"required": ["a", "a"]},
        {"anyOf": []},
        {"unknown": 1},
    ],
)
def test_what_asks_for_a_second_look_is_not_plain(more: dict[str, Any]) -> None:
    assert not is_plain({**PLAIN, **more})
