"""Streamable HTTP: the transport of remote clients, in both protocol eras (`/mcp`)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import anyio
from mcp.shared.inbound import MCP_PROTOCOL_VERSION_HEADER
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from mcpkit.core.contributions import Endpoint
from mcpkit.core.transports.bodies import read_post
from mcpkit.core.transports.legacy import LegacyRequests
from mcpkit.core.transports.modern import ModernRequests
from mcpkit.core.transports.responses import Company, answer

_VERSION = MCP_PROTOCOL_VERSION_HEADER.lower().encode()
_HANDSHAKE = frozenset(version.encode() for version in HANDSHAKE_PROTOCOL_VERSIONS)


@asynccontextmanager
async def open_routes(endpoint: Endpoint) -> AsyncIterator[Sequence[BaseRoute]]:
    """Keep the sessions of the 2025 protocols open, and answer the modern one without any."""
    settings = endpoint.settings.http
    server, company = endpoint.server, Company()
    async with server.lifespan(server) as state, anyio.create_task_group() as tasks:
        tasks.start_soon(company.run)
        modern = ModernRequests(server, state, company, json_response=settings.json_response)
        legacy = LegacyRequests(endpoint, state, company, tasks)
        yield [Route(settings.path, StreamableHttp(modern, legacy))]
        tasks.cancel_scope.cancel()


class StreamableHttp:
    """ASGI application that tells the two eras apart, by the header that names the version."""

    def __init__(self, modern: ModernRequests, legacy: LegacyRequests) -> None:
        self._modern = modern
        self._legacy = legacy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; an unknown version is told what is known by the modern protocol."""
        version = next((value for name, value in scope["headers"] if name == _VERSION), None)
        is_modern = version is not None and version not in _HANDSHAKE
        method = scope["method"]
        if method == "POST":
            posted = await read_post(scope, receive, send, batches=not is_modern)
            if posted is not None and posted.is_batch:
                await self._legacy.post_batch(scope, receive, send, posted)
            elif posted is not None:
                await (self._modern if is_modern else self._legacy).post(
                    scope, receive, send, posted
                )
        elif is_modern:
            await answer(send, 405, b"", [(b"allow", b"POST")])
        elif method == "GET":
            await self._legacy.get(scope, receive, send)
        elif method == "DELETE":
            await self._legacy.delete(scope, send)
        else:
            await answer(send, 405, b"", [(b"allow", b"GET, POST, DELETE")])
