"""Standard input and output: how hosts on the same machine start and reach a server.

The protocol has both to itself: while it is spoken, what plugins print goes to stderr, and what
they read is empty. It ends when the input ends, and with it the server.
"""

from __future__ import annotations

import contextlib
import os
import select
import stat
import threading
from collections.abc import AsyncIterator

import anyio
from anyio import to_thread
from anyio.abc import ByteReceiveStream, ByteSendStream
from anyio.from_thread import BlockingPortal
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from mcpkit.core.contributions import Endpoint
from mcpkit.core.descriptors import kept_stdin, kept_stdout
from mcpkit.core.transports.lines import serve_lines

CHUNK = 65536
"""Bytes read at once."""

SURE_TO_FIT = 4096
"""Bytes that a writable pipe takes without blocking (`PIPE_BUF` of Linux)."""


async def serve(endpoint: Endpoint) -> None:
    """Serve the client at standard input and output, until it closes the input."""
    with kept_stdin() as stdin, kept_stdout() as stdout:
        async with _reader(stdin) as receive:
            await serve_lines(endpoint, receive, _Writer(stdout))


@contextlib.asynccontextmanager
async def _reader(descriptor: int) -> AsyncIterator[ByteReceiveStream]:
    """Read a descriptor: a pipe or socket, as hosts give one, on the event loop."""
    kind = os.fstat(descriptor).st_mode
    if os.name == "posix" and (stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind)):
        yield _PipeReader(descriptor)
    else:
        async with _threaded(descriptor) as receive:
            yield receive


class _PipeReader(ByteReceiveStream):
    """Waits for a descriptor, and reads what is there."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    async def receive(self, max_bytes: int = CHUNK) -> bytes:
        await anyio.wait_readable(self._descriptor)
        chunk = _read(self._descriptor)
        if not chunk:
            raise anyio.EndOfStream
        return chunk

    async def aclose(self) -> None:
        return


@contextlib.asynccontextmanager
async def _threaded(descriptor: int) -> AsyncIterator[ByteReceiveStream]:
    """Read a descriptor in a thread that never keeps the process alive.

    A thread, because files and terminals cannot be waited for as pipes can; a daemon, because a
    blocked read cannot be interrupted.
    """
    send, receive = anyio.create_memory_object_stream[bytes](0)
    async with BlockingPortal() as portal:
        thread = threading.Thread(
            target=_pump, args=(descriptor, portal, send), name="mcpkit-stdin", daemon=True
        )
        thread.start()
        async with receive:
            yield _Reader(receive)
        await portal.stop(cancel_remaining=True)


def _pump(descriptor: int, portal: BlockingPortal, send: MemoryObjectSendStream[bytes]) -> None:
    try:
        while chunk := _read(descriptor):
            portal.call(send.send, chunk)
        portal.call(send.aclose)
    except (RuntimeError, anyio.BrokenResourceError, anyio.ClosedResourceError):
        return  # the server has stopped
    except BaseException as exc:
        if type(exc).__name__ != "CancelledError":
            raise


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, CHUNK)
    except OSError:
        return b""


class _Reader(ByteReceiveStream):
    def __init__(self, stream: MemoryObjectReceiveStream[bytes]) -> None:
        self._stream = stream

    async def receive(self, max_bytes: int = CHUNK) -> bytes:
        return await self._stream.receive()

    async def aclose(self) -> None:
        await self._stream.aclose()


class _Writer(ByteSendStream):
    """Writes to a descriptor: at once when it has room, in a thread when its reader is slow."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    async def send(self, item: bytes) -> None:
        view = memoryview(item)
        while view and _has_room(self._descriptor):
            view = view[os.write(self._descriptor, view[:SURE_TO_FIT]) :]
        if len(view):
            await to_thread.run_sync(self._write_all, view, abandon_on_cancel=True)

    def _write_all(self, view: memoryview) -> None:
        while len(view):
            view = view[os.write(self._descriptor, view) :]

    async def aclose(self) -> None:
        return


def _has_room(descriptor: int) -> bool:
    """Whether a small write would not block; False where that cannot be known (Windows)."""
    poll = getattr(select, "poll", None)
    if poll is None:
        return False
    waiter = poll()
    waiter.register(descriptor, select.POLLOUT)
    return bool(waiter.poll(0))
