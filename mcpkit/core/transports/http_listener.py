"""The listener of the HTTP port: accepts connections for which there is room.

Connections are counted from the moment they are accepted, so that TLS handshakes count as well.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus

import anyio
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint

from mcpkit.core.transports.http_connections import Phase
from mcpkit.core.transports.http_protocol import LimitedHttp, response
from mcpkit.core.transports.port import Port

logger = logging.getLogger(__name__)

NO_FILES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""Errors of `accept` that say that the process or the machine has too much open."""

PAUSE = 0.1
"""Seconds to wait after `accept` has failed."""

RETRY = 1
"""Seconds after which a refused client is told to try again."""

CLOSE_TIMEOUT = 5.0
"""Seconds that a client gets to close its side of TLS."""


@asynccontextmanager
async def accepting(
    listening: socket.socket, port: Port, context: ssl.SSLContext | None
) -> AsyncIterator[None]:
    """Accept connections; at the end the socket is closed.

    Args:
        listening: The socket.
        port: What its connections share.
        context: Of TLS; None for plain HTTP.
    """
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_Listener(listening, port, context).run)
        yield
        tasks.cancel_scope.cancel()
    listening.close()


class Handshake:
    """A connection that is not open yet."""

    is_authenticated = False

    def __init__(self, peer: str) -> None:
        self.scope = anyio.CancelScope()
        self._peer = peer

    def state(self) -> tuple[Phase, Hashable]:
        """It waits for the client."""
        return Phase.HANDSHAKE, None

    def expire(self, phase: Phase) -> None:
        """Give up a handshake that takes too long."""
        logger.warning(
            "Closed a connection of %s: the TLS handshake took longer than http.header_timeout",
            self._peer,
        )
        self.abort()

    def abort(self) -> None:
        """Give up."""
        self.scope.cancel()


class _Listener:
    def __init__(
        self, listening: socket.socket, port: Port, context: ssl.SSLContext | None
    ) -> None:
        self._socket = listening
        self._port = port
        self._context = context

    async def run(self) -> None:
        """Accept connections until cancelled."""
        loop = asyncio.get_running_loop()
        async with anyio.create_task_group() as tasks:
            while True:
                try:
                    connected, address = await loop.sock_accept(self._socket)
                except OSError as exc:
                    await self._recover(exc)
                else:
                    await self._welcome(tasks, connected, str(address[0]))

    async def _recover(self, exc: OSError) -> None:
        """Wait after an error, which mostly concerns a client that went away (accept(2))."""
        if exc.errno in NO_FILES:
            logger.warning("Cannot accept a connection: %s; raise `ulimit -n`", exc.strerror)
            self._port.connections.make_room()
        await anyio.sleep(PAUSE)

    async def _welcome(self, tasks: TaskGroup, connected: socket.socket, peer: str) -> None:
        """Open a connection, or refuse it."""
        is_spare = not self._port.connections.admit(peer)
        if is_spare and not self._port.connections.admit_spare():
            self._refuse(connected)
            await checkpoint()  # `sock_accept` need not be one
        elif self._context is None:
            await self._open(connected, peer, is_spare)
        else:
            tasks.start_soon(self._open, connected, peer, is_spare)

    def _refuse(self, connected: socket.socket) -> None:
        """Close a connection; over plain HTTP with 503."""
        with connected:
            if self._context is None:
                status = HTTPStatus.SERVICE_UNAVAILABLE
                refusal = response(status, "Too many connections", [], retry=RETRY)
                try:
                    connected.send(refusal)
                except OSError as exc:
                    logger.debug("Cannot refuse a client: %s", exc)

    async def _open(self, connected: socket.socket, peer: str, is_spare: bool) -> None:
        """Begin to speak HTTP, after the handshake of TLS if there is one."""
        connections, handshake = self._port.connections, Handshake(peer)
        connection = connections.add(peer, handshake, is_spare=is_spare)
        limits: dict[str, float] = {}
        if self._context is not None:
            # `expire` comes first, and tells the operator.
            limits["ssl_handshake_timeout"] = 2 * self._port.settings.header_timeout
            limits["ssl_shutdown_timeout"] = CLOSE_TIMEOUT
        try:
            with handshake.scope:
                await asyncio.get_running_loop().connect_accepted_socket(
                    partial(LimitedHttp, self._port, connection),
                    connected,
                    ssl=self._context,
                    **limits,
                )
        except OSError as exc:
            logger.debug("A connection of %s did not open: %s", peer, exc)
        finally:
            if connection.speaker is handshake:
                connections.remove(connection)
                connected.close()
