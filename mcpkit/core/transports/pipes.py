"""Pipes: descriptors that the event loop can wait for, read and written without a thread."""

from __future__ import annotations

import os
import stat

import anyio
from anyio.abc import ByteReceiveStream, ByteSendStream

from mcpkit.core.descriptors import SURE_TO_FIT, has_room

CHUNK = 65536
"""Bytes read at once."""


def is_pipe(descriptor: int) -> bool:
    """Whether the event loop can wait for it: a pipe or socket, on a system that can."""
    kind = os.fstat(descriptor).st_mode
    return os.name == "posix" and (stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind))


def read_some(descriptor: int) -> bytes:
    """Read what is there; nothing at the end, and when it cannot be read."""
    try:
        return os.read(descriptor, CHUNK)
    except OSError:
        return b""


class PipeReader(ByteReceiveStream):
    """Reads a pipe that somebody else closes."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    async def receive(self, max_bytes: int = CHUNK) -> bytes:
        """Wait for some bytes.

        Raises:
            EndOfStream: There will be no more.
        """
        await anyio.wait_readable(self._descriptor)
        chunk = read_some(self._descriptor)
        if not chunk:
            raise anyio.EndOfStream
        return chunk

    async def aclose(self) -> None:
        """Leave it open."""


class PipeWriter(ByteSendStream):
    """Writes to a pipe that somebody else closes, as fast as its reader reads."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    async def send(self, item: bytes) -> None:
        """Write it all.

        Raises:
            OSError: Nobody reads any more.
        """
        view = memoryview(item)
        while view:
            if not has_room(self._descriptor):
                await anyio.wait_writable(self._descriptor)
            view = view[os.write(self._descriptor, view[:SURE_TO_FIT]) :]

    async def aclose(self) -> None:
        """Leave it open."""
