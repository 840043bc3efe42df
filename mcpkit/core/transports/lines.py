"""Lines: newline-delimited JSON-RPC over any pair of byte streams.

In come bytes from a pipe or socket; out go lines. Standard input and output use it, and a plugin's
own transport may too.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
import mcp_types as types
from anyio.abc import ByteReceiveStream, ByteSendStream, ObjectReceiveStream, ObjectSendStream
from mcp.shared.message import SessionMessage

from mcpkit.core.contributions import Endpoint
from mcpkit.core.draining import Unanswered
from mcpkit.core.transports.messages import failure, read_message, write_message

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
    most = endpoint.settings.calls.limit_per_connection
    to_server, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    outgoing, from_server = anyio.create_memory_object_stream[SessionMessage](0)

    async with anyio.create_task_group() as tasks:

        async def read() -> None:
            async with to_server:
                lines = _lines(receive, max_line)
                await _read(lines, to_server, outgoing, unanswered, most)
                await unanswered.wait()

        async def write() -> None:
            try:
                await _write(from_server, send, unanswered)
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


async def _read(
    lines: AsyncIterator[bytes | None],
    server: ObjectSendStream[SessionMessage | Exception],
    client: ObjectSendStream[SessionMessage],
    unanswered: Unanswered,
    most: int,
) -> None:
    """Pass messages to the server; answer what is none.

    While too many requests are in flight, nothing more is read than the next one.
    """
    async for line in lines:
        if line is None:
            message: SessionMessage | types.JSONRPCError = failure(
                types.INVALID_REQUEST, "Invalid request: the line is too long"
            )
        elif line.strip():
            message = read_message(line)
        else:
            continue
        try:
            if isinstance(message, SessionMessage):
                if isinstance(message.message, types.JSONRPCRequest):
                    await unanswered.below(most)
                unanswered.asked(message)
                await server.send(message)
            else:
                await client.send(SessionMessage(message))
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            return  # the server has closed the connection


async def _write(
    messages: ObjectReceiveStream[SessionMessage], send: ByteSendStream, unanswered: Unanswered
) -> None:
    async with messages:
        async for message in messages:
            await _write_line(send, write_message(message))
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
