"""WebSocket as a transport of the official client, which has none of its own.

Text frames hold one JSON-RPC message each; the subprotocol is `mcp`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import anyio
import mcp_types as types
import websockets
from anyio.abc import ObjectReceiveStream, ObjectSendStream
from mcp.shared.message import SessionMessage

LARGEST = 64 * 2**20
"""Most bytes of a message from the server."""

Streams = tuple[ObjectReceiveStream[SessionMessage | Exception], ObjectSendStream[SessionMessage]]


class _Connect(websockets.connect):
    """A connection that follows no redirect: the headers may hold a key of any name."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """Return the error: there is no other URI to connect to."""
        return exc


@asynccontextmanager
async def websocket_client(
    url: str, *, headers: Mapping[str, str], open_timeout: float
) -> AsyncIterator[Streams]:
    """Connect to a server.

    Args:
        url: Its URL, with the scheme `ws` or `wss`.
        headers: Sent with the handshake.
        open_timeout: Seconds that connecting may take.

    Yields:
        Streams of messages from and to the server.

    Raises:
        OSError: It cannot be reached.
        websockets.exceptions.WebSocketException: It refuses the handshake, or redirects it.
    """
    async with _Connect(
        url,
        subprotocols=[websockets.Subprotocol("mcp")],
        additional_headers=headers,
        open_timeout=open_timeout,
        max_size=LARGEST,
    ) as socket:
        to_client, read = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        write, from_client = anyio.create_memory_object_stream[SessionMessage](0)

        async def receive() -> None:
            async with to_client:
                async for text in socket:
                    await to_client.send(_parsed(text))

        async def send() -> None:
            async with from_client:
                async for item in from_client:
                    text = item.message.model_dump_json(by_alias=True, exclude_unset=True)
                    await socket.send(text)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(receive)
            tasks.start_soon(send)
            async with read, write:
                yield read, write
            tasks.cancel_scope.cancel()


def _parsed(text: str | bytes) -> SessionMessage | Exception:
    try:
        message = types.jsonrpc_message_adapter.validate_json(text, by_name=False)
    except ValueError as exc:
        return exc
    return SessionMessage(message)
