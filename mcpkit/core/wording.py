"""Pydantic's validation errors in plain words: no URLs, no jargon, never the input."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from mcpkit.core.suggestions import shortened

LONGEST = 1000
"""Characters of the longest message; a validator's own may quote what it was given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        path: Where, from the root: names and indices.
        message: What, as half a sentence without a capital.
        kind: pydantic's name of the kind of error.
    """

    path: tuple[str | int, ...]
    message: str
    kind: str


_PLAIN = {
    "missing": "is required",
    "extra_forbidden": "is not known",
    "unexpected_keyword_argument": "is not known",
}


def describe_errors(error: ValidationError, *, most: int | None = None) -> list[Problem]:
    """List what a validation error found, in pydantic's order.

    Args:
        error: What pydantic raised.
        most: How many of its problems are wanted; None for all.
    """
    found = error.errors(include_url=False, include_input=False, include_context=False)
    return [
        Problem(
            path=item["loc"],
            message=shortened(_plain(item["type"], item["msg"]), LONGEST),
            kind=item["type"],
        )
        for item in found[:most]
    ]


def _plain(kind: str, message: str) -> str:
    if kind in _PLAIN:
        return _PLAIN[kind]
    for prefix in ("Value error, ", "Assertion failed, ", "Input "):
        if message.startswith(prefix):
            return message.removeprefix(prefix)
    return message[:1].lower() + message[1:]
