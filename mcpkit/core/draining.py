"""Draining: know which requests of one connection are unanswered, so that it closes after them."""

from __future__ import annotations

from typing import Any

import anyio
import mcp_types as types
from anyio.abc import ObjectReceiveStream, ObjectSendStream
from mcp.shared.dispatcher import as_request_id, coerce_request_id
from mcp.shared.message import SessionMessage

from mcpkit.core.middleware import LISTEN

CANCELLED = "notifications/cancelled"
"""Notification by which a client gives up a request."""


class Unanswered:
    """The requests of one connection that are not answered yet; subscriptions do not count."""

    def __init__(self) -> None:
        self._ids: set[types.RequestId] = set()
        self._none = anyio.Event()
        self._none.set()

    def asked(self, message: SessionMessage | Exception) -> None:
        """Note what came in; a request that its client cancels is not answered."""
        if not isinstance(message, SessionMessage):
            return
        item = message.message
        if isinstance(item, types.JSONRPCRequest) and item.method != LISTEN:
            if not self._ids:
                self._none = anyio.Event()
            self._ids.add(item.id)
        elif isinstance(item, types.JSONRPCNotification) and item.method == CANCELLED:
            cancelled = as_request_id((item.params or {}).get("requestId"))
            if cancelled is not None:
                self._settle(*(kept for kept in self._ids if _is_same(kept, cancelled)))

    def answered(self, message: SessionMessage) -> None:
        """Note what went out."""
        if isinstance(message.message, types.JSONRPCResponse | types.JSONRPCError):
            self._settle(message.message.id)

    def _settle(self, *request_ids: types.RequestId | None) -> None:
        self._ids.difference_update(request_ids)
        if not self._ids:
            self._none.set()

    async def wait(self) -> None:
        """Return when everything is answered."""
        while self._ids:
            await self._none.wait()


def _is_same(one: types.RequestId, other: types.RequestId) -> bool:
    """Whether the SDK takes two ids for one when a request is cancelled: 7 and "7" are."""
    return coerce_request_id(one) == coerce_request_id(other)


class CountedReceive(ObjectReceiveStream[SessionMessage | Exception]):
    """The read side of a connection, counted."""

    def __init__(self, stream: Any, unanswered: Unanswered) -> None:
        self._stream = stream
        self._unanswered = unanswered

    async def receive(self) -> SessionMessage | Exception:
        """Receive a message and note it."""
        message: SessionMessage | Exception = await self._stream.receive()
        self._unanswered.asked(message)
        return message

    async def aclose(self) -> None:
        """Close the stream."""
        await self._stream.aclose()


class CountedSend(ObjectSendStream[SessionMessage]):
    """The write side of a connection, counted."""

    def __init__(self, stream: Any, unanswered: Unanswered) -> None:
        self._stream = stream
        self._unanswered = unanswered

    async def send(self, item: SessionMessage) -> None:
        """Send a message; it is answered when the transport has taken it."""
        await self._stream.send(item)
        self._unanswered.answered(item)

    async def aclose(self) -> None:
        """Close the stream."""
        await self._stream.aclose()
