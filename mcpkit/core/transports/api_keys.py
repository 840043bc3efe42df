"""API keys: which client a key belongs to."""

from __future__ import annotations

import hashlib
import secrets

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken

from mcpkit.core.settings import AuthSettings


class ApiKeys:
    """The clients by their API keys.

    Keys are found by a digest that nobody outside can predict. How long the search takes tells
    nothing of a key, and does not depend on how many there are.

    Args:
        auth: The keys.
    """

    def __init__(self, auth: AuthSettings) -> None:
        self._secret = secrets.token_bytes(32)
        self._users = {
            self._digest(key.get_secret_value().encode()): _user(client)
            for client, key in auth.api_keys.items()
        }

    def user_of(self, key: bytes) -> AuthenticatedUser | None:
        """The client of a key, as the SDK knows users; None for a key that is not known."""
        return self._users.get(self._digest(key))

    def _digest(self, key: bytes) -> bytes:
        return hashlib.blake2b(key, key=self._secret, digest_size=32).digest()


def _user(client: str) -> AuthenticatedUser:
    return AuthenticatedUser(AccessToken(token=client, client_id=client, scopes=[]))
