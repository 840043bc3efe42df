"""The guard: who may talk to the HTTP port, and how much they may say.

Host and Origin are checked on every bind, against DNS rebinding (specification, basic/transports,
security warning); then the API key. It answers refusals itself, in JSON with a hint.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from mcpkit.core.settings import AuthSettings, HttpSettings
from mcpkit.core.transports.probes import PATHS

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
"""Names of this machine for itself, as they stand in a Host header."""

WILDCARDS = frozenset({"0.0.0.0", "::", ""})  # noqa: S104  # recognised, not bound
"""Addresses that mean every address of the machine."""


@dataclass(frozen=True, slots=True)
class Names:
    """Values that a Host or Origin header may have; `any_port` ones without their port."""

    exact: frozenset[str]
    any_port: frozenset[str]

    def allow(self, value: str) -> bool:
        """Whether a header's value is among them."""
        value = value.lower()
        if value in self.exact or value in self.any_port:
            return True
        name, colon, port = value.rpartition(":")
        return bool(colon) and port.isdigit() and name in self.any_port


def allowed_hosts(settings: HttpSettings) -> Names:
    """What a Host header may say: this machine, the address bound, the public URL, the settings."""
    any_port = set(LOOPBACK)
    if settings.host not in WILDCARDS:
        any_port.add(f"[{settings.host}]" if ":" in settings.host else settings.host.lower())
    public = [urlsplit(settings.public_url).netloc] if settings.public_url else []
    return _names([*public, *settings.allowed_hosts], any_port)


def allowed_origins(settings: HttpSettings) -> Names:
    """What an Origin header may say: pages of this machine, of the public URL, of the settings."""
    any_port = {f"{scheme}://{host}" for scheme in ("http", "https") for host in LOOPBACK}
    public = []
    if settings.public_url:
        url = urlsplit(settings.public_url)
        public.append(f"{url.scheme}://{url.netloc}")
    return _names([*public, *settings.allowed_origins], any_port)


def _names(values: Iterable[str], any_port: set[str]) -> Names:
    exact: set[str] = set()
    for value in values:
        lowered = value.lower().rstrip("/")
        if lowered.endswith(":*"):
            any_port.add(lowered.removesuffix(":*"))
        else:
            exact.add(lowered)
    return Names(frozenset(exact), frozenset(any_port))


class Guard:
    """ASGI middleware in front of everything on the port.

    Args:
        app: What it guards.
        http: Host and Origin values.
        auth: API keys; without any, everybody who passes the other checks may come in.
    """

    def __init__(self, app: ASGIApp, http: HttpSettings, auth: AuthSettings) -> None:
        self._app = app
        self._hosts = allowed_hosts(http)
        self._origins = allowed_origins(http)
        self._keys: Mapping[str, bytes] = {
            name: key.get_secret_value().encode() for name, key in auth.api_keys.items()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request or WebSocket handshake in, or refuse it."""
        if scope["type"] not in {"http", "websocket"} or scope["path"] in PATHS:
            await self._app(scope, receive, send)
            return
        # Some parsers keep white space that is no part of a value (RFC 9110, section 5.5).
        scope["headers"] = [(name, value.strip(b" \t")) for name, value in scope["headers"]]
        headers = Headers(scope=scope)
        refusal = self._refuse_foreign(headers) or self._authenticate(headers, scope)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _refuse_foreign(self, headers: Headers) -> Response | None:
        host = headers.get("host", "")
        if not self._hosts.allow(host):
            return refuse(
                421,
                f"Host {host!r} is not served here",
                "Add it to http.allowed_hosts, or set http.public_url",
            )
        origin = headers.get("origin")
        if origin is not None and not self._origins.allow(origin):
            return refuse(
                403,
                f"Origin {origin!r} is not allowed",
                "Add it to http.allowed_origins, or set http.public_url",
            )
        return None

    def _authenticate(self, headers: Headers, scope: Scope) -> Response | None:
        if not self._keys:
            return None
        given = _credential(headers)
        client = self._client_of(given)
        if client is None:
            problem = "The API key is not known" if given else "An API key is required"
            response = refuse(
                401, problem, "Send it as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'"
            )
            response.headers["www-authenticate"] = "Bearer"
            return response
        # The SDK binds each session to the user that opened it.
        scope["user"] = AuthenticatedUser(AccessToken(token=client, client_id=client, scopes=[]))
        return None

    def _client_of(self, given: str) -> str | None:
        """Compare with every key, in a time that does not tell how much of one was right."""
        found = None
        for name, key in self._keys.items():
            if hmac.compare_digest(key, given.encode("utf-8", "surrogateescape")):
                found = name
        return found


def _credential(headers: Headers) -> str:
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    return headers.get("x-api-key", "").strip()


def refuse(status: int, problem: str, hint: str) -> Response:
    """Make the answer to a refused request; to a WebSocket it refuses the handshake."""
    return JSONResponse({"error": problem, "hint": hint}, status_code=status)
