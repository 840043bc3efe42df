"""Plain schemas: those that are JSON Schema (2020-12) at sight, as signatures make them.

Most schemas say nothing but types, titles, defaults and limits. To see that takes microseconds;
the full check, which anything else needs, takes a millisecond and a library that takes long to
import.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

TYPES = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})

LOCAL = "#/$defs/"
"""What a reference to a definition of the same schema begins with."""


def is_plain(schema: Mapping[str, Any]) -> bool:
    """Whether a schema of an object needs no further check.

    Returns:
        False does not mean that it is wrong: it may say something that is not looked at here.
    """
    definitions = schema.get("$defs", {})
    return schema.get("type") == "object" and _is_plain(schema, definitions)


def _is_plain(schema: Any, definitions: Any) -> bool:
    if not isinstance(schema, dict):
        return False
    for key, value in schema.items():
        if key in _VALUES:
            plain = _VALUES[key](value)
        elif key in {"items", "additionalProperties"}:
            plain = isinstance(value, bool) or _is_plain(value, definitions)
        elif key in {"properties", "$defs"}:
            plain = _are_plain(value, definitions)
        elif key in {"anyOf", "oneOf", "allOf", "prefixItems"}:
            plain = isinstance(value, list) and bool(value)
            plain = plain and all(_is_plain(part, definitions) for part in value)
        else:
            plain = key == "$ref" and _is_local(value, definitions)
        if not plain:
            return False
    return True


def _are_plain(schemas: Any, definitions: Any) -> bool:
    return isinstance(schemas, dict) and all(
        isinstance(name, str) and _is_plain(schema, definitions) for name, schema in schemas.items()
    )


def _is_local(reference: Any, definitions: Any) -> bool:
    """Whether a reference leads to a definition without escapes in its name (RFC 6901)."""
    if not isinstance(reference, str) or not reference.startswith(LOCAL):
        return False
    name = reference.removeprefix(LOCAL)
    return name.isidentifier() and isinstance(definitions, dict) and name in definitions


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value)) and len(set(value)) == len(value)


_VALUES: Mapping[str, Callable[[Any], bool]] = {
    "type": lambda value: isinstance(value, str) and value in TYPES,
    "title": _is_text,
    "description": _is_text,
    "format": _is_text,
    "default": lambda value: True,
    "const": lambda value: True,
    "enum": lambda value: isinstance(value, list),
    "examples": lambda value: isinstance(value, list),
    "required": _is_names,
    "minimum": _is_number,
    "maximum": _is_number,
    "exclusiveMinimum": _is_number,
    "exclusiveMaximum": _is_number,
    "minLength": _is_count,
    "maxLength": _is_count,
    "minItems": _is_count,
    "maxItems": _is_count,
    "uniqueItems": lambda value: isinstance(value, bool),
}
"""What may stand under a keyword that holds no schema."""
