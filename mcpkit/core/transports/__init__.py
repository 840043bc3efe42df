"""The built-in transports and probe routes: hook implementations, as a plugin's would be.

stdio, streamable HTTP, legacy SSE and WebSocket; the last three share one port (`http`). Each is
imported when it is chosen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcpkit.core.contributions import Endpoint, Transport
from mcpkit.core.deferred import deferred
from mcpkit.core.hookspecs import hookimpl

if TYPE_CHECKING:  # only for annotations: stdio needs no web framework
    from starlette.routing import BaseRoute

probe_routes = deferred("mcpkit.core.transports.probes:probe_routes")


@hookimpl
def mcpkit_transports() -> list[Transport]:
    """The four built-in ways to reach the server."""
    return [
        Transport(
            name="stdio",
            description="Standard input and output, for a host that starts the server itself",
            serve=deferred("mcpkit.core.transports.stdio:serve"),
        ),
        Transport(
            name="streamable-http",
            description="The HTTP transport of MCP, for many clients at once",
            http=deferred("mcpkit.core.transports.streamable_http:open_routes"),
        ),
        Transport(
            name="sse",
            description="HTTP with server-sent events, for clients of protocol 2024-11-05",
            http=deferred("mcpkit.core.transports.sse:open_routes"),
        ),
        Transport(
            name="websocket",
            description="WebSocket with subprotocol mcp, for clients that speak it",
            http=deferred("mcpkit.core.transports.websocket:open_routes"),
        ),
    ]


@hookimpl
def mcpkit_routes(endpoint: Endpoint) -> list[BaseRoute]:
    """The probes."""
    return list(probe_routes(endpoint))
