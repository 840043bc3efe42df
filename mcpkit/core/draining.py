"""Requests in flight on one connection: they have a limit, and it closes when all are answered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import anyio
import mcp_types as types
from anyio.abc import ObjectReceiveStream, ObjectSendStream
from mcp.shared.dispatcher import as_request_id, coerce_request_id
from mcp.shared.message import SessionMessage

from mcpkit.core.clients import RequestLimit
from mcpkit.core.encoding import encode
from mcpkit.core.middleware import LISTEN
from mcpkit.core.transports.messages import busy, taken
from mcpkit.core.versions import naming_all

CANCELLED = "notifications/cancelled"
"""Notification by which a client gives up a request."""


class _Asked(NamedTuple):
    """A request; a subscription is not waited for."""

    is_subscription: bool
    size: int


class Unanswered:
    """The requests of one connection that are not answered yet.

    Args:
        limit: Of their number; None for no limit.
    """

    def __init__(self, limit: RequestLimit | None = None) -> None:
        self._limit = limit
        self._ids: dict[types.RequestId, _Asked] = {}
        self._open = 0
        self._settled = anyio.Event()

    def asked(self, message: SessionMessage | Exception) -> types.JSONRPCError | None:
        """Note what came in; a request that its client cancels is not answered.

        Returns:
            The answer to a request that is refused: too many are in flight, or its id is taken.
        """
        if not isinstance(message, SessionMessage):
            return None
        item = message.message
        if isinstance(item, types.JSONRPCRequest):
            return self._add(item)
        if isinstance(item, types.JSONRPCNotification) and item.method == CANCELLED:
            cancelled = as_request_id((item.params or {}).get("requestId"))
            if cancelled is not None:
                for kept in [kept for kept in self._ids if _is_same(kept, cancelled)]:
                    self._settle(kept)
        return None

    def answered(self, message: SessionMessage) -> None:
        """Note what went out."""
        item = message.message
        if isinstance(item, types.JSONRPCResponse | types.JSONRPCError) and item.id is not None:
            self._settle(item.id)

    def _add(self, request: types.JSONRPCRequest) -> types.JSONRPCError | None:
        if request.id in self._ids:
            return taken(request.id)
        size = 0
        if self._limit is not None:
            size = len(encode(request.params)) if self._limit.has_sizes else 0
            if not self._limit.take(size):
                return busy(request.id)
        asked = self._ids[request.id] = _Asked(request.method == LISTEN, size)
        self._open += not asked.is_subscription
        return None

    def _settle(self, request_id: types.RequestId) -> None:
        asked = self._ids.pop(request_id, None)
        if asked is None:
            return
        self._open -= not asked.is_subscription
        if self._limit is not None:
            self._limit.give(asked.size)
        self._settled.set()

    async def wait(self) -> None:
        """Return when everything is answered but subscriptions, which do not end by themselves."""
        while self._open:
            await self._change()

    async def below(self, count: int) -> None:
        """Return when fewer than so many are left, subscriptions included."""
        while len(self._ids) >= count:
            await self._change()

    async def _change(self) -> None:
        if self._settled.is_set():
            self._settled = anyio.Event()
        await self._settled.wait()


def _is_same(one: types.RequestId, other: types.RequestId) -> bool:
    """Whether the SDK takes two ids for one when a request is cancelled: 7 and "7" are."""
    return coerce_request_id(one) == coerce_request_id(other)


class CountedReceive(ObjectReceiveStream[SessionMessage | Exception]):
    """The read side of a connection, counted.

    Args:
        stream: Gives the messages of the client.
        unanswered: Counts them.
        write: Takes the answers to requests that are refused.
    """

    def __init__(self, stream: Any, unanswered: Unanswered, write: Any) -> None:
        self._stream = stream
        self._unanswered = unanswered
        self._write = write

    async def receive(self) -> SessionMessage | Exception:
        """Receive a message that is not refused."""
        while True:
            message: SessionMessage | Exception = await self._stream.receive()
            refusal = self._unanswered.asked(message)
            if refusal is None:
                return message
            await self._refuse(refusal)

    async def _refuse(self, refusal: types.JSONRPCError) -> None:
        try:
            await self._write.send(SessionMessage(refusal))
        except (anyio.BrokenResourceError, anyio.ClosedResourceError) as exc:
            raise anyio.EndOfStream from exc  # nobody reads any more

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
        if isinstance(item.message, types.JSONRPCError):
            error = naming_all(item.message.error)
            item = replace(item, message=item.message.model_copy(update={"error": error}))
        await self._stream.send(item)
        self._unanswered.answered(item)

    async def aclose(self) -> None:
        """Close the stream."""
        await self._stream.aclose()
