"""WebSocket: one JSON-RPC message per text frame, subprotocol `mcp`.

It is not in the MCP specification and left the SDK in its second version; some hosts still speak
it. The guard checks Host, Origin and key of the handshake; uvicorn limits the size of a message.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import anyio
from anyio.abc import ObjectSendStream
from mcp.shared.message import SessionMessage
from starlette.routing import BaseRoute, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from mcpkit.core.clients import Place
from mcpkit.core.contributions import Endpoint
from mcpkit.core.transports.messages import read_message, write_message
from mcpkit.core.transports.principals import principal_of
from mcpkit.core.transports.refusals import crowded
from mcpkit.core.transports.unsent import holding, outgoing_of

SUBPROTOCOL = "mcp"

UNSUPPORTED_DATA = 1003
GOING_AWAY = 1001
"""Close codes (RFC 6455, section 7.4.1)."""

GONE = (WebSocketDisconnect, RuntimeError)
"""What sending raises when the client has gone, or uvicorn has closed because of what it sent."""

FLUSH = 5.0
"""Seconds that the last frame gets to be sent when the server stops."""


@asynccontextmanager
async def open_routes(endpoint: Endpoint) -> AsyncIterator[Sequence[BaseRoute]]:
    """The one path that WebSocket clients connect to."""

    async def connect(websocket: WebSocket) -> None:
        with endpoint.clients.connected(principal_of(websocket.scope)) as place:
            if place is None:
                await websocket.send_denial_response(crowded())
            else:
                await _serve(endpoint, websocket, place)

    yield [WebSocketRoute(endpoint.settings.http.websocket_path, connect)]


async def _serve(endpoint: Endpoint, websocket: WebSocket, place: Place) -> None:
    if SUBPROTOCOL not in websocket.scope["subprotocols"]:
        await websocket.close(UNSUPPORTED_DATA)  # before accepting: refuses the handshake
        return
    connection = outgoing_of(websocket.scope)
    if connection is not None:
        connection.is_answering = lambda: place.requests > 0
    await websocket.accept(SUBPROTOCOL)
    to_server, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    outgoing = _Frames(websocket)
    async with anyio.create_task_group() as tasks:

        async def read() -> None:
            await _read(websocket, to_server, outgoing)
            tasks.cancel_scope.cancel()  # nobody reads what is still being computed

        tasks.start_soon(read)
        async with incoming:
            await endpoint.serve_stream(incoming, outgoing, place)
        with anyio.move_on_after(FLUSH), contextlib.suppress(*GONE):
            await websocket.close(GOING_AWAY)
        tasks.cancel_scope.cancel()


class _Frames(ObjectSendStream[SessionMessage]):
    """The messages to a client, one text frame each."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        self._writing = anyio.Lock()

    async def send(self, item: SessionMessage) -> None:
        """Send a message, as fast as the client reads.

        Raises:
            BrokenResourceError: The client has gone.
        """
        data = write_message(item)
        with holding(self._websocket.scope, len(data)):
            async with self._writing:
                try:
                    await self._websocket.send_text(data.decode())
                except GONE as exc:
                    raise anyio.BrokenResourceError from exc

    async def aclose(self) -> None:
        """Leave the connection open: whoever opened it says goodbye."""


async def _read(
    websocket: WebSocket,
    server: ObjectSendStream[SessionMessage | Exception],
    client: ObjectSendStream[SessionMessage],
) -> None:
    """Pass messages to the server and answer what is none, until the client goes away."""
    async with server:
        while True:
            frame = await websocket.receive()
            if frame["type"] == "websocket.disconnect":
                return
            text = frame.get("text")
            message = read_message(text if text is not None else frame.get("bytes", b""))
            try:
                if isinstance(message, SessionMessage):
                    await server.send(message)
                else:
                    await client.send(SessionMessage(message))
            except (anyio.BrokenResourceError, anyio.ClosedResourceError, WebSocketDisconnect):
                return
