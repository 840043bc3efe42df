"""Search for mcpkit: the operator's own documents, offline, and the web.

Importing this package is cheap: `plugin` is imported when it is first used, so that the process
that reads documents (`mcpkit_plugin_search.child`) starts without the SDK.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # imported on first use: see `__getattr__`
    from .tools import plugin

__all__ = ["plugin"]


def __getattr__(name: str) -> object:
    """Import the plugin on first use (PEP 562)."""
    if name != "plugin":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"{__name__}.tools").plugin
