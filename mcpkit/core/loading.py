"""Loading: import each wanted plugin, register it with pluggy, isolate what fails.

In come records; they are changed in place. A plugin that cannot be imported or breaks the contract
keeps its error, and the rest go on.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import logging
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pluggy
from mcp.server.mcpserver import MCPServer

from mcpkit.core.adoption import AdoptedServer
from mcpkit.core.discovery import is_wanted
from mcpkit.core.errors import PluginContractError, PluginError, PluginImportError
from mcpkit.core.hooks import hook_names
from mcpkit.core.status import PluginRecord, Stage
from mcpkit.core.suggestions import did_you_mean, nearest

logger = logging.getLogger(__name__)


def load(
    records: Iterable[PluginRecord],
    manager: pluggy.PluginManager,
    *,
    objects: Mapping[str, object] | None = None,
) -> None:
    """Import and register each wanted plugin.

    Args:
        records: Discovered plugins, in the order in which to load them.
        manager: Where they are registered.
        objects: Plugins given in code, by name: registered without an import.
    """
    given = objects or {}
    for record in records:
        if not is_wanted(record):
            continue
        try:
            value = given[record.name] if record.name in given else import_plugin(record)
            record.plugin = register(record.name, value, manager)
        except PluginImportError as exc:
            record.fail(Stage.IMPORT, exc)
        except PluginError as exc:
            record.fail(Stage.REGISTER, exc)


def import_plugin(record: PluginRecord) -> Any:
    """Import what the entry point names, taking the time.

    What the import prints goes to stderr: stdout belongs to the protocol or to data.

    Raises:
        PluginImportError: The import raised or exited, or the module has no such attribute.
    """
    logger.debug("Importing plugin %s", record.label)
    start = time.perf_counter()
    try:
        with contextlib.redirect_stdout(sys.stderr):
            return _resolve(record.entry_point)
    except SystemExit as exc:
        raise PluginImportError(
            f"Importing it called sys.exit({exc.code!r})", hint=_import_hint(record)
        ) from exc
    except KeyboardInterrupt:
        raise
    except BaseException as exc:  # plugin code: anything may come
        raise PluginImportError(
            f"Cannot import it: {type(exc).__name__}: {exc}", hint=_import_hint(record)
        ) from exc
    finally:
        record.import_seconds = time.perf_counter() - start


def _resolve(entry_point: str) -> Any:
    """Import `module:attribute`, or the module alone."""
    module_name, _, attributes = entry_point.partition(":")
    value: Any = importlib.import_module(module_name.strip())
    for attribute in filter(None, attributes.split("[")[0].strip().split(".")):
        value = getattr(value, attribute)
    return value


def _import_hint(record: PluginRecord) -> str:
    what = f"Reinstall {record.distribution}" if record.distribution else "Mend its module"
    return f"{what}, or set plugins.{record.name}.enabled = false"


def register(name: str, value: Any, manager: pluggy.PluginManager) -> Any:
    """Register a plugin, if it keeps the contract; leave no trace of it otherwise.

    Returns:
        What was registered: the value itself, or the adapter of an SDK server.

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
        manager.register(plugin, name)
    except (pluggy.PluginValidationError, ValueError) as exc:
        raise PluginContractError(
            str(exc).splitlines()[-1].strip(), hint="See the hooks page of the documentation"
        ) from exc
    except Exception as exc:  # plugin code: pluggy reads every attribute of the object
        raise PluginContractError(
            f"Registering it raised {type(exc).__name__}: {exc}",
            hint="Attributes of a plugin object must be readable without side effects",
        ) from exc
    try:
        _check_hooks(plugin, manager)
    except PluginContractError:
        manager.unregister(plugin)
        raise
    return plugin


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
            str(exc), hint="Implement a hook that mcpkit.core.hookspecs declares"
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
            if implementation.plugin is plugin:
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
