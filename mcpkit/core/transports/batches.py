"""Batches: several messages at a time, in the one version of the protocol that has them.

The answers come together (specification of 2025-03-26, basic, "Batching"; JSON-RPC 2.0, section 6).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import anyio
import mcp_types as types
from mcp.server.streamable_http import REQUEST_CANCELLED
from mcp.shared.dispatcher import as_request_id, coerce_request_id
from mcp.shared.message import SessionMessage

from mcpkit.core.clients import Place
from mcpkit.core.transports.messages import BATCHES, failure, write_message
from mcpkit.core.transports.responses import Header, Response, framed

CANCELLED = "notifications/cancelled"

TOO_LARGE = 413
"""JSON-RPC error code of an answer that is not kept for its batch (outside MCP's range)."""

SMALL = 1024
"""Bytes of an answer that is always kept: an error in its place has hardly fewer."""

MOST_HELD = 64 * 1024 * 1024
"""Bytes of answers on one connection of lines that wait for others of their batches."""


class Held:
    """Bytes of answers that wait for the others of their batches.

    They count as requests in flight do, with all that the client has; without a place of a client
    they have a limit of their own.
    """

    def __init__(self, place: Place | None = None) -> None:
        self._place = place
        self._size = 0

    def keep(self, answer: bytes, request_id: types.RequestId | None) -> bytes:
        """Count an answer; return what is kept of it, an error where it has no room."""
        size = len(answer)
        if size > SMALL and not self._has_room(size):
            text = "This answer has no room in the batch: ask in a request of its own"
            answer = write_message(SessionMessage(failure(TOO_LARGE, text, request_id)))
        self._count(len(answer))
        return answer

    def give_back(self, answers: Iterable[bytes]) -> None:
        """Count answers no more."""
        self._count(-sum(map(len, answers)))

    def _has_room(self, size: int) -> bool:
        if self._place is not None:
            return self._place.has_room(size)
        return self._size + size <= MOST_HELD

    def _count(self, size: int) -> None:
        self._size += size
        if self._place is not None:
            self._place.count(0, size)


def joined(answers: Iterable[bytes]) -> bytes:
    """Several messages as one."""
    return b"[%b]" % b",".join(answers)


class PostedBatch:
    """The response to the requests of one batch that came over HTTP.

    It is JSON, or an event stream with an event for each answer.

    Args:
        response: Takes the answers.
        count: How many there will be.
        held: Counts answers that wait.
        streams: Whether the response may become an event stream.
    """

    def __init__(self, response: Response, count: int, held: Held, *, streams: bool) -> None:
        self.response = response
        self.let_go = anyio.Event()
        """Set when the response is over."""
        self._left = count
        self.streams = streams
        self._held = held
        self._answers: list[bytes] = []

    async def answered(self, data: bytes, request_id: types.RequestId | None) -> bool:
        """Take one answer; with the last one, send all."""
        self._left -= 1
        if self.let_go.is_set():
            return False  # nobody waits for it
        self._answers.append(self._held.keep(data, request_id) if self._left else data)
        if not self._left:
            last = self._answers.pop()
            answers = [*self._answers, last]
            self.drop()
            await self.response.end(joined(answers), frame=lambda _: b"".join(map(framed, answers)))
            self.let_go.set()
        return True

    def drop(self) -> None:
        """Keep the answers no longer."""
        answers, self._answers = self._answers, []
        self._held.give_back(answers)

    async def accompany(self) -> None:
        """Begin a stream if it takes long, and notice when the client goes."""
        if self.streams:
            await self.response.begin()
        await self.response.watched(comments=self.streams)
        self.response.is_over = True
        self.let_go.set()
        self.drop()


class BatchPart:
    """The response to one request of a batch (`mcpkit.core.transports.streams.Outlet`)."""

    def __init__(self, batch: PostedBatch, request_id: types.RequestId) -> None:
        self.is_over = False
        self._batch = batch
        self._request_id = request_id

    async def write(self, data: bytes, frame: Callable[[bytes], bytes] = framed) -> bool:
        """Send an event before the answers."""
        return await self._batch.response.write(data, frame)

    async def end(
        self,
        body: bytes,
        status: int = 200,
        headers: Sequence[Header] = (),
        frame: Callable[[bytes], bytes] = framed,
    ) -> bool:
        """Add the answer to those of the others."""
        self.is_over = True
        return await self._batch.answered(body, self._request_id)

    async def begin(self) -> None:
        """The batch begins its stream itself."""

    async def close(self) -> None:
        """The stream is that of the others as well."""

    async def watched(self, *, comments: bool = True) -> None:
        """The batch watches its client itself."""


class LineBatches:
    """Batches on one connection that carries lines."""

    def __init__(self) -> None:
        self._version: object = None
        self._handshake: types.RequestId | None = None
        self._waiting: dict[types.RequestId, _LineBatch] = {}
        self._held = Held()
        self._refused: dict[int, tuple[types.JSONRPCError, bytes]] = {}
        """By the identity of an error that is sent: that error, and what stands for it."""

    @property
    def are_allowed(self) -> bool:
        """Whether the client has shaken hands in the version that has batches."""
        return self._version == BATCHES

    def asked(self, message: SessionMessage) -> types.JSONRPCError | None:
        """Note what came in.

        Returns:
            The answer to a request of a batch that is cancelled: the others wait for it.
        """
        item = message.message
        if isinstance(item, types.JSONRPCRequest) and item.method == "initialize":
            self._handshake = item.id
        if isinstance(item, types.JSONRPCNotification) and item.method == CANCELLED:
            cancelled = as_request_id((item.params or {}).get("requestId"))
            if cancelled is None:
                return None
            for request_id in self._waiting:
                if coerce_request_id(request_id) == coerce_request_id(cancelled):
                    text = "The request was cancelled"
                    return failure(REQUEST_CANCELLED, text, request_id)
        return None

    def open(
        self, messages: Sequence[SessionMessage | types.JSONRPCError]
    ) -> Sequence[types.JSONRPCError]:
        """Note a batch.

        Returns:
            What to send at once: an error that stands for all, if no request is waited for.
        """
        errors = [one for one in messages if isinstance(one, types.JSONRPCError)]
        answers = [write_message(SessionMessage(error)) for error in errors]
        ids = {
            one.message.id
            for one in messages
            if isinstance(one, SessionMessage) and isinstance(one.message, types.JSONRPCRequest)
        }
        batch = _LineBatch(ids, answers)
        self._waiting.update(dict.fromkeys(ids, batch))
        if ids or not errors:
            return []
        self._refused[id(errors[0])] = (errors[0], joined(answers))
        return errors[:1]

    def answered(self, message: SessionMessage) -> bytes | None:
        """Take what goes out, and write it; None if it waits for the others of its batch."""
        item = message.message
        if (refused := self._refused.pop(id(item), None)) is not None:
            return refused[1]
        data = write_message(message)
        if not isinstance(item, types.JSONRPCResponse | types.JSONRPCError) or item.id is None:
            return data
        if item.id == self._handshake and isinstance(item, types.JSONRPCResponse):
            self._version, self._handshake = item.result.get("protocolVersion"), None
        batch = self._waiting.pop(item.id, None)
        if batch is None:
            return data
        batch.left.discard(item.id)
        if batch.left:
            data = self._held.keep(data, item.id)
            batch.kept.append(data)
        batch.answers.append(data)
        if batch.left:
            return None
        self._held.give_back(batch.kept)
        return joined(batch.answers)


class _LineBatch:
    """A batch that is being answered."""

    def __init__(self, left: set[types.RequestId], answers: list[bytes]) -> None:
        self.left = left
        self.answers = answers
        self.kept: list[bytes] = []
        """Those of the answers that count as held."""
