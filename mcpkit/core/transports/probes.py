"""Probes: how load balancers and orchestrators ask after the server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mcpkit.core.contributions import Endpoint
from mcpkit.core.encoding import encode
from mcpkit.core.settings import Settings
from mcpkit.core.transports.names import is_local

LIVE = "/livez"
READY = "/readyz"
PATHS = frozenset({LIVE, READY})
"""Reachable without credentials and by any host name: a probe uses a pod's address."""


def probe_routes(endpoint: Endpoint) -> list[Route]:
    """Routes of `/livez` (the process runs) and `/readyz` (it takes calls; else 503)."""

    async def live(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(request: Request) -> Response:
        report = await endpoint.report()
        told = report if _is_operator(request, endpoint.settings) else _without_reasons(report)
        status = 200 if report["ready"] else 503
        return Response(encode(told), status, media_type="application/json")

    return [Route(LIVE, live), Route(READY, ready)]


def _is_operator(request: Request, settings: Settings) -> bool:
    """Whether a request may learn why a plugin is not ready: it has a key, or comes from here."""
    if settings.auth.api_keys:
        return isinstance(request.scope.get("user"), AuthenticatedUser)
    return settings.http.public_url is None and is_local(request.scope)


def _without_reasons(report: Mapping[str, Any]) -> Mapping[str, Any]:
    """What anybody may know: names of plugins, and whether they are ready."""
    plugins = {name: {"ready": entry["ready"]} for name, entry in report["plugins"].items()}
    return {**report, "plugins": plugins}
