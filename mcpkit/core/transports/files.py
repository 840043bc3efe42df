"""Files and terminals: descriptors that the event loop cannot wait for, so that threads do.

Imported where standard input or output is one: hosts give pipes.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import AsyncIterator
from functools import partial

import anyio
from anyio import to_thread
from anyio.abc import ByteReceiveStream, ByteSendStream
from anyio.from_thread import BlockingPortal
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from mcpkit.core.descriptors import SURE_TO_FIT, has_room
from mcpkit.core.transports.pipes import CHUNK, read_some


@contextlib.asynccontextmanager
async def file_reader(descriptor: int) -> AsyncIterator[ByteReceiveStream]:
    """Read a descriptor in a thread that never keeps the process alive.

    A read that blocks cannot be interrupted.
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
        while chunk := read_some(descriptor):
            portal.call(send.send, chunk)
        portal.call(send.aclose)
    except (RuntimeError, anyio.BrokenResourceError, anyio.ClosedResourceError):
        return  # the server has stopped
    except BaseException as exc:
        if type(exc).__name__ != "CancelledError":
            raise


class _Reader(ByteReceiveStream):
    def __init__(self, stream: MemoryObjectReceiveStream[bytes]) -> None:
        self._stream = stream

    async def receive(self, max_bytes: int = CHUNK) -> bytes:
        return await self._stream.receive()

    async def aclose(self) -> None:
        await self._stream.aclose()


class FileWriter(ByteSendStream):
    """Writes to a descriptor: at once when it has room, in a thread when it has not."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._thread = anyio.CapacityLimiter(1)  # of its own: no plugin can use it up

    async def send(self, item: bytes) -> None:
        """Write it all.

        Raises:
            OSError: It cannot be written any more.
        """
        view = memoryview(item)
        while view and has_room(self._descriptor):
            view = view[os.write(self._descriptor, view[:SURE_TO_FIT]) :]
        if len(view):
            write = partial(self._write_all, view)
            await to_thread.run_sync(write, abandon_on_cancel=True, limiter=self._thread)

    def _write_all(self, view: memoryview) -> None:
        while len(view):
            view = view[os.write(self._descriptor, view) :]

    async def aclose(self) -> None:
        """Leave it open."""
