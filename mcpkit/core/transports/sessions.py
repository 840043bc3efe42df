"""Sessions of the 2025 protocols over HTTP: requests come one by one, the SDK's loop answers them.

Each request has a stream of messages, and so has what belongs to no request.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from secrets import token_hex
from typing import Any

import anyio
import mcp_types as types
from mcp.server.auth.middleware.bearer_auth import AuthorizationContext
from mcp.server.lowlevel import Server
from mcp.server.runner import serve_loop
from mcp.server.streamable_http import REQUEST_CANCELLED
from mcp.shared.message import ServerMessageMetadata, SessionMessage
from mcp_types.jsonrpc import CONNECTION_CLOSED
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from mcpkit.core.clients import Place, RequestLimit
from mcpkit.core.encoding import encode
from mcpkit.core.settings import Settings
from mcpkit.core.transports.batches import BatchPart, Held, PostedBatch
from mcpkit.core.transports.bodies import Posted, reject, reject_with
from mcpkit.core.transports.channels import Inbox, Outbox
from mcpkit.core.transports.events import EventLog
from mcpkit.core.transports.messages import busy, failure, taken, write_message
from mcpkit.core.transports.refusals import refusal
from mcpkit.core.transports.responses import Company, Response, answer
from mcpkit.core.transports.streams import Stream

logger = logging.getLogger(__name__)

UNASKED = "unasked"
"""The stream of what belongs to no request; the id of a request is JSON, which this is not."""

FAREWELL = 5.0
"""Seconds that clients get to take the last messages when their session ends."""

PRIMED = "2025-11-25"
"""The first version whose clients know an event without a message (SEP-1699)."""


class Session:
    """One client that has shaken hands, or is about to.

    Args:
        owner: Whose session it is; None where nobody is known.
        place: Its place among the sessions of all clients.
        settings: Of the server.
        company: Looks after requests that last.
    """

    def __init__(
        self,
        owner: AuthorizationContext | None,
        place: Place,
        settings: Settings,
        company: Company,
    ) -> None:
        self.name = token_hex(16)
        self.owner = owner
        self.version: object = None
        """Of the protocol, once the client has shaken hands."""
        self.place = place
        place.end = self.end
        self._settings = settings.http
        self._company = company
        self._headers = [(b"mcp-session-id", self.name.encode())]
        self._log: EventLog | None = None
        if (limit := self._settings.resumable_events) > 0:
            self._log = EventLog(limit, self._settings.resumable_size, place.client.kept)
        self._streams: dict[str, Stream] = {}
        self._limit = RequestLimit(settings.calls.limit_per_connection, place)
        self._unasked = Stream(UNASKED, self._log)
        self._inbox = Inbox()
        self._life = anyio.CancelScope()

    async def run(self, server: Server[Any], state: Any) -> None:
        """Answer until the session is ended, or nobody has used it for long."""
        outbox = Outbox(self._deliver)
        with self._life:
            await serve_loop(
                server, self._inbox, outbox, lifespan_state=state, session_id=self.name
            )
        try:
            await self._say_goodbye()
        finally:
            if self._log is not None:
                self._log.clear()

    async def _say_goodbye(self) -> None:
        with anyio.move_on_after(FAREWELL, shield=True):
            for stream in [*self._streams.values()]:
                if stream.request_id is not None:
                    error = failure(CONNECTION_CLOSED, "The session has ended", stream.request_id)
                    await self._deliver(SessionMessage(error))
            await self._unasked.close()

    @property
    def is_ended(self) -> bool:
        """Whether it takes no further message."""
        return self._life.cancel_called

    def end(self) -> None:
        """End it: what is in flight is cancelled, and its clients are told."""
        self._life.cancel()

    @contextmanager
    def used(self) -> Iterator[None]:
        """Keep it from ending because nobody uses it."""
        self._life.deadline = math.inf
        self.place.use()
        try:
            yield
        finally:
            if self.place.release():
                self._life.deadline = anyio.current_time() + self._settings.session_idle_timeout

    async def post(
        self, scope: Scope, receive: Receive, send: Send, posted: Posted
    ) -> types.JSONRPCMessage | None:
        """Take one message; answer it, or let its client go when it is to resume.

        Returns:
            What a request was answered with, if it was.
        """
        request = Request(scope, posted.again(receive))
        message = posted.message
        if not isinstance(message, types.JSONRPCRequest):
            metadata = ServerMessageMetadata(request_context=request)
            self._inbox.put(SessionMessage(message, metadata))
            await answer(send, 202, b"", self._headers)
            return None
        size = len(posted.body)
        if (refused := self._refused(message.id, size)) is not None:
            await reject_with(send, 400, refused.error, message.id)
            return None
        name = encode(message.id).decode()
        can_resume = self._log is not None and posted.version >= PRIMED
        opening = partial(self._priming, name) if can_resume else None
        stream = Stream(name, self._log, message.id, streams=not self._settings.json_response)
        stream.response = Response(scope, receive, send, self._headers, opening)
        stream.size = size
        self._company.add(stream)
        try:
            self._ask(message, stream, request, can_resume=can_resume)
            await stream.let_go.wait()
        finally:
            self._company.remove(stream)
        return stream.answer

    async def post_batch(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        posted: Posted,
        messages: Sequence[SessionMessage | types.JSONRPCError],
    ) -> None:
        """Take the messages of a batch, and answer its requests together."""
        request = Request(scope, posted.again(receive))
        answers = sum(not isinstance(one, SessionMessage) or _is_request(one) for one in messages)
        response = Response(scope, receive, send, self._headers)
        streams = not self._settings.json_response
        batch = PostedBatch(response, answers, Held(self.place), streams=streams)
        size = len(posted.body) // len(messages)
        if not answers:
            await answer(send, 202, b"", self._headers)
        else:
            self._company.add(batch)
        try:
            for message in messages:
                refused = self._take_part(message, request, batch, size)
                if refused is not None:
                    data = write_message(SessionMessage(refused))
                    await batch.answered(data, refused.id)
            if answers:
                await batch.let_go.wait()
        finally:
            batch.let_go.set()
            batch.drop()
            self._company.remove(batch)

    def _take_part(
        self,
        message: SessionMessage | types.JSONRPCError,
        request: Request,
        batch: PostedBatch,
        size: int,
    ) -> types.JSONRPCError | None:
        """Pass on one message of a batch; the answer if it is refused."""
        if isinstance(message, types.JSONRPCError):
            return message
        item = message.message
        if not isinstance(item, types.JSONRPCRequest):
            metadata = ServerMessageMetadata(request_context=request)
            self._inbox.put(SessionMessage(item, metadata))
            return None
        refused = self._refused(item.id, size)
        if refused is None:
            stream = Stream(encode(item.id).decode(), None, item.id, streams=batch.streams)
            stream.response, stream.size = BatchPart(batch, item.id), size
            self._ask(item, stream, request, can_resume=False)
        return refused

    def _refused(self, request_id: types.RequestId, size: int) -> types.JSONRPCError | None:
        """The answer to a request that is refused; any other one counts from now on."""
        if encode(request_id).decode() in self._streams:
            return taken(request_id)
        return None if self._limit.take(size) else busy(request_id)

    def _ask(
        self, message: types.JSONRPCRequest, stream: Stream, request: Request, *, can_resume: bool
    ) -> None:
        """Pass a request to the server, whose messages about it go into a stream."""
        self._streams[stream.name] = stream
        metadata = ServerMessageMetadata(
            request_context=request,
            close_sse_stream=stream.close if can_resume else None,
            close_standalone_sse_stream=self._unasked.close if can_resume else None,
            on_request_unanswered=partial(self._cancelled, message.id),
            can_send_request=stream.streams,
        )
        self._inbox.put(SessionMessage(message, metadata))

    async def listen(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send what belongs to no request, until the client goes."""
        if self._unasked.response is not None:
            text = "This session has a stream already"
            await reject(send, 409, types.INVALID_REQUEST, text)
            return
        await self._unasked.follow(Response(scope, receive, send, self._headers))

    async def resume(self, scope: Scope, receive: Receive, send: Send, event: str) -> None:
        """Send what a client has missed since an event, then what follows."""
        response = Response(scope, receive, send, self._headers)
        found = self._log.after(event) if self._log is not None else None
        if found is not None and found[0].is_last:
            # Clients of the TypeScript SDK 1.x ask so after every error; 405 makes them stop.
            allow = [(b"allow", b"POST, DELETE"), *self._headers]
            await answer(send, 405, b"", allow)
            return
        while found is not None and found[1]:
            for missed in found[1]:
                await response.write(missed.framed(), bytes)  # with its id, not anew
            found = self._log.after(found[1][-1].name) if self._log is not None else None
        stream = None if found is None or found[0].is_last else self._stream(found[0].stream)
        if stream is None:
            await response.close()
        else:
            await stream.follow(response)

    def _stream(self, name: str) -> Stream | None:
        return self._unasked if name == UNASKED else self._streams.get(name)

    async def _deliver(self, message: SessionMessage) -> None:
        """Send what the loop says where it belongs."""
        said = message.message
        data = write_message(message)
        if isinstance(said, types.JSONRPCResponse | types.JSONRPCError):
            stream = self._streams.pop(encode(said.id).decode(), None)
            if stream is not None:
                self._limit.give(stream.size)
                stream.answer = said
                refused = refusal(said.error) if isinstance(said, types.JSONRPCError) else None
                await stream.end(data, *(refused or ()))
            return
        metadata = message.metadata
        related = (
            metadata.related_request_id if isinstance(metadata, ServerMessageMetadata) else None
        )
        if related is None:
            await self._unasked.tell(data)
            return
        stream = self._streams.get(encode(related).decode())
        if stream is not None and stream.streams:
            await stream.tell(data)

    async def _cancelled(self, request_id: types.RequestId) -> None:
        """Answer a request that its client has cancelled: its stream ends with a response only."""
        error = failure(REQUEST_CANCELLED, "The request was cancelled", request_id)
        await self._deliver(SessionMessage(error))

    def _priming(self, name: str) -> bytes:
        """The event that opens a stream: an id to resume from, before anything was said."""
        pause = round(self._settings.retry_interval * 1000)
        return b"" if self._log is None else self._log.add(name, b"").framed(pause)


def _is_request(message: SessionMessage) -> bool:
    return isinstance(message.message, types.JSONRPCRequest)
