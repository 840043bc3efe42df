"""Owners: who may follow a task."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.context import ServerRequestContext
from mcp.server.request_state import authenticated_principal

from mcpkit.core.deferred import deferred
from mcpkit.core.encoding import encode
from mcpkit.core.settings import AuthSettings

principal_of = deferred("mcpkit.core.transports.principals:principal_of")


class Owners:
    """Names the owners of tasks: a digest of server name, client and API key.

    Servers with one store and clients of the same name thus keep them apart. Without
    authentication all clients of a server are one owner, and the ids of tasks are their secret.

    Args:
        server: Name of the server.
        auth: The API keys of its clients.
    """

    def __init__(self, server: str, auth: AuthSettings) -> None:
        self._server = server
        self._keys: Mapping[str, str] = {
            name: _digest(key.get_secret_value()) for name, key in auth.api_keys.items()
        }

    def of(self, ctx: ServerRequestContext[Any, Any]) -> str:
        """The owner of the tasks that a request makes or asks about."""
        token = get_access_token()
        client = "" if token is None else token.client_id
        return _digest(self._server, authenticated_principal(ctx), self._keys.get(client))

    def client_of(self, ctx: ServerRequestContext[Any, Any]) -> str:
        """Whose running tasks count together: without keys those of one address, as sessions do."""
        scope = getattr(ctx.request, "scope", None)
        return self.of(ctx) if scope is None else str(principal_of(scope))


def _digest(*parts: str | None) -> str:
    return sha256(encode(["mcpkit task owner", *parts])).hexdigest()[:32]
