"""CORS (Fetch standard): pages of the allowed origins may use the HTTP port from a browser."""

from __future__ import annotations

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from mcpkit.core.transports.names import Names

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
"""Methods that pages may use: those of the transports, and of plugins' routes."""

EXPOSED = ("Mcp-Session-Id", "MCP-Protocol-Version", "WWW-Authenticate", "Retry-After", "Allow")
"""Header fields of responses that pages may read."""

MAX_AGE = 600
"""Seconds that a browser may keep the answer to a preflight request."""


class Cors(CORSMiddleware):
    """Answers preflight requests, and puts the fields of CORS into responses.

    Pages may send any header field, since the parameters of tools have fields of their own
    (`Mcp-Param-*`), and no cookies: an API key is a header field.

    Args:
        app: What pages may use.
        origins: Whose pages.
    """

    def __init__(self, app: ASGIApp, origins: Names) -> None:
        super().__init__(
            app,
            allow_methods=METHODS,
            allow_headers=["*"],
            expose_headers=EXPOSED,
            max_age=MAX_AGE,
            # Chrome 104 to 141 asked so for servers on a local network; later it asks the user.
            allow_private_network=True,
        )
        self._origins = origins

    def is_allowed_origin(self, origin: str) -> bool:
        """Whether pages of an origin may use it."""
        return self._origins.allow(origin)
