"""WebSocket on one connection: uvicorn's protocol, with limits on what a client leaves unread."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Hashable
from typing import Any, cast

import uvicorn
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from mcpkit.core.transports.http_connections import Connection, Phase
from mcpkit.core.transports.port import TOO_SLOW, Port
from mcpkit.core.transports.unsent import STATE, Outgoing

logger = logging.getLogger(__name__)

TOO_LARGE = "Refused a request whose header is larger than %s"


class _Log(logging.LoggerAdapter[logging.Logger]):
    """The log of uvicorn, in which a message that is no text is a warning without traceback."""

    @property
    def level(self) -> int:
        """The level of the logger."""
        return self.logger.level

    def exception(self, msg: object, *args: object, **kwargs: Any) -> None:
        """Log an error with its traceback, unless a client made it."""
        if isinstance(msg, str) and msg.startswith("Invalid UTF-8"):
            self.warning(msg, *args)
        else:
            super().exception(msg, *args, **kwargs)


class LimitedWebSocket(WebSocketsSansIOProtocol):
    """WebSocket on a connection that began with HTTP.

    Args:
        port: What it shares with others.
        connection: Its place among them.
        config: Of uvicorn, as `HttpToolsProtocol` passes it.
        server_state: The same.
        app_state: The same.
    """

    def __init__(
        self,
        port: Port,
        connection: Connection,
        *,
        config: uvicorn.Config,
        server_state: Any,
        app_state: dict[str, Any],
    ) -> None:
        super().__init__(config, server_state, app_state)
        self.logger = cast(logging.Logger, _Log(self.logger, {}))
        self.conn.debug = False  # it would log headers, and with them API keys
        self._port = port
        self._connection = connection
        self._outgoing: Outgoing = app_state[STATE]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the place of HTTP."""
        super().connection_made(transport)
        self._connection.speaker = self
        self._outgoing.writer = self

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave the place to others."""
        self._port.connections.remove(self._connection)
        self._outgoing.lost()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Wait until the client has read, unless it leaves too much unread."""
        super().pause_writing()
        self._outgoing.pause()

    def resume_writing(self) -> None:
        """Go on."""
        super().resume_writing()
        self._outgoing.resume()

    def buffered(self) -> int:
        """Bytes that were written and not sent."""
        return self.transport.get_write_buffer_size()

    def data_received(self, data: bytes) -> None:
        """Take what the client sends; the header of the handshake comes first and whole."""
        super().data_received(data)
        if not self.handshake_initiated:  # it was refused, and uvicorn would keep the answer
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()

    @property
    def is_authenticated(self) -> bool:
        """Whether its handshake had a valid API key."""
        return "user" in getattr(self, "scope", ())  # it is set when the handshake was read

    def state(self) -> tuple[Phase, Hashable]:
        """What it does: open and read it has no time limit, since uvicorn pings its client."""
        if self.transport.is_closing():
            return Phase.CLOSING, self.transport.get_write_buffer_size()
        if self.handshake_complete and self.buffered():
            return Phase.SENDING, self._outgoing.progress()
        if not self.handshake_complete:
            return Phase.HEADER, None
        return (Phase.ANSWERING if self._outgoing.is_answering() else Phase.OPEN), None

    def expire(self, phase: Phase) -> None:
        """Close the connection."""
        if phase is Phase.SENDING:
            logger.warning(TOO_SLOW[phase], self._connection.peer)
            self.transport.abort()
        else:
            self.transport.close()

    def abort(self) -> None:
        """Close the connection at once."""
        self.transport.abort()
