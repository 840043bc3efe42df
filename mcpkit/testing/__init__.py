"""Test a plugin in memory: the official client, talking to a real server, without a process.

    async with connect(weather=plugin, settings={"weather": {"units": "imperial"}}) as client:
        result = await client.call_tool("weather_current", {"city": "Oslo"})

`assert_contract` checks what every plugin should keep. The fixtures of `mcpkit.testing.fixtures`
are there in every test suite where mcpkit is installed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # pytest loads this package at its start: the SDK must wait, see `__getattr__`
    from mcp import Client

    from mcpkit.core.extensions.following import FollowTasks
    from mcpkit.testing.contract import Finding, assert_contract, check_plugin
    from mcpkit.testing.memory import connect

__all__ = ["Client", "Finding", "FollowTasks", "assert_contract", "check_plugin", "connect"]

_MODULES = {
    "Client": "mcp",
    "Finding": "mcpkit.testing.contract",
    "FollowTasks": "mcpkit.core.extensions.following",
    "assert_contract": "mcpkit.testing.contract",
    "check_plugin": "mcpkit.testing.contract",
    "connect": "mcpkit.testing.memory",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value
    return value
