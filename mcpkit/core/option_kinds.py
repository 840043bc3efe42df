"""Kinds of options: what the keyword arguments of the decorators of `mcpkit.Plugin` may be.

They are checked when the plugin is loaded: declaring a tool imports neither the SDK nor pydantic.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from mcp.server.caching import CacheHint
from mcp.server.mcpserver.resources.templates import ResourceSecurity
from mcp_types import Annotations, Icon, ToolAnnotations
from pydantic import BaseModel, TypeAdapter, ValidationError

from mcpkit.core.declarations import PromptDeclaration, ResourceDeclaration, ToolDeclaration
from mcpkit.core.errors import PluginContractError
from mcpkit.core.suggestions import did_you_mean
from mcpkit.core.wording import describe_errors

_KINDS: Mapping[str, tuple[type, str]] = {
    "title": (str, "a text"),
    "description": (str, "a text"),
    "mime_type": (str, "a text such as 'application/json'"),
    "app": (str, "the URI of a page, 'ui://…'"),
    "meta": (dict, "a dict"),
    "structured_output": (bool, "True or False"),
    "input_schema": (dict, "a JSON Schema, as a dict"),
    "output_schema": (dict, "a JSON Schema, as a dict"),
    "cache": (CacheHint, "a mcpkit.CacheHint"),
    "security": (ResourceSecurity, "a mcpkit.ResourceSecurity"),
}
"""Types of options, and what they are called."""


def check_options(
    what: str, declaration: ToolDeclaration | ResourceDeclaration | PromptDeclaration
) -> None:
    """Refuse options of a decorator that are of a wrong type.

    Args:
        what: The component, such as `tool 'add'`.
        declaration: What the decorator has collected.

    Raises:
        PluginContractError: One is; the message names it, and the hint tells what it may be.
    """
    for option in (field.name for field in fields(declaration)):
        value = getattr(declaration, option)
        if value is None:
            continue
        if option in _KINDS and not isinstance(value, _KINDS[option][0]):
            hint = f"Pass {option}= {_KINDS[option][1]}"
            raise _wrong(what, option, value, _model_hint(option, value) or hint)
        if option == "annotations":
            is_tool = isinstance(declaration, ToolDeclaration)
            _check_annotations(what, value, ToolAnnotations if is_tool else Annotations)
        if option == "icons":
            _check_icons(what, value)


def _wrong(what: str, option: str, value: Any, hint: str) -> PluginContractError:
    is_class = inspect.isclass(value)
    given = (
        f"which is the class {value.__name__}" if is_class else f"of type {type(value).__name__}"
    )
    return PluginContractError(f"Its {what} has {option}= {given}", hint=hint)


def _model_hint(option: str, value: Any) -> str | None:
    """What helps with a pydantic model in place of a schema."""
    if not (inspect.isclass(value) and issubclass(value, BaseModel)):
        return None
    if option == "output_schema":
        return f"Write -> {value.__name__} at the function, without output_schema="
    return f"Pass {option}={value.__name__}.model_json_schema()"


def _check_annotations(what: str, value: Any, kind: type[BaseModel]) -> None:
    """Refuse annotations that are none; a dict may spell them as Python or the wire does."""
    hint = f"Pass annotations= a mcpkit.{kind.__name__}"
    if isinstance(value, kind):
        return
    if not isinstance(value, dict):
        raise _wrong(what, "annotations", value, hint)
    known = {name for key, field in kind.model_fields.items() for name in (key, field.alias or key)}
    for key in value:
        if key not in known:
            problem = f"{key!r} is not known{did_you_mean(str(key), known)}"
            raise PluginContractError(f"Its {what} has wrong annotations=: {problem}", hint=hint)
    _check_value(what, "annotations", value, kind, hint)


def _check_icons(what: str, value: Any) -> None:
    hint = "Pass icons= a list of mcpkit.Icon"
    if not isinstance(value, list | tuple):
        raise _wrong(what, "icons", value, hint)
    _check_value(what, "icons", list(value), list[Icon], hint)


def _check_value(what: str, option: str, value: Any, kind: Any, hint: str) -> None:
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError as exc:
        (problem, *_) = describe_errors(exc, most=1)
        path = "".join(f"[{part!r}]" for part in problem.path)
        text = f"Its {what} has wrong {option}=: {option}{path} {problem.message}"
        raise PluginContractError(text, hint=hint) from exc
