"""HTTP on one connection: uvicorn's protocol, with limits on what a client sends and leaves unread.

uvicorn parses and answers; here a header has a largest size, whatever state the request is in, and
the connection can be asked what it waits for (`mcpkit.core.transports.http_connections`).
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Hashable
from functools import partial
from http import HTTPStatus
from typing import Any, cast

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from mcpkit.core.transports.http_connections import Connection, Phase
from mcpkit.core.transports.port import TOO_SLOW, Port
from mcpkit.core.transports.principals import principal_of
from mcpkit.core.transports.spare import only_probes
from mcpkit.core.transports.unsent import STATE, Outgoing
from mcpkit.core.transports.websocket_protocol import TOO_LARGE, LimitedWebSocket

logger = logging.getLogger(__name__)

SEPARATORS = len(": \r\n")
"""Bytes of a field beside its name and value."""

MOST_PIPELINED = 16
"""Requests that a client may send before the first of them is answered."""

TOO_MANY_PIPELINED = "Closed a connection of %s: more than %d requests wait for an answer"
TOO_MUCH_FRAMING = "Closed a connection of %s: the body of a request has more framing than content"
ANSWERED = "Closed a connection of %s: the body of a request went on after its answer"


class LimitedHttp(HttpToolsProtocol):
    """HTTP/1.1 with limits.

    Args:
        port: What it shares with others.
        connection: Its place among them.
    """

    def __init__(self, port: Port, connection: Connection) -> None:
        server = port.server
        self._outgoing = Outgoing(port.unsent, connection.peer)
        state = {STATE: self._outgoing}
        super().__init__(server.config, server.server_state, app_state=state)
        self.ws_protocol_class = cast(Any, partial(LimitedWebSocket, port, connection))
        self._port = port
        self._connection = connection
        if connection.is_spare:
            self.app = only_probes(self.app)
        self._in_header = False
        self._received = 0
        """Bytes of the request that is being received, without those that came with its start."""
        self._at_once = 0
        """Bytes that came last, with a part of it or all."""
        self._body = 0
        """Bytes of its body."""
        self._idle_body = (0, 0)
        """Bytes of its body and of the whole when the body last grew."""
        self._after_answer = 0
        """Bytes of it that came when it was answered already."""
        self._unanswered: list[RequestResponseCycle] = []
        """Requests without a whole response, the one that is being answered first."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the place of the handshake."""
        super().connection_made(cast(asyncio.Transport, transport))
        self._connection.speaker = self
        self._outgoing.writer = self

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave the place to others."""
        self._port.connections.remove(self._connection)
        self._outgoing.lost()
        self.pipeline.clear()
        for cycle in self._unanswered:  # uvicorn tells only the last
            cycle.disconnected = True
            cycle.message_event.set()
        self._unanswered.clear()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Wait until the client has read, unless it leaves too much unread."""
        super().pause_writing()
        if self._latest is not None:
            self._outgoing.client = principal_of(cast(Scope, self._latest.scope))
        self._outgoing.pause()

    def resume_writing(self) -> None:
        """Go on."""
        super().resume_writing()
        self._outgoing.resume()

    def buffered(self) -> int:
        """Bytes that were written and not sent."""
        return self.transport.get_write_buffer_size()

    def data_received(self, data: bytes) -> None:
        """Take what the client sends, up to a limit."""
        self._at_once = len(data)
        super().data_received(data)
        self._received += self._at_once
        if self._received > self._port.settings.max_header_size:
            self._refuse_excess()
            self._limit_body()

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._in_header = True
        self._received, self._body = -self._at_once, 0
        self._idle_body = (0, 0)
        self._after_answer = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Answer the request, unless its header is too large or too many wait."""
        self._in_header = False
        if self.transport.is_closing():
            return
        self._unanswered = [one for one in self._unanswered if not one.response_complete]
        if len(self._unanswered) > MOST_PIPELINED:
            logger.warning(TOO_MANY_PIPELINED, self._connection.peer, MOST_PIPELINED)
            self.abort()
            return
        setting = self._exceeded()
        if setting is not None:
            self.app = _too_large(setting)
        before = self._latest
        super().on_headers_complete()
        if self._latest is not None and self._latest is not before:
            self._unanswered.append(self._latest)
            if self._connection.is_spare:
                self._latest.keep_alive = False

    def _exceeded(self) -> str | None:
        """The setting that the header of the request exceeds, if it does."""
        settings = self._port.settings
        if len(self.headers) > settings.max_header_fields:
            return "http.max_header_fields"
        if max(self._received, 0) + self._at_once > settings.max_header_size:
            fields = sum(len(name) + len(value) + SEPARATORS for name, value in self.headers)
            if len(self.url) + fields > settings.max_header_size:
                return "http.max_header_size"
        return None

    def handle_websocket_upgrade(self) -> None:
        """Become a WebSocket, unless the header of the handshake is too large."""
        if self.transport.is_closing():
            return
        setting = self._exceeded()
        if any(not one.response_complete for one in self._unanswered):
            # Nobody would tell those requests that the client has gone.
            self._end(HTTPStatus.BAD_REQUEST, "A WebSocket cannot begin before the last response")
        elif self._connection.is_spare:
            self._end(HTTPStatus.SERVICE_UNAVAILABLE, "Too many connections")
        elif setting is None:
            super().handle_websocket_upgrade()
        else:
            logger.warning(TOO_LARGE, setting)
            self._end(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The header is too large")

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._body += len(body)
        super().on_body(body)

    def _limit_body(self) -> None:
        """Close the connection if a body costs more than its size, or has been answered."""
        latest, settings = self._latest, self._port.settings
        if self.transport.is_closing() or self._in_header or latest is None:
            return
        if self._received - self._body > settings.max_header_size + self._body:
            logger.warning(TOO_MUCH_FRAMING, self._connection.peer)
            self._end(HTTPStatus.BAD_REQUEST, "The body has more framing than content")
        elif latest.response_complete:
            # A client that sends all before it reads still gets the answer.
            self._after_answer += self._at_once
            if self._after_answer > settings.max_body_size:
                logger.warning(ANSWERED, self._connection.peer)
                self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP."""
        self._end(HTTPStatus.BAD_REQUEST, "The request is not valid HTTP/1.1")

    def _refuse_excess(self) -> None:
        """Refuse what is too large and no body: a header before it, or trailers after it."""
        if self.transport.is_closing() or not (self._in_header or self._latest):
            return
        settings = self._port.settings
        body, received = self._idle_body
        if self._body > body:
            self._idle_body = (self._body, self._received)
            received = self._received
        is_large = self._received - received > settings.max_header_size
        if self._in_header or is_large or len(self.headers) > settings.max_header_fields:
            logger.warning(TOO_LARGE, "http.max_header_size")
            self._end(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The header is too large")

    @property
    def _latest(self) -> RequestResponseCycle | None:
        """The request whose header came last, and its response; None before the first."""
        return self.cycle

    @property
    def is_authenticated(self) -> bool:
        """Whether the last request had a valid API key."""
        return self._latest is not None and "user" in self._latest.scope

    def state(self) -> tuple[Phase, Hashable]:
        """What it does; another request is progress in every phase."""
        cycle = self._latest
        if self.transport.is_closing():
            return Phase.CLOSING, self.transport.get_write_buffer_size()
        if cycle is not None and not cycle.response_complete:
            if cycle.more_body and not self.pipeline:
                return Phase.BODY, cycle
            return self._sending() or (Phase.ANSWERING, cycle)
        if cycle is None or self._in_header:
            return Phase.HEADER, cycle
        # As long as the client has not read the response, it is not over.
        return self._sending() or (Phase.IDLE, cycle)

    def _sending(self) -> tuple[Phase, Hashable] | None:
        """The phase of a connection whose client has not read everything; None if it has."""
        return (Phase.SENDING, self._outgoing.progress()) if self.buffered() else None

    def expire(self, phase: Phase) -> None:
        """Close the connection; say why if the client was about to ask something."""
        if phase is Phase.IDLE or (phase is Phase.HEADER and not self._in_header):
            self.transport.close()
            return
        logger.warning(TOO_SLOW[phase], self._connection.peer)
        self._end(HTTPStatus.REQUEST_TIMEOUT, f"The {phase.value} of the request came too slowly")

    def abort(self) -> None:
        """Close the connection at once."""
        self.transport.abort()

    def _end(self, status: HTTPStatus, problem: str) -> None:
        """Close the connection with a response, unless another one has begun."""
        latest = self._latest
        has_begun = latest is not None and latest.response_started and not latest.response_complete
        if self.transport.get_write_buffer_size():
            self.transport.abort()  # the client does not read
            return
        if not has_begun and not self.pipeline:
            self.transport.write(response(status, problem, self.server_state.default_headers))
        self.transport.close()


def response(
    status: HTTPStatus, problem: str, headers: list[tuple[bytes, bytes]], *, retry: int = 0
) -> bytes:
    """A whole response to a client whose connection is closed after it."""
    body = json.dumps({"error": problem}).encode()
    fields = [
        *headers,
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    if retry:
        fields.append((b"retry-after", str(retry).encode()))
    lines = [b"HTTP/1.1 %d %s" % (status, status.phrase.encode())]
    lines += [b"%b: %b" % field for field in fields]
    return b"\r\n".join([*lines, b"", body])


def _too_large(setting: str) -> Any:
    """ASGI application that refuses a header."""

    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        logger.warning(TOO_LARGE, setting)
        status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        body = json.dumps({"error": "The header is too large"}).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return refuse
