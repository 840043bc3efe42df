"""Pydantic's validation errors in plain words: no URLs, no jargon, never the input."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError


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


def describe_errors(error: ValidationError) -> list[Problem]:
    """List what a validation error found, in pydantic's order."""
    return [
        Problem(path=item["loc"], message=_plain(item["type"], item["msg"]), kind=item["type"])
        for item in error.errors(include_url=False, include_input=False, include_context=False)
    ]


def _plain(kind: str, message: str) -> str:
    if kind in _PLAIN:
        return _PLAIN[kind]
    for prefix in ("Value error, ", "Assertion failed, ", "Input "):
        if message.startswith(prefix):
            return message.removeprefix(prefix)
    return message[:1].lower() + message[1:]
