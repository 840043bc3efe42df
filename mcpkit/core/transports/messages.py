"""Messages: one JSON-RPC message as text or bytes, checked, in both directions.

The SDK's dispatcher drops what it cannot read; a client would wait for ever. Here every unreadable
message gets its answer (JSON-RPC 2.0, section 5.1).
"""

from __future__ import annotations

import json
from typing import Any

import mcp_types as types
from mcp.shared.message import SessionMessage
from pydantic import ValidationError


def read_message(text: str | bytes) -> SessionMessage | types.JSONRPCError:
    """Parse one message.

    Returns:
        The message; or, if it is none, the error to answer it with, under its id when that can be
        read.
    """
    try:
        message = types.jsonrpc_message_adapter.validate_json(text, by_name=False)
    except ValidationError:
        return _refusal(text)
    return SessionMessage(message)


def write_message(message: SessionMessage) -> str:
    """Write one message, without line breaks."""
    return message.message.model_dump_json(by_alias=True, exclude_unset=True)


def failure(code: int, text: str, request_id: types.RequestId | None = None) -> types.JSONRPCError:
    """Make an error response; without an id when it is not known which request it answers."""
    return types.JSONRPCError(
        jsonrpc="2.0", id=request_id, error=types.ErrorData(code=code, message=text)
    )


def _refusal(text: str | bytes) -> types.JSONRPCError:
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError):
        return failure(types.PARSE_ERROR, "Parse error: the message is not valid JSON in UTF-8")
    if isinstance(value, list):
        return failure(types.INVALID_REQUEST, "Invalid request: batches are not supported")
    request_id = value.get("id") if isinstance(value, dict) else None
    if isinstance(request_id, bool) or not isinstance(request_id, int | str):
        request_id = None
    return failure(types.INVALID_REQUEST, "Invalid request: not a JSON-RPC 2.0 message", request_id)
