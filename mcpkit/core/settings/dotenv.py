"""Dotenv: the variables of ours in a `.env` file, as python-dotenv reads them.

Imported only where there may be such a variable.
"""

from __future__ import annotations

import io
import os
import re
from pathlib import Path

from dotenv import dotenv_values
from dotenv.variables import parse_variables

from mcpkit.core.errors import SettingsError

_BLANKS = re.compile(r"[^\S\n]{200}")
"""The time that python-dotenv takes grows with the square of such a run."""


def parse_dotenv(content: bytes, prefix: str, path: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Read the variables whose names start with a prefix, whatever its case.

    Returns:
        Their text as it stands there, and with references such as `${HOME}` replaced.

    Raises:
        SettingsError: One of them is not UTF-8; others may be.
    """
    text = content.decode("utf-8-sig", "surrogateescape")
    if _BLANKS.search(text):
        raise SettingsError(
            f"Cannot read {str(path)!r}: a line has hundreds of blanks", hint=f"Mend {path}"
        )
    pairs = dotenv_values(stream=io.StringIO(text), interpolate=False)
    found = {name: value or "" for name, value in pairs.items() if name.upper().startswith(prefix)}
    for name, value in found.items():
        try:
            f"{name}{value}".encode()
        except UnicodeEncodeError as exc:
            shown = name.encode("ascii", "backslashreplace").decode()
            raise SettingsError(
                f"{shown} in {str(path)!r} is not UTF-8", hint=f"Save {path} as UTF-8"
            ) from exc
    known = {**os.environ, **{name: value for name, value in pairs.items() if value is not None}}
    return found, {name: _resolve(value, known) for name, value in found.items()}


def _resolve(text: str, known: dict[str, str]) -> str:
    """Replace references to variables, as python-dotenv does; one level deep."""
    return "".join(atom.resolve(known) for atom in parse_variables(text))
