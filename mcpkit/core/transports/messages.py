"""Messages: one JSON-RPC message as text or bytes, checked, in both directions.

The SDK's dispatcher drops what it cannot read; a client would wait for ever. Here every unreadable
message gets its answer (JSON-RPC 2.0, section 5.1).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import mcp_types as types
import pydantic_core
from mcp.shared.dispatcher import as_request_id
from mcp.shared.jsonrpc_dispatcher import progress_token_from_params
from mcp.shared.message import SessionMessage

from mcpkit.core.encoding import encode
from mcpkit.core.errors import RETRY_AFTER

BATCHES = "2025-03-26"
"""The one version of the protocol that has batches."""

NO_BATCHES = (
    "Invalid request: batches are not supported; only protocol 2025-03-26 has them, over HTTP and "
    "standard input. Send one message at a time"
)
"""Told to a client of another version, or transport."""

LONGEST_ID = 256
"""Characters of an id or a progress token: it is repeated in every answer and notification."""

LARGEST_ID: int = 10**LONGEST_ID
"""The first number with more digits."""

MOST_VALUES = 250_000
"""Values that a message may hold: each takes a hundred times the memory and time of its bytes."""

_UNSTRUCTURED = bytes(set(range(256)) - set(b'"[{:,'))
"""Bytes that neither begin nor separate values."""

BUSY_WAIT = 1
"""Seconds after which a client with too many requests in flight may send the next one."""


def read_message(text: str | bytes) -> SessionMessage | types.JSONRPCError:
    """Parse one message.

    Returns:
        The message; or, if it is none, the error to answer it with, under its id when that can be
        read.
    """
    if _has_too_many(text):
        limit = f"{MOST_VALUES:,} values"
        return failure(types.INVALID_REQUEST, f"Invalid request: it holds more than {limit}")
    try:
        value = pydantic_core.from_json(text, allow_inf_nan=False)
    except ValueError:
        return _unreadable(text)
    return _message(value)


def read_batch(text: str | bytes, most: int) -> Sequence[SessionMessage | types.JSONRPCError]:
    """Parse a batch (specification of 2025-03-26, basic, "Batching").

    Args:
        text: What stands between brackets, and these.
        most: Messages that it may hold.

    Returns:
        Each message, or the error to answer it with; nothing if it is no batch, or too long.
    """
    try:
        values = pydantic_core.from_json(text, allow_inf_nan=False)
    except ValueError:
        return []
    if not isinstance(values, list) or len(values) > most:
        return []
    return [_part(value) for value in values]


def is_batch(refusal: types.JSONRPCError) -> bool:
    """Whether a text was refused because it is a batch."""
    return refusal.error.message == NO_BATCHES


def bad_batch(most: int) -> types.JSONRPCError:
    """Refuse a batch that holds nothing, or too much, or cannot be read."""
    return failure(types.INVALID_REQUEST, f"Invalid request: a batch holds 1 to {most} messages")


def _part(value: Any) -> SessionMessage | types.JSONRPCError:
    message = _message(value)
    is_handshake = (
        isinstance(message, SessionMessage)
        and isinstance(message.message, types.JSONRPCRequest)
        and message.message.method == "initialize"
    )
    if is_handshake:
        text = "Invalid request: initialize is not part of a batch"
        return failure(types.INVALID_REQUEST, text, as_request_id(value.get("id")))
    return message


def _message(value: Any) -> SessionMessage | types.JSONRPCError:
    try:
        message = types.jsonrpc_message_adapter.validate_python(value, by_name=False)
    except ValueError:
        return _refusal(value)
    if isinstance(message, types.JSONRPCNotification) and "id" in value:
        return _refusal(value)  # a request whose id is wrong: it waits for an answer
    if isinstance(message, types.JSONRPCRequest):
        return _too_long(message) or SessionMessage(message)
    return SessionMessage(message)


def _too_long(request: types.JSONRPCRequest) -> types.JSONRPCError | None:
    """Refuse a request whose id or progress token is too long to be repeated."""
    if _is_long(request.id):
        text = f"Invalid request: the id has more than {LONGEST_ID} characters"
        return failure(types.INVALID_REQUEST, text)
    if _is_long(progress_token_from_params(request.params)):
        text = f"Invalid params: progressToken has more than {LONGEST_ID} characters"
        return failure(types.INVALID_PARAMS, text, request.id)
    return None


def _is_long(value: str | int | None) -> bool:
    if isinstance(value, int):
        return abs(value) >= LARGEST_ID
    return value is not None and len(value) > LONGEST_ID


def write_message(message: SessionMessage) -> bytes:
    """Write one message, in UTF-8 and without line breaks.

    Half of a surrogate pair, as in the name of a file that is no UTF-8, becomes a question mark:
    one such result must not end the connection.
    """
    said = message.message
    if isinstance(said, types.JSONRPCResponse):  # by far the longest, and plain JSON already
        return encode({"jsonrpc": said.jsonrpc, "id": said.id, "result": said.result})
    return encode(said.model_dump(by_alias=True, exclude_unset=True))


def failure(code: int, text: str, request_id: types.RequestId | None = None) -> types.JSONRPCError:
    """Make an error response; without an id when it is not known which request it answers."""
    return types.JSONRPCError(
        jsonrpc="2.0", id=request_id, error=types.ErrorData(code=code, message=text)
    )


def busy(request_id: types.RequestId) -> types.JSONRPCError:
    """Refuse a request because too many are in flight."""
    text = "Too many requests in flight: wait for an answer before you send the next one"
    error = types.ErrorData(code=429, message=text, data={RETRY_AFTER: BUSY_WAIT})
    return types.JSONRPCError(jsonrpc="2.0", id=request_id, error=error)


def taken(request_id: types.RequestId) -> types.JSONRPCError:
    """Refuse a request whose id another one has that is in flight."""
    text = "Invalid request: another one with this id is not answered yet"
    return failure(types.INVALID_REQUEST, text, request_id)


def _has_too_many(text: str | bytes) -> bool:
    """Whether a text holds too many values; told from its punctuation, without parsing it."""
    if len(text) <= MOST_VALUES:
        return False
    data = text.encode() if isinstance(text, str) else text
    return _separators(data) > MOST_VALUES and _separators(_structure(data)) > MOST_VALUES


def _structure(data: bytes) -> bytes:
    """JSON without its strings; of the rest, what begins or separates values."""
    quoted = data.replace(b"\\\\", b"").replace(b'\\"', b"").translate(None, _UNSTRUCTURED)
    return b"".join(quoted.replace(b'""', b"").split(b'"')[::2])


def _separators(data: bytes) -> int:
    return sum(map(data.count, (b",", b"[", b"{")))


def _unreadable(text: str | bytes) -> types.JSONRPCError:
    try:
        value: Any = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return failure(types.PARSE_ERROR, "Parse error: the message is not valid JSON in UTF-8")
    return _refusal(value)


def _refusal(value: Any) -> types.JSONRPCError:
    if isinstance(value, list):
        return failure(types.INVALID_REQUEST, NO_BATCHES)
    request_id = as_request_id(value.get("id")) if isinstance(value, dict) else None
    if isinstance(request_id, str) and not _is_text(request_id):
        request_id = None
    return failure(
        types.INVALID_REQUEST,
        "Invalid request: not a JSON-RPC 2.0 message, or nested too deeply",
        request_id,
    )


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _is_text(value: str) -> bool:
    """Whether a string can be written; half of a surrogate pair cannot."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
