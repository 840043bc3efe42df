"""Standard input and output: how hosts on the same machine start and reach a server.

The protocol has both to itself: while it is spoken, what plugins print goes to stderr, and what
they read is empty. It ends when the input ends, and with it the server.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from anyio.abc import ByteReceiveStream, ByteSendStream

from mcpkit.core.contributions import Endpoint
from mcpkit.core.deferred import deferred
from mcpkit.core.descriptors import STDIN, STDOUT, reserved
from mcpkit.core.transports.lines import serve_lines
from mcpkit.core.transports.pipes import PipeReader, PipeWriter, is_pipe

file_reader = deferred("mcpkit.core.transports.files:file_reader")
file_writer = deferred("mcpkit.core.transports.files:FileWriter")


async def serve(endpoint: Endpoint) -> None:
    """Serve the client at standard input and output, until it closes the input."""
    with reserved(STDIN, STDOUT) as (stdin, stdout):
        async with _reader(stdin) as receive:
            await serve_lines(endpoint, receive, _writer(stdout))


@contextlib.asynccontextmanager
async def _reader(descriptor: int) -> AsyncIterator[ByteReceiveStream]:
    if is_pipe(descriptor):
        yield PipeReader(descriptor)
        return
    async with file_reader(descriptor) as reader:
        yield reader


def _writer(descriptor: int) -> ByteSendStream:
    writer: ByteSendStream = (
        PipeWriter(descriptor) if is_pipe(descriptor) else file_writer(descriptor)
    )
    return writer
