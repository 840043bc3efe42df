"""Arguments of prompts: the protocol has texts alone, in which lists and objects are JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mcp.server.mcpserver.utilities.context_injection import find_context_parameter
from mcp.server.mcpserver.utilities.func_metadata import func_metadata
from pydantic import TypeAdapter, ValidationError

from mcpkit.core.errors import ArgumentsError

_SHAPES = {"array": "a list", "object": "an object"}


class PromptArguments:
    """The parameters of a prompt's function that are no texts.

    Args:
        function: The function.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        context = find_context_parameter(function)
        skipped = [] if context is None else [context]
        self._metadata = func_metadata(function, skipped, structured_output=False)
        schema = self._metadata.arg_model.model_json_schema()
        definitions = schema.get("$defs", {})
        shapes = {
            name: _shape(parameter, definitions)
            for name, parameter in schema.get("properties", {}).items()
        }
        self._shapes = {name: shape for name, shape in shapes.items() if shape is not None}

    def describe(self, name: str, description: str | None) -> str | None:
        """The description of an argument, with the form of what is no text."""
        if name not in self._shapes:
            return description
        return f"{description or ''} ({self._shapes[name]}, as JSON)".strip()

    def read(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments with JSON as what it says.

        Raises:
            ArgumentsError: A list or an object is no JSON.
        """
        texts = {name: value for name, value in arguments.items() if name in self._shapes}
        read = self._metadata.pre_parse_json(texts)
        for name, value in read.items():
            if isinstance(value, str) and not self._takes(name, value):
                raise ArgumentsError(f"{name} must be {self._shapes[name]}, as JSON")
        return {**arguments, **read}

    def _takes(self, name: str, text: str) -> bool:
        """Whether a validator of the author makes something of a text that is no JSON."""
        field = self._metadata.arg_model.model_fields[name]
        try:
            TypeAdapter(field.rebuild_annotation()).validate_python(text)
        except ValidationError:
            return False
        return True


def _shape(parameter: Mapping[str, Any], definitions: Mapping[str, Any]) -> str | None:
    """The form of a parameter that is a list or an object, and nothing else; None for others."""
    options = [parameter, *parameter.get("anyOf", ())]
    options = [definitions.get(str(it.get("$ref")).rpartition("/")[2], it) for it in options]
    kinds = {option["type"] for option in options if "type" in option} - {"null"}
    return _SHAPES.get(kinds.pop()) if len(kinds) == 1 else None
