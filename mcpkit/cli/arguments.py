"""Arguments of a call: words of the command line become values of the tool's schema."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import click

Schema = Mapping[str, Any]

_DEPTH = 20
"""Most references that are followed in a row: they may lead in a circle."""


def parse_pairs(pairs: Iterable[str], option: str = "--arg") -> dict[str, list[str]]:
    """Read `NAME=VALUE` as often as it is given.

    Raises:
        click.BadParameter: One of them is not of that form.
    """
    found: dict[str, list[str]] = {}
    for text in pairs:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{text!r} is not NAME=VALUE", param_hint=option)
        found.setdefault(name, []).append(value)
    return found


def typed_arguments(texts: Mapping[str, list[str]], schema: Schema) -> dict[str, Any]:
    """Give each argument the type that the input schema of a tool asks for.

    An argument that is given several times, or whose schema takes only a list, becomes a list.

    Raises:
        click.BadParameter: One is given several times, but takes a single value.
    """
    properties = schema.get("properties", {})
    return {
        name: _typed(name, given, resolved(properties.get(name, {}), schema), schema)
        for name, given in texts.items()
    }


def _typed(name: str, texts: list[str], schema: Schema, root: Schema) -> Any:
    kinds = types_of(schema, root)
    items = _items(schema, root)
    if len(texts) > 1:
        if kinds and "array" not in kinds:
            raise click.BadParameter(
                f"{name} is given {len(texts)} times, but takes a single value", param_hint="--arg"
            )
        return [typed_value(text, items, root) for text in texts]
    value = typed_value(texts[0], schema, root)
    takes_lists_alone = bool(kinds) and kinds <= {"array", "null"}
    if takes_lists_alone and not isinstance(value, list) and value is not None:
        return [typed_value(texts[0], items, root)]
    return value


def typed_value(text: str, schema: Schema, root: Schema | None = None) -> Any:
    """Give a word of the command line the type that the schema of its argument asks for.

    Text stays text where the schema allows a string; elsewhere it is read as JSON. What does not
    fit is passed on: the server's message is better than ours.
    """
    kinds = types_of(schema, root)
    if not kinds:
        return text
    if "string" in kinds and not (kinds - {"string", "null"} and _is_json(text, kinds)):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def resolved(schema: Any, root: Schema) -> Schema:
    """Follow a reference to a definition of the same schema."""
    for _ in range(_DEPTH):
        name = schema.get("$ref") if isinstance(schema, Mapping) else None
        if not isinstance(name, str) or not name.startswith("#/$defs/"):
            break
        found = root.get("$defs", {}).get(name.removeprefix("#/$defs/"))
        if found is None:
            break
        schema = found
    return schema if isinstance(schema, Mapping) else {}


def types_of(schema: Schema, root: Schema | None = None) -> set[str]:
    """The JSON types that a schema allows; none when it does not say."""
    return set().union(*map(_own_types, _alternatives(schema, root or {})))


def _alternatives(schema: Schema, root: Schema) -> Iterator[Schema]:
    """A schema and all that may stand for it, each once: they may refer to one another."""
    waiting, seen = [resolved(schema, root)], set[int]()
    while waiting:
        part = waiting.pop()
        if id(part) not in seen:
            seen.add(id(part))
            yield part
            waiting += [resolved(one, root) for one in _parts(part)]


def _own_types(schema: Schema) -> set[str]:
    """The types that a schema names itself."""
    kind = schema.get("type")
    kinds = {kind} if isinstance(kind, str) else set(kind or ())
    for value in (schema["const"],) if "const" in schema else schema.get("enum", ()):
        kinds.add(_JSON_TYPES.get(type(value), "null"))
    if "$ref" in schema:
        kinds.add("object")
    return kinds


def _parts(schema: Schema) -> list[Schema]:
    return [*schema.get("anyOf", ()), *schema.get("oneOf", ())]


def _items(schema: Schema, root: Schema) -> Schema:
    """The schema of the items of a list."""
    for part in (schema, *(resolved(part, root) for part in _parts(schema))):
        if part.get("type") == "array":
            return resolved(part.get("items", {}), root)
    return {}


_JSON_TYPES: Mapping[type, str] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}


def _is_json(text: str, kinds: set[str]) -> bool:
    """Tell whether the text reads as one of the JSON types other than string."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False
    kind = _JSON_TYPES.get(type(value), "null")
    return kind not in {"string", "null"} and bool({kind, *_WIDER.get(kind, ())} & kinds)


_WIDER = {"integer": ("number",)}
