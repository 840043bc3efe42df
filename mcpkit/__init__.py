"""mcpkit: the MCP server that plugins make.

Plugin authors import from here and from `mcpkit.testing`; nothing else is public to them.
Importing this module is cheap: each name is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # importing `typing` costs as much as a relay to a shared server

if TYPE_CHECKING:  # each name is imported on first use: see `__getattr__`
    from mcpkit.core.changes import Changes
    from mcpkit.core.context import Context
    from mcpkit.core.contributions import Health
    from mcpkit.core.errors import (
        FetchError,
        MCPKitError,
        PromptError,
        ResourceError,
        ResourceNotFoundError,
        ToolError,
    )
    from mcpkit.core.fetching import Fetched, FetchLimits, fetch
    from mcpkit.core.hookspecs import hookimpl, hookspec
    from mcpkit.core.plugin import Plugin
    from mcpkit.core.settings import PluginSettings
    from mcpkit.core.threads import WorkerThreads

__version__ = "0.1.0"

__all__ = [
    "Changes",
    "Context",
    "FetchError",
    "FetchLimits",
    "Fetched",
    "Health",
    "MCPKitError",
    "Plugin",
    "PluginSettings",
    "PromptError",
    "RateLimitedError",
    "ResourceError",
    "ResourceNotFoundError",
    "ToolError",
    "UnavailableError",
    "WorkerThreads",
    "__version__",
    "fetch",
    "hookimpl",
    "hookspec",
]

_MODULES = {
    "Changes": "mcpkit.core.changes",
    "Context": "mcpkit.core.context",
    "FetchError": "mcpkit.core.errors",
    "FetchLimits": "mcpkit.core.fetching",
    "Fetched": "mcpkit.core.fetching",
    "Health": "mcpkit.core.contributions",
    "MCPKitError": "mcpkit.core.errors",
    "Plugin": "mcpkit.core.plugin",
    "PluginSettings": "mcpkit.core.settings",
    "PromptError": "mcpkit.core.errors",
    "RateLimitedError": "mcpkit.core.errors",
    "ResourceError": "mcpkit.core.errors",
    "ResourceNotFoundError": "mcpkit.core.errors",
    "ToolError": "mcpkit.core.errors",
    "UnavailableError": "mcpkit.core.errors",
    "WorkerThreads": "mcpkit.core.threads",
    "fetch": "mcpkit.core.fetching",
    "hookimpl": "mcpkit.core.hookspecs",
    "hookspec": "mcpkit.core.hookspecs",
}


def __getattr__(name: str) -> object:
    """Import a public name on first use (PEP 562)."""
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, imported or not."""
    return sorted(__all__)
