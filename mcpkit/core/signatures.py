"""Signatures: the parameters of a handler, which clients fill by name."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from inspect import Parameter
from typing import Any

from mcpkit.core.errors import PluginContractError

_NAMED = {Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY}


def check_parameters(what: str, handler: Callable[..., Any], *, typed: bool) -> None:
    """Refuse parameters that no client can fill.

    Args:
        what: The component, such as `tool 'add'`.
        handler: Its function.
        typed: Whether each parameter needs a type, from which its schema is made.

    Raises:
        PluginContractError: One of them takes no value by name, or has no type.
    """
    function = f"its function {getattr(handler, '__name__', handler)!r}"
    for parameter in inspect.signature(handler).parameters.values():
        if parameter.kind not in _NAMED:
            raise PluginContractError(
                f"Its {what} cannot be called: {function} takes {_shown(parameter)}, and clients "
                "pass arguments by name",
                hint=_remedy(parameter),
            )
        if typed and parameter.annotation is Parameter.empty:
            raise PluginContractError(
                f"Its {what} takes {parameter.name!r} without a type: the model would not know "
                f"what to pass to {function}",
                hint=f"Write {_typed(parameter)}",
            )


def _shown(parameter: Parameter) -> str:
    stars = {Parameter.VAR_POSITIONAL: "*", Parameter.VAR_KEYWORD: "**"}
    if parameter.kind in stars:
        return f"{stars[parameter.kind]}{parameter.name}"
    return f"{parameter.name!r} by position only"


def _remedy(parameter: Parameter) -> str:
    if parameter.kind is Parameter.POSITIONAL_ONLY:
        return f"Take the / after {parameter.name!r} out of the signature"
    return (
        "Write each parameter with its name and type; where a decorator wrapped the function, "
        "use functools.wraps in it"
    )


def _typed(parameter: Parameter) -> str:
    """The parameter with a type, as its author may have meant it."""
    name = parameter.name
    if name in {"ctx", "context"}:
        return f"{name}: Context, with from mcpkit import Context"
    if parameter.default is Parameter.empty or parameter.default is None:
        return f"{name}: str, for example, or {name}: Any for any JSON value"
    return f"{name}: {type(parameter.default).__name__} = {parameter.default!r}"


def as_function(handler: Callable[..., Any]) -> Callable[..., Any]:
    """A `functools.partial` as a function of the arguments that it leaves open.

    It has the name, docstring and types of the function below. Other handlers stay as they are.
    """
    if not isinstance(handler, functools.partial):
        return handler
    function: Any = handler.func
    if not inspect.isroutine(function):  # an object that can be called
        function = function.__call__
    signature = _signature(handler)
    left = [item for item in signature.parameters.values() if item.name not in handler.keywords]
    run = _async_function(handler) if inspect.iscoroutinefunction(function) else _function(handler)
    functools.update_wrapper(run, function)
    run.__name__ = getattr(handler.func, "__name__", "")
    run.__dict__["__signature__"] = signature.replace(parameters=left)
    names = {"return", *(item.name for item in left)}
    types = getattr(function, "__annotations__", {})
    run.__annotations__ = {name: kind for name, kind in types.items() if name in names}
    return run


def _signature(handler: Callable[..., Any]) -> inspect.Signature:
    try:
        return inspect.signature(handler, eval_str=True)
    except NameError:  # a name that only type checkers know
        return inspect.signature(handler)


def _function(call: Callable[..., Any]) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Any:
        return call(*args, **kwargs)

    return run


def _async_function(call: Callable[..., Any]) -> Callable[..., Any]:
    async def run(*args: Any, **kwargs: Any) -> Any:
        return await call(*args, **kwargs)

    return run


def function_of(given: Any, decorator: str) -> Any:
    """The function that a decorator stands above.

    Raises:
        TypeError: It is none.
    """
    if not callable(given):
        raise TypeError(f"@plugin.{decorator} stands above a function; got {given!r}")
    return given


def name_of(handler: Callable[..., Any]) -> str:
    """The name of a function.

    Raises:
        ValueError: It has none.
    """
    name = getattr(handler, "__name__", "")
    if not name or name == "<lambda>":
        raise ValueError(f"{handler!r} has no name: pass name=")
    return str(name)


def place_of(handler: Any) -> str:
    """A function for the log: its module and name."""
    return f"{getattr(handler, '__module__', '?')}.{getattr(handler, '__qualname__', handler)}"
