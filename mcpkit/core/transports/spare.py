"""Spare connections: when all others are in use, some are left for probes alone.

An orchestrator that gets no answer of `/livez` would restart a server that is only busy.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from mcpkit.core.transports.probes import PATHS
from mcpkit.core.transports.refusals import refuse

RETRY = "1"
"""Seconds after which a refused client is told to try again."""


def only_probes(app: ASGIApp) -> ASGIApp:
    """ASGI application that passes probes on and refuses everything else."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] in PATHS:
            await app(scope, receive, send)
            return
        headers = {"Retry-After": RETRY, "Connection": "close"}
        refusal = refuse(503, "Too many connections", "Try again later", headers)
        await refusal(scope, receive, send)

    return answer
