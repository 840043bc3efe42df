"""A Unix socket: many clients of one user at one server, each with a session of its own.

What `mcpkit serve --shared` starts speaks it. It leaves when nobody has needed it for long; who
comes too late for that is not welcomed, knows that nothing was read, and starts another.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import SocketAttribute, SocketStream, TaskGroup

from mcpkit.core.contributions import Endpoint, Transport
from mcpkit.core.peers import ASK, JOIN, WELCOME, peer
from mcpkit.core.transports.lines import serve_lines

logger = logging.getLogger(__name__)

WORD = 5.0
"""Seconds that a client gets to say what it wants."""

LOOK = 5.0
"""Most seconds between looks whether anybody needs the server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Where to listen, and whom to tell.

    Attributes:
        path: Of the socket; a file that is there already is replaced.
        idle_timeout: Seconds without a client after which the server leaves.
        ready: Called when clients can connect.
        describe: How the server is, given the number of clients.
        look: Called every few seconds.
    """

    path: Path
    idle_timeout: float
    ready: Callable[[], None]
    describe: Callable[[int], Mapping[str, Any]]
    look: Callable[[], None]


def unix_transport(door: Door) -> Transport:
    """The transport at a door; the command `serve --shared` makes it."""

    async def serve(endpoint: Endpoint) -> None:
        await _Sessions(endpoint, door).serve()

    return Transport(name="shared", description="A Unix socket of this user", serve=serve)


class _Sessions:
    """The clients of one server."""

    def __init__(self, endpoint: Endpoint, door: Door) -> None:
        self._endpoint = endpoint
        self._door = door
        self._open = 0
        self._needed = anyio.current_time() + WORD  # whoever started the server is to find it
        self._gone = anyio.Event()
        self._is_leaving = False

    async def serve(self) -> None:
        """Listen until the server stops, or nobody has needed it for long; finish what is open."""
        async with anyio.create_task_group() as sessions:
            listener = await anyio.create_unix_listener(self._door.path, mode=0o600)
            async with listener, anyio.create_task_group() as waiting:
                waiting.start_soon(listener.serve, self._welcome, sessions)
                waiting.start_soon(self._leave_when_stopping, waiting)
                waiting.start_soon(self._leave_when_idle, waiting)
                self._door.ready()

    async def _leave_when_stopping(self, waiting: TaskGroup) -> None:
        await self._endpoint.stopping()
        self._leave(waiting)

    async def _leave_when_idle(self, waiting: TaskGroup) -> None:
        while True:
            now = anyio.current_time()
            if self._open or self._endpoint.in_flight:
                self._needed = max(now, self._needed)
            left = self._needed + self._door.idle_timeout - now
            if left <= 0:
                logger.info("Nobody has needed the server for %g s", self._door.idle_timeout)
                self._leave(waiting)
                return
            with anyio.move_on_after(min(LOOK, left)):
                await self._gone.wait()
            self._gone = anyio.Event()
            self._door.look()

    def _leave(self, waiting: TaskGroup) -> None:
        """Take no more clients. The socket goes first: whoever finds none starts another server."""
        self._is_leaving = True
        with suppress(OSError):
            self._door.path.unlink()
        waiting.cancel_scope.cancel()

    async def _welcome(self, stream: SocketStream) -> None:
        """Take what a client wants, and give it, if it is one of this user."""
        try:
            async with stream:
                word = await self._word(stream)
                if word == JOIN and not self._is_leaving:
                    await self._serve(stream)
                elif word == ASK:
                    await stream.send(json.dumps(self._door.describe(self._open)).encode())
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
            return  # the client went away
        except Exception:
            logger.exception("A session has crashed; the others go on")

    async def _word(self, stream: SocketStream) -> bytes | None:
        _, user = peer(stream.extra(SocketAttribute.raw_socket))  # noqa: S610  # not Django's
        if user not in {None, os.geteuid()}:
            logger.warning("Refused user %s: this server is not theirs", user)
            return None
        with anyio.move_on_after(WORD):
            return await stream.receive(1)
        return None

    async def _serve(self, stream: SocketStream) -> None:
        self._open += 1
        try:
            await stream.send(WELCOME)
            await serve_lines(self._endpoint, stream, stream)
        finally:
            self._open -= 1
            self._needed = anyio.current_time()
            self._gone.set()
