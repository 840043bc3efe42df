"""Streamable HTTP: the transport of remote clients, in both protocol eras (`/mcp`)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from starlette.routing import BaseRoute, Route

from mcpkit.core.contributions import Endpoint
from mcpkit.core.transports.events import SessionManager


@asynccontextmanager
async def open_routes(endpoint: Endpoint) -> AsyncIterator[Sequence[BaseRoute]]:
    """Keep the sessions of the 2025 protocols open, and answer the modern one without any."""
    settings = endpoint.settings.http
    manager = SessionManager(
        endpoint.server,
        event_limit=settings.resumable_events,
        retry_interval=round(settings.retry_interval * 1000),
        json_response=settings.json_response,
        session_idle_timeout=settings.session_idle_timeout,
        max_sessions=settings.max_sessions,
        max_request_body_size=settings.max_body_size,
    )
    async with manager.run():
        yield [Route(settings.path, manager)]
