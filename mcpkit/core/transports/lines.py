"""Lines: newline-delimited JSON-RPC over any pair of byte streams.

In come bytes from a pipe or socket; out go lines. Standard input and output use it, and a plugin's
own transport may too.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress

import anyio
import mcp_types as types
from anyio.abc import ByteReceiveStream, ByteSendStream, ObjectReceiveStream, ObjectSendStream
from mcp.shared.message import SessionMessage

from mcpkit.core.contributions import Endpoint
from mcpkit.core.draining import Unanswered
from mcpkit.core.settings import CallSettings
from mcpkit.core.transports.batches import LineBatches
from mcpkit.core.transports.messages import (
    bad_batch,
    failure,
    is_batch,
    read_batch,
    read_message,
)

MAX_LINE = 16 * 1024 * 1024
"""Longest line that is read, in bytes; a longer one is skipped, and answered with an error."""

LONG = 65536
"""Bytes of a line that is long."""

FLUSH = 5.0
"""Seconds that the last lines get to be written when the connection ends."""


async def serve_lines(
    endpoint: Endpoint,
    receive: ByteReceiveStream,
    send: ByteSendStream,
    *,
    max_line: int = MAX_LINE,
) -> None:
    """Serve one connection, until its input ends and everything asked is answered.

    Args:
        endpoint: The server.
        receive: Bytes from the client.
        send: Bytes to the client.
        max_line: Longest line that is read, in bytes.
    """
    unanswered = Unanswered()
    batches = LineBatches()
    to_server, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    outgoing, from_server = anyio.create_memory_object_stream[SessionMessage](0)

    async with anyio.create_task_group() as tasks:

        async def read() -> None:
            async with to_server:
                reader = _Reader(to_server, outgoing, unanswered, batches, endpoint.settings.calls)
                with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
                    async for line in _lines(receive, max_line):
                        await reader.take(line)
                await unanswered.wait()

        async def write() -> None:
            try:
                await _write(from_server, send, unanswered, batches)
            except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
                tasks.cancel_scope.cancel()  # the client does not read any more
            else:
                written.set()

        written = anyio.Event()
        tasks.start_soon(read)
        tasks.start_soon(write)
        async with incoming, outgoing:
            await endpoint.serve_stream(incoming, outgoing)
        with anyio.move_on_after(FLUSH):
            await written.wait()
        tasks.cancel_scope.cancel()


class _Reader:
    """Passes messages to the server, and answers what is none.

    While too many requests are in flight, nothing more is read than the next one.
    """

    def __init__(
        self,
        server: ObjectSendStream[SessionMessage | Exception],
        client: ObjectSendStream[SessionMessage],
        unanswered: Unanswered,
        batches: LineBatches,
        settings: CallSettings,
    ) -> None:
        self._server = server
        self._client = client
        self._unanswered = unanswered
        self._batches = batches
        self._settings = settings

    async def take(self, line: bytes | None) -> None:
        """Take a line; None stands for one that was too long."""
        if line is None:
            text = "Invalid request: the line is too long"
            await self._answer(failure(types.INVALID_REQUEST, text))
        elif line.strip():
            message = read_message(line)
            if isinstance(message, SessionMessage):
                await self._pass(message)
            elif is_batch(message) and self._batches.are_allowed:
                await self._take_batch(line)
            else:
                await self._answer(message)

    async def _take_batch(self, line: bytes) -> None:
        most = self._settings.max_batch
        messages = read_batch(line, most)
        if not messages:
            await self._answer(bad_batch(most))
            return
        for error in self._batches.open(messages):
            await self._answer(error)
        for message in messages:
            if isinstance(message, SessionMessage):
                await self._pass(message)

    async def _pass(self, message: SessionMessage) -> None:
        if isinstance(message.message, types.JSONRPCRequest):
            await self._unanswered.below(self._settings.limit_per_connection)
        self._unanswered.asked(message)
        cancelled = self._batches.asked(message)
        await self._server.send(message)
        if cancelled is not None:
            await self._answer(cancelled)

    async def _answer(self, error: types.JSONRPCError) -> None:
        await self._client.send(SessionMessage(error))


async def _write(
    messages: ObjectReceiveStream[SessionMessage],
    send: ByteSendStream,
    unanswered: Unanswered,
    batches: LineBatches,
) -> None:
    async with messages:
        async for message in messages:
            line = batches.answered(message)
            if line is not None:
                await _write_line(send, line)
            unanswered.answered(message)


async def _write_line(send: ByteSendStream, line: bytes) -> None:
    """Write a line, at once if it is short; a long one is not copied."""
    if len(line) < LONG:
        await send.send(line + b"\n")
        return
    await send.send(line)
    await send.send(b"\n")


async def _lines(receive: ByteReceiveStream, max_line: int) -> AsyncIterator[bytes | None]:
    """Split bytes into lines; a line that is too long is None, and is not kept in memory."""
    kept = bytearray()
    skipping = False
    try:
        async for chunk in receive:
            *ended, rest = chunk.split(b"\n")
            for part in ended:
                kept += part
                too_long = skipping or len(kept) > max_line
                yield None if too_long else bytes(kept)
                kept.clear()
                skipping = False
            kept += rest
            if len(kept) > max_line:
                kept.clear()
                skipping = True
    except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
        return  # the client went away without closing
    if kept:
        yield bytes(kept)
