"""Hooks of plugins: each plugin is registered with a pluggy manager of its own, and asked alone.

So every failure is attributable, and a plugin whose attributes, equality or hash misbehave meets no
other plugin: a manager that all share would look at each of them whenever it is asked.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import pluggy

from mcpkit.core import hookspecs, jobs
from mcpkit.core.errors import PluginContractError, reason_of
from mcpkit.core.jobs import Job

HINT = "Hooks only declare; do work in a lifespan or in handlers"


def create_manager(plugin: object, name: str) -> pluggy.PluginManager:
    """Make a manager that knows every hook and one plugin.

    Raises:
        PluginValidationError: A hook is not as it is specified.
        Exception: Whatever reading the attributes of the plugin raises.
    """
    manager = pluggy.PluginManager(hookspecs.PROJECT_NAME)
    manager.add_hookspecs(hookspecs)
    manager.register(plugin, name)
    return manager


def hook_names() -> tuple[str, ...]:
    """The names of all hooks, in the order in which they are called."""
    return tuple(name for name in vars(hookspecs) if name.startswith("mcpkit_"))


def ask(manager: pluggy.PluginManager | None, hook: str, **arguments: Any) -> list[Any]:
    """Call one hook of one plugin.

    Args:
        manager: Of the plugin; None for one that is not imported, which has no answer.
        hook: Name of the hook.
        **arguments: What the hook may take.

    Returns:
        What its implementations returned, None left out; usually no item or one.

    Raises:
        PluginContractError: The hook raised, or tried to exit; what it raised is the cause.
    """
    if manager is None:
        return []
    try:
        return list(getattr(manager.hook, hook)(**arguments))
    except BaseException as exc:  # plugin code: anything may come
        raise PluginContractError(f"Its hook {hook!r} raised {reason_of(exc)}", hint=HINT) from exc


def ask_for_items(
    manager: pluggy.PluginManager | None, hook: str, kind: Any, **arguments: Any
) -> list[Any]:
    """Call one hook that returns an iterable of records, and check each one's type.

    Raises:
        PluginContractError: The hook raised, or returned something else.
    """
    items: list[Any] = []
    for answer in ask(manager, hook, **arguments):
        try:
            items.extend(answer)
        except BaseException as exc:  # plugin code: a generator may raise anything
            raise PluginContractError(
                f"Its hook {hook!r} must return an iterable; got {type(answer).__name__}: "
                f"{reason_of(exc)}",
                hint=f"Return a list from {hook}",
            ) from exc
    for item in items:
        if not isinstance(item, kind):
            raise PluginContractError(
                f"Its hook {hook!r} returned {type(item).__name__}, which is no {kind.__name__}",
                hint=f"See the documentation of {hook}",
            )
    return items


def start_asking(
    manager: pluggy.PluginManager | None, hook: str, kind: Any, **arguments: Any
) -> Job[list[Any]]:
    """Call a hook, as `ask_for_items` does, in a thread of its own: it may never return."""
    ask_now = partial(ask_for_items, manager, hook, kind, **arguments)
    return jobs.start(ask_now, f"ask {hook}")


def answer_in_time(job: Job[list[Any]], hook: str, seconds: float) -> list[Any]:
    """What a hook returned, after it was waited for.

    Raises:
        PluginContractError: It has not returned, raised, or returned something else.
    """
    if not job.done():
        raise PluginContractError(
            f"Its hook {hook!r} did not return within {seconds:g} s", hint=HINT
        )
    return job.result()
