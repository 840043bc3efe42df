"""Encoding: a value becomes JSON that every client can read, whatever a plugin put into it."""

from __future__ import annotations

import json
from typing import Any

import pydantic_core
from pydantic_core import PydanticSerializationError

ENCODED_RESULT = "mcpkit.encoded_result"
"""Key of the ASGI scope where a middleware leaves the result of a request as JSON, if it has it."""


def encode(value: Any) -> bytes:
    """Write JSON in UTF-8, without line breaks.

    Half of a surrogate pair, as in the name of a file that is no UTF-8, becomes a question mark;
    what is no finite number becomes null.
    """
    try:
        return pydantic_core.to_json(value, inf_nan_mode="null")
    except PydanticSerializationError:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        return text.encode(errors="replace")
