"""Shares: how many connections of the HTTP port one client may use at once.

A connection on which a request is answered is not closed to make room, so that a client that could
use all of them would keep everybody else out.
"""

from __future__ import annotations

import logging
from collections import Counter

from starlette.types import ASGIApp, Receive, Scope, Send

from mcpkit.core.settings import HttpSettings
from mcpkit.core.transports.principals import principal_of
from mcpkit.core.transports.probes import PATHS
from mcpkit.core.transports.refusals import refuse

logger = logging.getLogger(__name__)

WAIT = "1"
"""Seconds after which a client with too many connections may try again."""


class Shares:
    """ASGI middleware that refuses clients that use as many connections as they may.

    Args:
        app: What answers.
        settings: How many one client may use.
        most: How many there may be; one client gets at most three quarters of them.
    """

    def __init__(self, app: ASGIApp, settings: HttpSettings, most: int) -> None:
        self._app = app
        self._share = min(settings.max_connections_per_client, max(1, most * 3 // 4))
        self._used: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, stream or WebSocket, or refuse it; probes always get through."""
        if scope["type"] not in {"http", "websocket"} or scope["path"] in PATHS:
            await self._app(scope, receive, send)
            return
        client = principal_of(scope)
        if self._used[client] >= self._share:
            logger.warning(
                "%s uses %d connections, its share of http.max_connections "
                "(http.max_connections_per_client): refused one more",
                client,
                self._share,
            )
            hint = "Wait for an answer, or close a stream"
            refusal = refuse(429, "Too many connections in use", hint, {"Retry-After": WAIT})
            await refusal(scope, receive, send)
            return
        self._used[client] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._used[client] -= 1
            if not self._used[client]:
                del self._used[client]
