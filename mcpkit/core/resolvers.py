"""Resolvers: the functions behind `Resolve`, whose values are parameters of a tool."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from typing import Any

from mcp.server.mcpserver import Elicit, ListRoots, Sample
from mcp.server.mcpserver.resolve import find_resolved_parameters

from mcpkit.core.errors import PluginContractError

_QUESTIONS = (Elicit, ListRoots, Sample)
"""Values that are asked of the client first."""


def check_resolvers(what: str, handler: Callable[..., Any]) -> None:
    """Refuse functions behind `Resolve` that give no value, or one of another type.

    Args:
        what: The component, such as `tool 'add'`.
        handler: Its function, or one behind `Resolve` itself.

    Raises:
        PluginContractError: One of them does; the message names it.
    """
    _check(what, handler, set())


def _check(what: str, handler: Callable[..., Any], seen: set[int]) -> None:
    for name, (marker, wants_outcome) in find_resolved_parameters(handler).items():
        function: Any = marker.fn
        if id(function) in seen:
            continue
        seen.add(id(function))
        if not callable(function):
            raise PluginContractError(
                f"Its {what} fills {name!r} by Resolve({function!r}), which is no function",
                hint="Write Annotated[Type, Resolve(function)]",
            )
        told = f"Its {what} fills {name!r} by the function {_name(function)!r}"
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise PluginContractError(
                f"{told}, which yields values instead of returning one",
                hint="Return the value; what must be closed belongs into the lifespan",
            )
        wanted, given = _hint(handler, name), _hint(function, "return")
        if not wants_outcome and _differ(wanted, given):
            raise PluginContractError(
                f"{told}, which returns {given.__name__} instead of {wanted.__name__}",
                hint=f"Write -> {wanted.__name__} and return one, or change the type of {name!r}",
            )
        _check(what, function, seen)


def _name(function: Any) -> str:
    return str(getattr(function, "__name__", type(function).__name__))


def _hint(function: Any, name: str) -> Any:
    """A type that a function names; None where it names none that can be read."""
    try:
        return typing.get_type_hints(function).get(name)
    except Exception:  # noqa: BLE001  # plugin code: a name that only type checkers know
        return None


def _differ(wanted: Any, given: Any) -> bool:
    """Whether no value of one class is of another one, both as far as they are plain classes."""
    if Any in (wanted, given) or not (inspect.isclass(wanted) and inspect.isclass(given)):
        return False
    try:
        if issubclass(given, _QUESTIONS) or (wanted is float and given is int):
            return False
        return not (issubclass(given, wanted) or issubclass(wanted, given))
    except TypeError:  # a generic type, or a protocol that is not for the run time
        return False
