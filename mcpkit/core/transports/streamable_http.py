"""Streamable HTTP: the transport of remote clients, in both protocol eras (`/mcp`)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import anyio
import mcp_types as types
from mcp.shared.inbound import MCP_PROTOCOL_VERSION_HEADER
from mcp_types.jsonrpc import HEADER_MISMATCH
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS
from starlette.datastructures import Headers
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from mcpkit.core.contributions import Endpoint
from mcpkit.core.transports.bodies import CheckedBodies
from mcpkit.core.transports.events import SessionManager
from mcpkit.core.transports.exchanges import Company
from mcpkit.core.transports.messages import failure
from mcpkit.core.transports.modern import ModernRequests

_VERSION = MCP_PROTOCOL_VERSION_HEADER.lower().encode()
_MODERN = frozenset(version.encode() for version in MODERN_PROTOCOL_VERSIONS)


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
    server, company = endpoint.server, Company()
    async with (
        manager.run(),
        server.lifespan(server) as state,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(company.run)
        modern = ModernRequests(server, state, company, json_response=settings.json_response)
        yield [Route(settings.path, Eras(modern, CheckedBodies(manager, refuse_other_era)))]
        tasks.cancel_scope.cancel()


class Eras:
    """ASGI application that tells the two eras apart, by the header that names the version."""

    def __init__(self, modern: ASGIApp, others: ASGIApp) -> None:
        self._modern = modern
        self._others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; what is no POST, or names an unknown version, is for the others."""
        is_modern = scope["method"] == "POST" and any(
            name == _VERSION and value in _MODERN for name, value in scope["headers"]
        )
        await (self._modern if is_modern else self._others)(scope, receive, send)


def refuse_other_era(message: types.JSONRPCMessage, headers: Headers) -> types.JSONRPCError | None:
    """Refuse a modern request whose header names no version, or one of the 2025 protocols.

    The SDK goes by the header alone and would answer it as one of those (specification of
    2026-07-28, basic/transports/streamable-http: 400 and -32020).
    """
    if not isinstance(message, types.JSONRPCRequest) or message.method == "initialize":
        return None
    meta = (message.params or {}).get("_meta")
    version = headers.get(MCP_PROTOCOL_VERSION_HEADER)
    is_modern = isinstance(meta, dict) and types.PROTOCOL_VERSION_META_KEY in meta
    if is_modern and (version is None or version in HANDSHAKE_PROTOCOL_VERSIONS):
        text = "The header MCP-Protocol-Version does not match the protocol version in _meta"
        return failure(HEADER_MISMATCH, text, message.id)
    return None
