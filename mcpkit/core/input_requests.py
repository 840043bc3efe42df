"""Questions to clients: what a client must have declared before it may be asked.

Servers must not ask a client for what it did not declare: -32021 names what is missing
(specification 2026-07-28, basic/patterns/mrtr; 2025-11-25, client/elicitation).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import mcp_types as types
from mcp.server.session import ServerSession
from mcp.shared.exceptions import MCPError
from mcp_types.methods import is_input_required
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from mcpkit.core.errors import HandlerError

NEEDS_SESSION = "that needs a session of protocol 2025-11-25 or a task"
"""What an error says where a client cannot be asked in the middle of a call."""


def check_input_required(result: Any, session: ServerSession) -> None:
    """Refuse a result that asks its client for what the client cannot give.

    Args:
        result: Of a handler, as a model or as it is sent; any other result passes.
        session: Of the client.

    Raises:
        HandlerError: The client speaks a protocol without rounds.
        MCPError: The client did not declare what it needs (-32021).
    """
    if not is_input_required(result):
        return
    if session.protocol_version not in MODERN_PROTOCOL_VERSIONS:
        raise HandlerError(
            "It asks its client between rounds, for which the client must speak protocol "
            "2026-07-28 or newer"
        )
    if isinstance(result, Mapping):
        result = types.InputRequiredResult.model_validate(result, by_name=False)
    check_declared((result.input_requests or {}).values(), session)


def check_declared(requests: Iterable[Any], session: ServerSession) -> None:
    """Refuse to send requests to a client that did not declare that it takes them.

    Raises:
        MCPError: It did not (-32021); the data names all that is missing.
    """
    declared = session.client_capabilities or types.ClientCapabilities()
    missing: dict[str, Any] = {}
    for request in requests:
        missing |= _missing(request, declared)
    if missing:
        raise MCPError(
            types.MISSING_REQUIRED_CLIENT_CAPABILITY,
            f"The client did not declare what this needs: {', '.join(sorted(missing))}",
            {"requiredCapabilities": missing},
        )


def _missing(request: Any, declared: types.ClientCapabilities) -> dict[str, Any]:
    """The capabilities that one request needs and the client did not declare."""
    match request:
        case types.ElicitRequest(params=types.ElicitRequestURLParams()):
            found = declared.elicitation is not None and declared.elicitation.url is not None
            return {} if found else {"elicitation": {"url": {}}}
        case types.ElicitRequest():
            found = declared.elicitation is not None and (
                # Before there were modes, `{}` said that forms are taken.
                declared.elicitation.form is not None or declared.elicitation.url is None
            )
            return {} if found else {"elicitation": {"form": {}}}
        case types.CreateMessageRequest():
            tools = request.params.tools is not None or request.params.tool_choice is not None
            if declared.sampling is None or (tools and declared.sampling.tools is None):
                return {"sampling": {"tools": {}} if tools else {}}
        case types.ListRootsRequest():
            return {} if declared.roots is not None else {"roots": {}}
    return {}
