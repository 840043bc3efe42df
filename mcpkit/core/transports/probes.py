"""Probes: how load balancers and orchestrators ask after the server."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mcpkit.core.contributions import Endpoint

LIVE = "/livez"
READY = "/readyz"
PATHS = frozenset({LIVE, READY})
"""Reachable without credentials and by any host name: a probe uses a pod's address."""


def probe_routes(endpoint: Endpoint) -> list[Route]:
    """Routes of `/livez` (the process runs) and `/readyz` (it takes calls; else 503)."""

    async def live(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(request: Request) -> Response:
        report = endpoint.report()
        return JSONResponse(dict(report), status_code=200 if report["ready"] else 503)

    return [Route(LIVE, live), Route(READY, ready)]
