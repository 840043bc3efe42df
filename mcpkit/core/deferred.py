"""Deferred: functions of modules that most starts never need, imported when they are first called.

A host waits for the server it starts, and importing is nearly all of that wait: what only another
transport, a plugin that nobody has called, or a broken file asks for is not imported before.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # importing `typing` costs as much as a relay to a shared server

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def deferred(target: str) -> Callable[..., Any]:
    """Name a function without importing its module.

    Stands at the top of a module, where the import would: the floors hold for it all the same.

    Args:
        target: Module and function as entry points spell them: `mcpkit.core.loading:load`.
    """
    module, _, name = target.partition(":")

    def call(*arguments: Any, **named: Any) -> Any:
        return getattr(import_module(module), name)(*arguments, **named)

    return call
