"""Connections of the 2025 protocols: what each client wants to be told, and telling it.

The 2026-07-28 protocol asks per request, and its `subscriptions/listen` streams are the SDK's. The
protocols before it have a connection with a log level and resource subscriptions; changes that
plugins publish are forwarded to them here.
"""

from __future__ import annotations

import logging
import weakref
from dataclasses import dataclass, field
from typing import Any

import anyio
import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.session import ServerSession
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    PromptsListChanged,
    ResourcesListChanged,
    ResourceUpdated,
    ServerEvent,
    ToolsListChanged,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from mcpkit.core.adopted import Adopted

logger = logging.getLogger(__name__)

BACKLOG = 1024
"""Most events that wait for one slow client; further ones are dropped, and that is logged."""


@dataclass(slots=True)
class Wishes:
    """What one connection wants to be told, and whether somebody tells it."""

    is_told: bool = False
    log_level: types.LoggingLevel | None = None
    uris: set[str] = field(default_factory=set)


class Connections:
    """Keeps the wishes of open connections and forwards events to them.

    Args:
        bus: Where plugins publish changes.
        adopted: The SDK servers among the plugins, which publish what is watched.
    """

    def __init__(self, bus: InMemorySubscriptionBus, adopted: Adopted | None = None) -> None:
        self._bus = bus
        self._adopted = adopted
        self._wishes: dict[int, Wishes] = {}

    def wishes(self, session: ServerSession) -> Wishes:
        """What the connection of this session wants; kept as long as the connection."""
        identity = session.client_params
        if identity is None or session.protocol_version in MODERN_PROTOCOL_VERSIONS:
            return Wishes()
        key = id(identity)
        if key not in self._wishes:
            self._wishes[key] = Wishes()
            weakref.finalize(identity, self._wishes.pop, key, None)
        return self._wishes[key]

    async def set_level(
        self, ctx: ServerRequestContext[Any, Any], params: types.SetLevelRequestParams
    ) -> types.EmptyResult:
        """Answer `logging/setLevel`."""
        self.wishes(ctx.session).log_level = params.level
        return types.EmptyResult()

    async def subscribe(
        self, ctx: ServerRequestContext[Any, Any], params: types.SubscribeRequestParams
    ) -> types.EmptyResult:
        """Answer `resources/subscribe`, for a URI that is served."""
        uri, wishes = str(params.uri), self.wishes(ctx.session)
        if self._adopted is not None and wishes.is_told and uri not in wishes.uris:
            self._adopted.watch(uri)
        wishes.uris.add(uri)
        return types.EmptyResult()

    async def unsubscribe(
        self, ctx: ServerRequestContext[Any, Any], params: types.UnsubscribeRequestParams
    ) -> types.EmptyResult:
        """Answer `resources/unsubscribe`."""
        uri, wishes = str(params.uri), self.wishes(ctx.session)
        if self._adopted is not None and wishes.is_told and uri in wishes.uris:
            self._adopted.unwatch(uri)
        wishes.uris.discard(uri)
        return types.EmptyResult()

    async def forward(
        self, ctx: ServerRequestContext[Any, Any], params: types.NotificationParams | None
    ) -> None:
        """Tell one connection of changes, from `notifications/initialized` until it closes.

        A client that says so again is not told twice; one that never opened is not told.
        """
        opened, wishes = ctx.session.client_params, self.wishes(ctx.session)
        if opened is None or wishes.is_told:
            return
        wishes.is_told = True
        send, receive = anyio.create_memory_object_stream[ServerEvent](BACKLOG)
        waiting: set[ServerEvent] = set()

        def deliver(event: ServerEvent) -> None:
            if event in waiting:
                return  # the client is about to be told
            try:
                send.send_nowait(event)
            except anyio.WouldBlock:
                logger.warning("A client reads too slowly: dropped %s", type(event).__name__)
            else:
                waiting.add(event)

        unsubscribe = self._bus.subscribe(deliver)
        watch = unwatch = _nothing
        if self._adopted is not None:
            watch, unwatch = self._adopted.watch, self._adopted.unwatch
        for uri in wishes.uris:
            watch(uri)
        try:
            with send, receive:
                async for event in receive:
                    waiting.discard(event)
                    if ctx.session.client_params is not opened:
                        return  # it was opened anew, and is told anew
                    notification = notification_of(event, wishes)
                    if notification is not None:
                        await ctx.session.send_notification(notification)
        finally:
            unsubscribe()
            for uri in wishes.uris:
                unwatch(uri)


def _nothing(uri: str) -> None:
    """Watch nothing: only adopted servers publish what is watched alone."""


def notification_of(event: ServerEvent, wishes: Wishes) -> types.ServerNotification | None:
    """The notification of the 2025 protocols for an event; None when it is not wanted."""
    match event:
        case ToolsListChanged():
            return types.ToolListChangedNotification()
        case PromptsListChanged():
            return types.PromptListChangedNotification()
        case ResourcesListChanged():
            return types.ResourceListChangedNotification()
        case ResourceUpdated() if event.uri in wishes.uris:
            return types.ResourceUpdatedNotification(
                params=types.ResourceUpdatedNotificationParams(uri=event.uri)
            )
    return None
