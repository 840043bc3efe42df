"""Encoding: a value becomes JSON that every client can read, whatever a plugin put into it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pydantic_core
from pydantic_core import PydanticSerializationError

ENCODED_RESULT = "mcpkit.encoded_result"
"""Key of the ASGI scope where a middleware leaves the result of a request as JSON, if it has it."""

ENCODED_MEMBERS = "mcpkit.encoded_members"
"""Key of the ASGI scope where a handler leaves members of its result as JSON, by name.

It is there only if the transport adds them to the result.
"""


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


def with_members(encoded: bytes, members: Mapping[str, bytes]) -> list[bytes]:
    """Parts of an object that is JSON and not empty, with members added that are JSON too."""
    parts = [encoded[:-1]]
    for name, value in members.items():
        parts += [b",%b:" % encode(name), value]
    return [*parts, b"}"]
