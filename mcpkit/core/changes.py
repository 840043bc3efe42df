"""Changes: how a plugin's background work tells clients that something is different now."""

from __future__ import annotations

from dataclasses import dataclass

from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    PromptsListChanged,
    ResourcesListChanged,
    ResourceUpdated,
    ToolsListChanged,
)


@dataclass(frozen=True, slots=True)
class Changes:
    """Publishes changes to every client that wants to know, in both protocol eras.

    A lifespan that takes a second parameter is given one; within a call the `Context` has the same
    under `notify_…`. Use it on the event loop.
    """

    bus: InMemorySubscriptionBus

    async def tools_changed(self) -> None:
        """The list of tools is different."""
        await self.bus.publish(ToolsListChanged())

    async def prompts_changed(self) -> None:
        """The list of prompts is different."""
        await self.bus.publish(PromptsListChanged())

    async def resources_changed(self) -> None:
        """The list of resources is different."""
        await self.bus.publish(ResourcesListChanged())

    async def resource_updated(self, uri: str) -> None:
        """What can be read at a URI is different."""
        await self.bus.publish(ResourceUpdated(uri=uri))
