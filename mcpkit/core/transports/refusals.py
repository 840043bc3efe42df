"""Refusals: how a client is told that it is not served now."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import mcp_types as types
from starlette.responses import JSONResponse

from mcpkit.core.errors import RETRY_AFTER
from mcpkit.core.transports.responses import Header

REFUSALS = frozenset({429, 503})
"""Codes of JSON-RPC errors that are statuses of HTTP as well: too many requests, unavailable."""

MOST_SECONDS = 7 * 24 * 3600.0
"""Longest time after which a client may be told to try again."""

SESSION_WAIT = 10
"""Seconds after which a client may try again to open a session."""


def refusal(error: types.ErrorData) -> tuple[int, Sequence[Header]] | None:
    """The HTTP status and header fields of an error that says "not now"; None for other errors."""
    if error.code not in REFUSALS:
        return None
    seconds = error.data.get(RETRY_AFTER) if isinstance(error.data, Mapping) else None
    if not isinstance(seconds, int | float) or not 0 <= seconds <= MOST_SECONDS:
        return error.code, ()
    return error.code, [(b"retry-after", b"%d" % math.ceil(seconds))]


def refuse(
    status: int, problem: str, hint: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Make the answer to a refused request; to a WebSocket it refuses the handshake."""
    return JSONResponse({"error": problem, "hint": hint}, status_code=status, headers=headers)


def crowded() -> JSONResponse:
    """Make the answer to a client for whose session there is no room."""
    hint = "Close another one, or try again later"
    return refuse(503, "Too many open sessions", hint, {"Retry-After": str(SESSION_WAIT)})
