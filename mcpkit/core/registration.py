"""Registration: an imported object is taken as a plugin, if it keeps the contract of hooks.

In comes what an entry point names; out comes a pluggy manager that knows this plugin alone. It runs
code of the plugin: reading attributes does.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pluggy
from mcp.server.mcpserver import MCPServer

from mcpkit.core.adoption import AdoptedServer
from mcpkit.core.errors import PluginContractError, reason_of
from mcpkit.core.hooks import create_manager, hook_names
from mcpkit.core.suggestions import did_you_mean, nearest


def register(name: str, value: Any) -> pluggy.PluginManager:
    """Register a plugin, if it keeps the contract.

    Returns:
        Its manager; where the value is an SDK server, that of its adapter.

    Raises:
        PluginContractError: The value is no plugin, or one of its hooks is wrong.
    """
    if inspect.isclass(value):
        raise PluginContractError(
            f"Its entry point is the class {value.__name__!r}, not an object",
            hint=f"Point it at an instance: plugin = {value.__name__}()",
        )
    if inspect.isroutine(value):
        raise PluginContractError(
            f"Its entry point is the function {value.__name__!r}, not a plugin",
            hint="Point it at a mcpkit.Plugin object",
        )
    plugin = AdoptedServer(value) if isinstance(value, MCPServer) else value
    _check_names(plugin)
    try:
        manager = create_manager(plugin, name)
    except (pluggy.PluginValidationError, ValueError) as exc:
        raise PluginContractError(
            str(exc).splitlines()[-1].strip(), hint="See the hooks page of the documentation"
        ) from exc
    except BaseException as exc:  # plugin code: pluggy reads every attribute of the object
        raise PluginContractError(
            f"Registering it raised {reason_of(exc)}",
            hint="Attributes of a plugin object must be readable without side effects",
        ) from exc
    _check_hooks(plugin, manager)
    return manager


def _check_names(plugin: Any) -> None:
    """Refuse functions that are named almost like a hook: a misspelt one is never called."""
    known = hook_names()
    for name in _hook_like(plugin):
        if name in known or nearest(name, known) is None:
            continue
        raise PluginContractError(
            f"There is no hook {name!r}{did_you_mean(name, known)}",
            hint="Rename the function, or take the prefix mcpkit_ off it",
        )


def _hook_like(plugin: Any) -> list[str]:
    return [
        name
        for name in dir(plugin)
        if name.startswith("mcpkit_") and callable(inspect.getattr_static(plugin, name, None))
    ]


def _check_hooks(plugin: Any, manager: pluggy.PluginManager) -> None:
    """Refuse hooks that pluggy would drop, call wrongly, or never call."""
    try:
        manager.check_pending()
    except pluggy.PluginValidationError as exc:
        raise PluginContractError(
            str(exc), hint="Implement a hook of the hooks page of the documentation"
        ) from exc
    callers = {caller.name: caller for caller in manager.get_hookcallers(plugin) or ()}
    for name in _hook_like(plugin):
        if name in hook_names() and name not in callers:
            raise PluginContractError(
                f"Its function {name!r} is not marked as a hook, or a decorator hides the mark",
                hint="Put @mcpkit.hookimpl on it, outermost",
            )
    if not callers:
        raise PluginContractError(
            f"Its entry point is {type(plugin).__name__!r}, which implements no hook",
            hint="Point it at a mcpkit.Plugin, a module with @hookimpl functions or an MCPServer",
        )
    for name, caller in callers.items():
        for implementation in caller.get_hookimpls():
            _check_hook(name, implementation.function)


def _check_hook(name: str, function: Callable[..., Any]) -> None:
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise PluginContractError(
            f"Its hook {name!r} is async; hooks are sync and only declare",
            hint="Return what runs later, such as an async context manager, from a plain def",
        )
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and (
            parameter.default is inspect.Parameter.empty
        ):
            raise PluginContractError(
                f"Its hook {name!r} takes {parameter.name!r} as keyword only; it is never passed",
                hint=f"Drop the * before {parameter.name!r}",
            )
