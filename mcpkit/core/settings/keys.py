"""Keys of settings: tuples inside, dotted text as TOML spells it outside.

A part may itself hold a dot, as a client called `alice@example.com` does; it is quoted then.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

Key = tuple[str | int, ...]
"""Names, and places in lists, from the root of the settings."""

_PART = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')"""
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_PARTS = re.compile(_PART)
_ASSIGNMENT = re.compile(rf"\s*({_PART}(?:\s*\.\s*{_PART})*)\s*=(.*)", re.DOTALL)


def spell(key: Sequence[str | int]) -> str:
    """Spell a key as TOML does: `auth.api_keys."alice@example.com"`.

    Quoted parts are ASCII, so that a name in somebody else's file cannot write to the terminal.
    """
    return ".".join(_spell_part(str(part)) for part in key)


def parse_assignment(text: str) -> tuple[tuple[str, ...], str]:
    """Read `KEY=VALUE`, with a key as TOML spells it.

    Raises:
        ValueError: It is not of that form.
    """
    match = _ASSIGNMENT.fullmatch(text)
    if match is None:
        raise ValueError("not KEY=VALUE")
    return tuple(map(_parse_part, _PARTS.findall(match[1]))), match[2]


def split_list(text: str) -> list[str]:
    """The parts of a comma-separated list."""
    return [part.strip() for part in text.split(",") if part.strip()]


def _spell_part(part: str) -> str:
    return part if _BARE.fullmatch(part) else json.dumps(part)


def _parse_part(part: str) -> str:
    if part.startswith('"'):
        return str(json.loads(part))
    return part.strip("'")
