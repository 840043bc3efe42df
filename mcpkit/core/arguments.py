"""Arguments of tools: checked against the signature of the function, in time that has a bound.

The SDK's own check collects an error for each wrong item and writes all of them out, which takes
seconds for the items that fit one request.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from mcp.server.mcpserver.utilities.func_metadata import FuncMetadata
from pydantic import ValidationError
from pydantic_core import SchemaValidator

from mcpkit.core.handlers import arguments_error

SMALL = 1000
"""Values of a call of which every problem is told; of larger calls the first one of each list."""

_COLLECTIONS = frozenset({"list", "tuple", "set", "frozenset", "dict", "generator"})
_DATA = frozenset({"default", "expected", "metadata", "serialization"})
"""Keys of a core schema that hold no core schema."""


class BoundedArguments(FuncMetadata):
    """Signature of a function, whose check ends at the first wrong item of a collection."""

    def validate_arguments(self, arguments_to_validate: dict[str, Any]) -> dict[str, Any]:
        """Check the arguments of a call.

        Raises:
            ArgumentsError: They do not fit; not pydantic's error, which the SDK writes out.
        """
        given = self.pre_parse_json(arguments_to_validate)
        try:
            values, _, _ = self._validator.validate_python(given)
        except ValidationError as exc:
            error = arguments_error(self._detailed(given) or exc)
        else:
            fields = self.arg_model.model_fields
            return {field.alias or name: values[name] for name, field in fields.items()}
        raise error

    def _detailed(self, given: Mapping[str, Any]) -> ValidationError | None:
        """The error with all problems; None where there may be too many."""
        if not _is_small(given):
            return None
        try:
            self.arg_model.model_validate(given)
        except ValidationError as exc:
            return exc
        return None

    @cached_property
    def _validator(self) -> SchemaValidator:
        """Validates the fields alone: pydantic would validate a model as its class does."""
        schema = dict(_failing_fast(self.arg_model.__pydantic_core_schema__))
        model = schema["schema"] if schema["type"] == "definitions" else schema
        fields = model["schema"]
        if schema["type"] == "definitions":
            fields = {**schema, "schema": fields}
        return SchemaValidator(fields, model.get("config"))


def bounded(metadata: FuncMetadata) -> BoundedArguments:
    """The same signature with a check whose time has a bound."""
    return BoundedArguments(
        arg_model=metadata.arg_model,
        output_schema=metadata.output_schema,
        output_model=metadata.output_model,
        wrap_output=metadata.wrap_output,
    )


def _failing_fast(schema: Any) -> Any:
    """A copy of a core schema whose collections end at their first wrong item."""
    if isinstance(schema, list | tuple):
        return type(schema)(map(_failing_fast, schema))
    if not isinstance(schema, dict):
        return schema
    copy = {key: item if key in _DATA else _failing_fast(item) for key, item in schema.items()}
    if schema.get("type") in _COLLECTIONS:
        copy["fail_fast"] = True
    return copy


def _is_small(given: Mapping[str, Any]) -> bool:
    """Whether a call has few values, nested ones included."""
    count, waiting = 0, [iter(given.values())]
    while waiting:
        for item in waiting.pop():
            count += 1
            if count > SMALL:
                return False
            if isinstance(item, Mapping):
                waiting.append(iter(item.values()))
            elif isinstance(item, list):
                waiting.append(iter(item))
    return True
