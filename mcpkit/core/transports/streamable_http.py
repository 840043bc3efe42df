"""Streamable HTTP: the transport of remote clients, in both protocol eras (`/mcp`)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from mcp.server.streamable_http_manager import StreamableHTTPASGIApp, StreamableHTTPSessionManager
from starlette.routing import BaseRoute, Route

from mcpkit.core.contributions import Endpoint
from mcpkit.core.transports.bodies import CheckedBodies


@asynccontextmanager
async def open_routes(endpoint: Endpoint) -> AsyncIterator[Sequence[BaseRoute]]:
    """Keep the sessions of the 2025 protocols open, and answer the modern one without any."""
    settings = endpoint.settings.http
    manager = StreamableHTTPSessionManager(
        endpoint.server,
        json_response=settings.json_response,
        session_idle_timeout=settings.session_idle_timeout,
        max_sessions=settings.max_sessions,
        max_request_body_size=settings.max_body_size,
    )
    async with manager.run():
        yield [Route(settings.path, CheckedBodies(StreamableHTTPASGIApp(manager)))]
