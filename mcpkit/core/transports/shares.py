"""Shares: how much of the HTTP port one client may use at once, in connections and in bytes.

A connection on which a request is answered is not closed to make room, so that a client that could
use all of them would keep everybody else out; and a request takes memory until it is answered.
"""

from __future__ import annotations

import logging
from collections import Counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mcpkit.core.settings import HttpSettings
from mcpkit.core.transports.principals import principal_of
from mcpkit.core.transports.probes import PATHS
from mcpkit.core.transports.refusals import refuse

logger = logging.getLogger(__name__)

WAIT = "1"
"""Seconds after which a client that uses its share may try again."""


class Shares:
    """ASGI middleware that refuses clients that use as much as they may.

    Args:
        app: What answers.
        settings: How many one client may use.
        most: How many there may be; one client gets at most three quarters of them.
    """

    def __init__(self, app: ASGIApp, settings: HttpSettings, most: int) -> None:
        self._app = app
        self._share = min(settings.max_connections_per_client, max(1, most * 3 // 4))
        self._most_bytes = settings.max_requests_size_per_client
        self._used: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()

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
        body = _CountedBody(receive, send, client, self._bytes, self._most_bytes)
        try:
            await self._app(scope, receive if scope["type"] == "websocket" else body, send)
        except _NoRoomError:
            await body.refuse()
        finally:
            self._count(self._used, client, 1)
            self._count(self._bytes, client, body.size)

    @staticmethod
    def _count(counts: Counter[str], client: str, less: int) -> None:
        counts[client] -= less
        if not counts[client]:
            del counts[client]


class _NoRoomError(Exception):
    """A request has no room among the others of its client."""


class _CountedBody:
    """The body of a request, as far as its client has room for it among its others."""

    def __init__(
        self, receive: Receive, send: Send, client: str, sizes: Counter[str], most: int
    ) -> None:
        self.size = 0
        self._receive = receive
        self._send = send
        self._client = client
        self._sizes = sizes
        self._most = most

    async def __call__(self) -> Message:
        message = await self._receive()
        size = len(message.get("body", b""))
        others = self._sizes[self._client] - self.size
        if size and others and others + self.size + size > self._most:
            raise _NoRoomError
        self.size += size
        self._sizes[self._client] += size
        return message

    async def refuse(self) -> None:
        """Answer that there is no room."""
        logger.warning(
            "%s has requests of %d bytes in flight, http.max_requests_size_per_client allows %d: "
            "refused one more",
            self._client,
            self._sizes[self._client],
            self._most,
        )
        problem, hint = "Requests in flight are too large together", "Wait for an answer"
        refusal = refuse(429, problem, hint, {"Retry-After": WAIT})
        await refusal({"type": "http"}, self._receive, self._send)
