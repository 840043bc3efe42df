"""Legacy SSE: the HTTP transport of protocol 2024-11-05, for clients that know no other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from anyio.abc import ObjectSendStream
from mcp.server.sse import SseServerTransport
from mcp.shared.message import SessionMessage
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import Receive, Scope, Send

from mcpkit.core.contributions import Endpoint
from mcpkit.core.transports.bodies import CheckedBodies
from mcpkit.core.transports.messages import write_message
from mcpkit.core.transports.principals import principal_of
from mcpkit.core.transports.refusals import crowded
from mcpkit.core.transports.unsent import holding, outgoing_of


class _Measured(ObjectSendStream[SessionMessage]):
    """Messages on their way to an event stream; those wait in memory whose client does not read."""

    def __init__(self, stream: ObjectSendStream[SessionMessage], scope: Scope) -> None:
        self._stream = stream
        self._scope = scope

    async def send(self, item: SessionMessage) -> None:
        """Send a message; its size counts while others have to be read before it."""
        outgoing = outgoing_of(self._scope)
        is_blocked = outgoing is not None and outgoing.is_blocked
        with holding(self._scope, len(write_message(item)) if is_blocked else 0):
            await self._stream.send(item)

    async def aclose(self) -> None:
        """Close the stream."""
        await self._stream.aclose()


class _Stream:
    """ASGI endpoint of the event stream: one connection each."""

    def __init__(self, endpoint: Endpoint, transport: SseServerTransport) -> None:
        self._endpoint = endpoint
        self._transport = transport

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._endpoint.clients.connected(principal_of(scope)) as place:
            if place is None:
                await crowded()(scope, receive, send)
                return
            async with (
                self._transport.connect_sse(scope, receive, send) as (read, write),
                read,
                write,
            ):
                measured = _Measured(write, scope)
                await self._endpoint.serve_stream(read, measured, place)


@asynccontextmanager
async def open_routes(endpoint: Endpoint) -> AsyncIterator[Sequence[BaseRoute]]:
    """The event stream, and the path that clients post to."""
    settings = endpoint.settings.http
    transport = SseServerTransport(
        settings.message_path, max_request_body_size=settings.max_body_size
    )
    yield [
        Route(settings.sse_path, _Stream(endpoint, transport), methods=["GET"]),
        Mount(settings.message_path, app=CheckedBodies(transport.handle_post_message)),
    ]
