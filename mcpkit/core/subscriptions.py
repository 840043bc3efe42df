"""Subscriptions to resources: to those that are there, and not to too many, in both eras."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from contextlib import nullcontext
from typing import Any

import mcp_types as types
from anyio.lowlevel import checkpoint
from mcp.server.context import ServerRequestContext
from mcp.server.subscriptions import ListenHandler
from mcp.shared.exceptions import MCPError

from mcpkit.core.adopted import Adopted
from mcpkit.core.connections import Connections
from mcpkit.core.encoding import encode
from mcpkit.core.settings import ListSettings

CheckResource = Callable[[str], Awaitable[None]]
"""Checks that a component serves a URI, and raises `MCPError` if none does."""

EACH = 64
"""Bytes that a subscription takes beside its URI."""

ENVELOPE = 8192
"""Bytes that the parameters of a subscription may have beside its URIs: it keeps them."""


class Subscriptions:
    """Answers requests to subscribe.

    Args:
        connections: Keep the subscriptions of the 2025 protocols.
        listen: Keeps those of the modern one.
        check: Checks URIs.
        settings: How much one connection may subscribe to.
        adopted: The SDK servers among the plugins, which publish what is watched.
    """

    def __init__(
        self,
        connections: Connections,
        listen: ListenHandler,
        check: CheckResource,
        settings: ListSettings,
        adopted: Adopted | None,
    ) -> None:
        self._connections = connections
        self._listen = listen
        self._check = check
        self._most = settings.max_subscribed_size
        self._adopted = adopted

    async def subscribe(
        self, ctx: ServerRequestContext[Any, Any], params: types.SubscribeRequestParams
    ) -> types.EmptyResult:
        """Answer `resources/subscribe`.

        Raises:
            MCPError: No component serves the URI, or there are too many.
        """
        uris = self._connections.wishes(ctx.session).uris
        await self._allow({*uris, str(params.uri)}, [str(params.uri)])
        return await self._connections.subscribe(ctx, params)

    async def listen(
        self, ctx: ServerRequestContext[Any, Any], params: types.SubscriptionsListenRequestParams
    ) -> types.SubscriptionsListenResult:
        """Answer `subscriptions/listen`.

        Raises:
            MCPError: No component serves one of the URIs, or there are too many.
        """
        uris = [str(uri) for uri in params.notifications.resource_subscriptions or ()]
        if len(encode(ctx.params)) > self._most + ENVELOPE:
            raise self._too_much()
        await self._allow(uris, uris)
        with nullcontext() if self._adopted is None else self._adopted.watching(uris):
            return await self._listen(ctx, params)

    async def _allow(self, uris: Collection[str], new: Collection[str]) -> None:
        if sum(len(uri.encode(errors="replace")) + EACH for uri in uris) > self._most:
            raise self._too_much()
        for uri in new:
            await self._check(uri)
            await checkpoint()  # each may be compared with many templates

    def _too_much(self) -> MCPError:
        return MCPError(
            types.INVALID_PARAMS,
            f"Too many subscriptions: their URIs may have {self._most} bytes, {EACH} more for each;"
            " unsubscribe from others first, or subscribe to fewer",
        )
