"""Describing: what may be set, in words for people, from the model of a section."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo

from mcpkit.core.settings.masking import MASK, is_secret_field, mask

_TYPES = {
    "string": "string",
    "integer": "integer",
    "number": "number",
    "boolean": "true or false",
    "object": "table",
    "array": "list",
    "null": "not set",
}
"""Names of JSON Schema in the words of TOML."""

_FORMATS = {"password": "secret", "path": "path", "date": "date", "date-time": "date", "uri": "URL"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """One setting.

    Attributes:
        name: Its key within the section.
        type: What it may be, in words.
        description: What it is, on one line.
        required: Whether it has no default.
        default: Its default as JSON, a secret masked.
        is_secret: Whether it holds a secret.
    """

    name: str
    type: str
    description: str
    required: bool
    default: Any
    is_secret: bool

    def to_json(self) -> dict[str, Any]:
        """The setting as `--json` shows it."""
        return {
            "name": self.name,
            "type": self.type,
            "required": self.required,
            "default": self.default,
            "description": self.description,
        }


def describe_settings(model: type[BaseModel]) -> list[Described]:
    """Describe every setting of a section, in the order of its model."""
    return [_describe(name, field) for name, field in model.model_fields.items()]


def _describe(name: str, field: FieldInfo) -> Described:
    default = None if field.is_required() else _default(name, field)
    return Described(
        name=field.alias or name,
        type=_type_of(field),
        description=" ".join((field.description or "").split()),
        required=field.is_required(),
        default=default,
        is_secret=MASK in str(default),
    )


def _default(name: str, field: FieldInfo) -> Any:
    """The default, masked; None where making it fails."""
    try:
        value = field.get_default(call_default_factory=True, validated_data={})
    except Exception:  # noqa: BLE001  # plugin code: a factory may raise anything
        return None
    return mask(value, secret=is_secret_field(field, name), by_name=True)


def _type_of(field: FieldInfo) -> str:
    try:
        schema = TypeAdapter[Any](field.annotation or object).json_schema()
    except Exception:  # noqa: BLE001  # plugin code: a type may have no JSON Schema
        return "value"
    return _words(schema, schema.get("$defs", {}))


def _words(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """A JSON Schema in words: `list of string`, `"metric" or "imperial"`."""
    reference = schema.get("$ref")
    if reference is not None:
        schema = definitions.get(reference.rpartition("/")[2], {})
    if "enum" in schema:
        return " or ".join(repr(item) for item in schema["enum"])
    if "const" in schema:
        return repr(schema["const"])
    parts = schema.get("anyOf") or schema.get("oneOf")
    if parts:
        words = dict.fromkeys(_words(part, definitions) for part in parts)
        return " or ".join(word for word in words if word != "not set") or "not set"
    kind = _TYPES.get(str(schema.get("type")), "value")
    if kind == "list" and isinstance(schema.get("items"), dict):
        return f"list of {_words(schema['items'], definitions)}"
    return _FORMATS.get(schema.get("format", ""), kind)
