"""The guard: who may talk to the HTTP port.

Host and Origin are checked on every bind, against DNS rebinding (specification, basic/transports,
security warning); then the API key. It answers refusals itself, in JSON with a hint. Pages of the
allowed origins are told so, whatever the answer.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from reprlib import Repr

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from mcpkit.core.settings import AuthSettings, HttpSettings
from mcpkit.core.transports.api_keys import ApiKeys
from mcpkit.core.transports.cors import Cors
from mcpkit.core.transports.names import allowed_hosts, allowed_origins
from mcpkit.core.transports.principals import peer_of
from mcpkit.core.transports.probes import PATHS
from mcpkit.core.transports.refusals import refuse

logger = logging.getLogger(__name__)

ONCE = frozenset({b"host", b"origin", b"authorization", b"x-api-key"})
"""Header fields that decide who may come in: two that differ would be read differently by others
on the way (RFC 9112, section 3.2)."""

OAUTH = frozenset({"/authorize", "/register", "/token"})
"""Paths that clients try when a server tells them nothing of its authorization server
(specification of 2025-03-26, basic/authorization)."""

WELL_KNOWN = "/.well-known/"
"""Part of the paths where clients look for an authorization server (RFC 8414, RFC 9728)."""

_shortened = Repr()
_shortened.maxstring = 100


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
        self._cors = Cors(self._enter, self._origins)
        self._keys = ApiKeys(auth) if auth.api_keys else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request or WebSocket handshake in, or refuse it."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        # Some parsers keep white space that is no part of a value (RFC 9110, section 5.5).
        scope["headers"] = [(name, value.strip(b" \t")) for name, value in scope["headers"]]
        fields = dict(scope["headers"])
        refusal = self._refuse_repeated(scope, fields) or self._refuse_foreign(scope, fields)
        if refusal is not None:
            await refusal(scope, receive, send)
        elif b"origin" in fields:
            await self._cors(scope, receive, send)
        else:
            await self._enter(scope, receive, send)

    async def _enter(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let in whoever has an API key, if one is needed."""
        if self._keys is not None:
            fields = dict(scope["headers"])
            given = _bearer(fields) or _api_key(fields)
            if _api_key(fields) not in {b"", given} and scope["path"] not in PATHS:
                problem = "Authorization and X-API-Key hold different keys"
                await refuse(400, problem, "Send one of them")(scope, receive, send)
                return
            user = self._keys.user_of(given)
            if user is not None:
                # The SDK binds each session to the user that opened it.
                scope["user"] = user
            elif scope["path"] not in PATHS:
                await _refuse_unknown(scope, given)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refuse_repeated(self, scope: Scope, fields: Mapping[bytes, bytes]) -> Response | None:
        if len(fields) == len(scope["headers"]):
            return None
        counts = Counter(name for name, _ in scope["headers"] if name in ONCE)
        for name, count in counts.items():
            if count > 1:
                problem = f"The header {name.decode().title()} appears more than once"
                return refuse(400, problem, "Send it once")
        return None

    def _refuse_foreign(self, scope: Scope, fields: Mapping[bytes, bytes]) -> Response | None:
        if scope["path"] in PATHS:
            return None
        host = fields.get(b"host", b"").decode("latin-1")
        if not host:
            return refuse(400, "The header Host is missing", "Send it (RFC 9112, section 3.2)")
        if not self._hosts.allow(host):
            shown, hint = _shortened.repr(host), "http.allowed_hosts, or set http.public_url"
            logger.warning("Refused Host %s of %s: add it to %s", shown, peer_of(scope), hint)
            return refuse(421, f"Host {shown} is not served here", f"Add it to {hint}")
        origin = fields.get(b"origin", b"").decode("latin-1")
        if b"origin" in fields and not self._origins.allow(origin):
            shown, hint = _shortened.repr(origin), "http.allowed_origins, or set http.public_url"
            logger.warning("Refused Origin %s of %s: add it to %s", shown, peer_of(scope), hint)
            return refuse(403, f"Origin {shown} is not allowed", f"Add it to {hint}")
        return None


def _refuse_unknown(scope: Scope, given: bytes) -> Response:
    """Refuse a request without a key that is known."""
    hint = "Send an API key as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'"
    path: str = scope["path"]
    if path in OAUTH or WELL_KNOWN in f"{path}/":
        # 401 would send clients into a registration that leads nowhere.
        return refuse(404, "This server has no authorization server", hint)
    if given:
        logger.warning("Refused an API key of %s: it is not in auth.api_keys", peer_of(scope))
    problem = "The API key is not known" if given else "An API key is required"
    response = refuse(401, problem, hint)
    response.headers["www-authenticate"] = "Bearer"
    return response


def _bearer(fields: Mapping[bytes, bytes]) -> bytes:
    scheme, _, value = fields.get(b"authorization", b"").partition(b" ")
    return value.strip() if scheme.lower() == b"bearer" else b""


def _api_key(fields: Mapping[bytes, bytes]) -> bytes:
    return fields.get(b"x-api-key", b"")
