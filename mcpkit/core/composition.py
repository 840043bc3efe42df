"""What a server is made of, when all plugins are loaded and their lifespans are open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from mcp.server.subscriptions import InMemorySubscriptionBus

from mcpkit.core.adopted import Adopted
from mcpkit.core.calls import Caller
from mcpkit.core.contributions import Extension
from mcpkit.core.middleware import Gate
from mcpkit.core.registry import Registry
from mcpkit.core.settings import Settings

if TYPE_CHECKING:  # only for annotations: few servers have tasks
    from mcpkit.core.tasks.running import Tasks


class Activation(Protocol):
    """Activates plugins that are listed and not there yet."""

    async def activate(self, plugin: str, seconds: float) -> None:
        """Make sure that a plugin is active; raise `MCPError` if it cannot be, or not in time."""
        ...

    async def activate_owners(self, name: str, seconds: float) -> bool:
        """Activate the plugins that an unknown name may belong to; tell whether there was one."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    """Everything a server is made of.

    Attributes:
        settings: Name, version and texts that clients see.
        instructions: Of the plugins, in order.
        registry: What clients can use.
        caller: Runs calls.
        states: What lifespans yielded, by plugin.
        plugin_settings: Filled settings models, by plugin.
        bus: Where changes are published.
        gate: Counts requests in flight.
        extensions: What is added to the protocol, with the plugin that adds it.
        tasks: Runs calls that outlive their request; None when no tool may.
        activation: Activates plugins that were listed from their catalogues, or still start.
        adopted: The SDK servers among the plugins; None when there are none.
    """

    settings: Settings
    instructions: tuple[str, ...]
    registry: Registry
    caller: Caller
    states: Mapping[str, Any]
    plugin_settings: Mapping[str, Any]
    bus: InMemorySubscriptionBus
    gate: Gate
    activation: Activation
    extensions: tuple[tuple[str, Extension], ...] = ()
    tasks: Tasks | None = None
    adopted: Adopted | None = None
