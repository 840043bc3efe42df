"""Help on one tool: `mcpkit tools show NAME` and `mcpkit call NAME --help`."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

import click

from mcpkit.cli.arguments import resolved
from mcpkit.cli.listing import Definition, find_tool
from mcpkit.cli.output import print_json, print_line, print_table, print_text
from mcpkit.cli.target import Target
from mcpkit.core.suggestions import shortened

_LIMITS = {
    "minimum": "at least",
    "exclusiveMinimum": "more than",
    "maximum": "at most",
    "exclusiveMaximum": "less than",
}

_DEPTH = 5
"""Most levels of a type that are told; a schema may refer to itself."""

_PARTS = 50
"""Most parts of a type that are told: with each level there may be many times as many."""


def show_tool(target: Target, name: str, *, eager: bool, as_json: bool) -> None:
    """Print what is known of one tool.

    Raises:
        NotFoundError: There is none of that name.
    """
    tool = find_tool(target, name, eager=eager)
    if as_json:
        print_json(tool)
        return
    print_line(tool.get("title") or "", label=click.style(tool["name"], bold=True))
    print_text(str(tool.get("description") or "").strip())
    schema = tool.get("inputSchema") or {}
    properties = schema.get("properties") or {}
    print_line("")
    if not properties:
        print_line("It takes no parameters.")
    else:
        needed = frozenset(map(str, schema.get("required") or ()))
        rows = [_row(key, properties[key], schema, needed) for key in properties]
        print_table(("parameter", "type", "default", "description"), rows)
    print_line("")
    print_line(
        f"mcpkit call {tool['name']}{_example(tool)}", label=click.style("Usage:", bold=True)
    )


def _row(
    name: str, schema: Any, root: Mapping[str, Any], needed: frozenset[str]
) -> tuple[str, str, str, str]:
    whole = {**resolved(schema, root), **(schema if isinstance(schema, Mapping) else {})}
    default = "required" if name in needed else "-"
    if "default" in whole:
        default = json.dumps(whole["default"], ensure_ascii=False)
    description = " ".join(str(whole.get("description") or "").split())
    return name, type_in_words(schema, root), default, description


def type_in_words(schema: Any, root: Mapping[str, Any]) -> str:
    """A JSON Schema in words: `list of string`, `"metric" or "imperial"`."""
    return _words(schema, root, _DEPTH, iter(range(_PARTS)))


def _words(schema: Any, root: Mapping[str, Any], depth: int, left: Iterator[int]) -> str:
    """A part of a type, while there are parts left to tell."""
    if next(left, None) is None:
        return "…"
    schema = resolved(schema, root)
    if "enum" in schema or "const" in schema:
        values = schema.get("enum") or [schema.get("const")]
        return " or ".join(json.dumps(value, ensure_ascii=False) for value in values)
    parts = schema.get("anyOf") or schema.get("oneOf")
    if parts and depth:
        return " or ".join(dict.fromkeys(_words(part, root, depth - 1, left) for part in parts))
    kind = schema.get("type", "any value")
    words = " or ".join(map(str, kind)) if isinstance(kind, list) else str(kind)
    if kind == "array" and schema.get("items") and depth:
        words = f"list of {_words(schema['items'], root, depth - 1, left)}"
    elif kind == "array":
        words = "list"
    limits = [
        f"{word} {_number(schema[key])}" for key, word in _LIMITS.items() if _is_number(schema, key)
    ]
    return ", ".join([words, *limits])


def _number(value: float) -> str:
    """A limit; an integer may be too large for a float."""
    return shortened(str(value)) if isinstance(value, int) else f"{value:g}"


def _is_number(schema: Mapping[str, Any], key: str) -> bool:
    return isinstance(schema.get(key), int | float)


def _example(tool: Definition) -> str:
    """The arguments that a call needs, as they are written, and whether there are more."""
    schema = tool.get("inputSchema") or {}
    needed = schema.get("required") or ()
    more = " [--arg NAME=VALUE]..." if set(schema.get("properties") or ()) - set(needed) else ""
    return "".join(f" --arg {shlex.quote(str(name))}=…" for name in needed) + more
