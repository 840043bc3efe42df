"""Notifications of an adopted SDK server: what it publishes to its subscribers, the host publishes.

The host subscribes as a client would (`subscriptions/listen`): to changes of lists while the
server's lifespan is open, and to a resource while a client of the host is subscribed to it.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import anyio
import mcp_types as types
from anyio.abc import TaskGroup
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.session import ServerSession
from mcp_types.version import LATEST_MODERN_VERSION

from mcpkit.core.changes import Changes

logger = logging.getLogger(__name__)

LISTEN = "subscriptions/listen"

ALL_LISTS = types.SubscriptionFilter(
    tools_list_changed=True, prompts_list_changed=True, resources_list_changed=True
)


class Relay:
    """Subscribes to an adopted server, and publishes what it is told.

    Args:
        name: Of the server, for the log.
        server: The low-level server that publishes.
    """

    def __init__(self, name: str, server: Server[Any]) -> None:
        self._name = name
        self._server = server
        self._group: TaskGroup | None = None
        self._changes: Changes | None = None
        self._watched: dict[str, tuple[int, anyio.CancelScope]] = {}

    @asynccontextmanager
    async def open(self, changes: Changes) -> AsyncIterator[None]:
        """Publish changes of its lists until the end of the context."""
        async with anyio.create_task_group() as group:
            self._group, self._changes = group, changes
            group.start_soon(self._listen, ALL_LISTS, anyio.CancelScope())
            await anyio.lowlevel.checkpoint()  # it is subscribed before anything is published
            try:
                yield
            finally:
                self._group = None
                self._watched.clear()
                group.cancel_scope.cancel()

    @contextmanager
    def watching(self, uri: str) -> Iterator[None]:
        """Publish changes of one resource until the end of the context."""
        self.watch(uri)
        try:
            yield
        finally:
            self.unwatch(uri)

    def watch(self, uri: str) -> None:
        """Publish changes of one resource, until it is unwatched as often as watched."""
        if self._group is None:
            return
        count, scope = self._watched.get(uri, (0, anyio.CancelScope()))
        self._watched[uri] = (count + 1, scope)
        if not count:
            wanted = types.SubscriptionFilter(resource_subscriptions=[uri])
            self._group.start_soon(self._listen, wanted, scope)

    def unwatch(self, uri: str) -> None:
        """Take back one `watch`."""
        count, scope = self._watched.pop(uri, (0, None))
        if scope is None:
            return
        if count > 1:
            self._watched[uri] = (count - 1, scope)
        else:
            scope.cancel()

    async def _listen(self, wanted: types.SubscriptionFilter, scope: anyio.CancelScope) -> None:
        entry = self._server.get_request_handler(LISTEN)
        if entry is None or self._changes is None:
            return  # a server without subscriptions tells nobody, alone either
        ctx: ServerRequestContext[Any, Any] = ServerRequestContext(
            session=_Sink(self._changes),
            lifespan_context=None,
            protocol_version=LATEST_MODERN_VERSION,
            method=LISTEN,
            request_id="mcpkit",
        )
        try:
            with scope:
                params = types.SubscriptionsListenRequestParams(notifications=wanted)
                await entry.handler(ctx, params)
        except Exception as exc:  # noqa: BLE001  # plugin code: a bus of its own may raise anything
            logger.warning(
                "What the adopted server %r publishes does not reach clients: %s: %s",
                self._name,
                type(exc).__name__,
                exc,
            )


class _Sink(ServerSession):
    """The session of a subscription of the host: it publishes each notification to clients."""

    def __init__(self, changes: Changes) -> None:
        # It has no connection: a handler of subscriptions sends notifications and nothing else.
        self._told = changes

    async def send_notification(self, notification: Any, *args: Any, **kwargs: Any) -> None:
        """Publish what has changed."""
        match notification:
            case types.ToolListChangedNotification():
                await self._told.tools_changed()
            case types.PromptListChangedNotification():
                await self._told.prompts_changed()
            case types.ResourceListChangedNotification():
                await self._told.resources_changed()
            case types.ResourceUpdatedNotification():
                await self._told.resource_updated(str(notification.params.uri))
