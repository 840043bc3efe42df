"""The plugin manager of pluggy: where plugins are registered, and asked one at a time.

Asking one plugin at a time is what makes every failure attributable.
"""

from __future__ import annotations

from typing import Any

import pluggy

from mcpkit.core import hookspecs
from mcpkit.core.errors import PluginContractError


def create_manager() -> pluggy.PluginManager:
    """Make a manager that knows every hook and no plugin."""
    manager = pluggy.PluginManager(hookspecs.PROJECT_NAME)
    manager.add_hookspecs(hookspecs)
    return manager


def hook_names() -> tuple[str, ...]:
    """The names of all hooks, in the order in which they are called."""
    return tuple(name for name in vars(hookspecs) if name.startswith("mcpkit_"))


def ask(manager: pluggy.PluginManager, plugin: object, hook: str, **arguments: Any) -> list[Any]:
    """Call one hook of one registered plugin.

    Returns:
        What its implementations returned, None left out; usually no item or one.

    Raises:
        PluginContractError: The hook raised, or tried to exit; what it raised is the cause.
    """
    others = [other for other in manager.get_plugins() if other is not plugin]
    caller = manager.subset_hook_caller(hook, others)
    try:
        answers = caller(**arguments)
    except (Exception, SystemExit) as exc:  # plugin code: anything may come
        raise PluginContractError(
            f"Its hook {hook!r} raised {type(exc).__name__}: {exc}",
            hint="Hooks only declare; do work in a lifespan or in handlers",
        ) from exc
    return list(answers)


def ask_for_items(
    manager: pluggy.PluginManager, plugin: object, hook: str, kind: type, **arguments: Any
) -> list[Any]:
    """Call one hook that returns an iterable of records, and check each one's type.

    Raises:
        PluginContractError: The hook raised, or returned something else.
    """
    items: list[Any] = []
    for answer in ask(manager, plugin, hook, **arguments):
        try:
            items.extend(answer)
        except Exception as exc:  # plugin code: a generator may raise anything
            raise PluginContractError(
                f"Its hook {hook!r} must return an iterable; got {type(answer).__name__}: {exc}",
                hint=f"Return a list from {hook}",
            ) from exc
    for item in items:
        if not isinstance(item, kind):
            raise PluginContractError(
                f"Its hook {hook!r} returned {item!r}, which is no {kind.__name__}",
                hint=f"See the documentation of {hook}",
            )
    return items
