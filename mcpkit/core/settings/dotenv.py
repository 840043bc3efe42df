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
from mcpkit.core.suggestions import shortened

LONGEST = 65536
"""Most characters of one variable, before and after its references are replaced."""

MAX_REFERENCES = 20
"""Most references in one variable: each that is left open is searched to the end of the text."""

MAX_TOTAL = 1024 * 1024
"""Most characters of all variables together: many may refer to one that is long."""

_BLANKS = re.compile(r"[^\S\n]{200}")
"""The time that python-dotenv takes grows with the square of such a run."""


def parse_dotenv(content: bytes, prefix: str, path: Path) -> dict[str, str]:
    """Read the variables whose names start with a prefix, whatever its case.

    References to other variables, there or in the environment, are replaced: `${HOME}`.

    Raises:
        SettingsError: One of them is too long or not UTF-8, which others may be.
    """
    text = content.decode("utf-8-sig", "surrogateescape")
    if _BLANKS.search(text):
        raise SettingsError(
            f"Cannot read {str(path)!r}: a line has hundreds of blanks", hint=f"Mend {path}"
        )
    pairs = dotenv_values(stream=io.StringIO(text), interpolate=False)
    known = {**os.environ, **{name: value for name, value in pairs.items() if value is not None}}
    found: dict[str, str] = {}
    total = 0
    for name, value in pairs.items():
        if name.upper().startswith(prefix):
            _refuse_long(name, value or "", path)
            found[name] = _resolve(value or "", known)
            _refuse_broken(name, found[name], path)
            total += len(found[name])
            if total > MAX_TOTAL:
                raise SettingsError(f"{str(path)!r} says too much", hint=f"Shorten {path}")
    return found


def _refuse_long(name: str, value: str, path: Path) -> None:
    """Refuse a text whose references would take long to find.

    Raises:
        SettingsError: It is one.
    """
    if len(value) > LONGEST:
        raise SettingsError(f"{_shown(name)} in {str(path)!r} is too long", hint=f"Mend {path}")
    if value.count("${") > MAX_REFERENCES:
        raise SettingsError(
            f"{_shown(name)} in {str(path)!r} has more than {MAX_REFERENCES} references",
            hint=f"Mend {path}",
        )


def _refuse_broken(name: str, value: str, path: Path) -> None:
    """Refuse a variable that is too long, or not UTF-8.

    Raises:
        SettingsError: It is.
    """
    if len(value) > LONGEST:
        raise SettingsError(f"{_shown(name)} in {str(path)!r} is too long", hint=f"Mend {path}")
    try:
        f"{name}{value}".encode()
    except UnicodeEncodeError as exc:
        raise SettingsError(
            f"{_shown(name)} in {str(path)!r} is not UTF-8", hint=f"Save {path} as UTF-8"
        ) from exc


def _shown(name: str) -> str:
    return shortened(name.encode("ascii", "backslashreplace").decode())


def _resolve(text: str, known: dict[str, str]) -> str:
    """Replace references to variables, as python-dotenv does; one level deep.

    What makes the text too long is where it ends: a reference is shorter than what it names.
    """
    found = ""
    for atom in parse_variables(text):
        found += atom.resolve(known)
        if len(found) > LONGEST:
            break
    return found
