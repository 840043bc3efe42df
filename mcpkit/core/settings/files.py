"""Files: what `mcpkit.toml`, `pyproject.toml` and `.env` say, read safely and parsed.

A file is read only if nobody but the user or root may have written it; what cannot be read is an
error, because it might have said who may use the server. `pyproject.toml` and `.env` belong to
other programs too: they count, and are checked, only where they name mcpkit.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcpkit.core.deferred import deferred
from mcpkit.core.errors import SettingsError
from mcpkit.core.own_files import check_owner, read_regular_file
from mcpkit.core.settings.origins import Origin, Tree, grow

parse_toml = deferred("tomllib:loads")
parse_dotenv = deferred("mcpkit.core.settings.dotenv:parse_dotenv")

FILE = "mcpkit.toml"
"""Settings file that is looked for in the working directory and in the user's settings folder."""

PROJECT = "pyproject.toml"
"""File of other programs whose section `[tool.mcpkit]` holds settings."""

DOTENV = ".env"
"""File of other programs whose variables `MCPKIT_…` hold settings."""

MAX_TOML_BYTES = 4 * 1024 * 1024
MAX_DOTENV_BYTES = 256 * 1024
"""Larger files are refused: parsing them takes seconds."""

MAX_PARTS = 32
"""Most parts of one key: the time that tomllib takes grows with their square."""

_PART = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_LONG_KEY = re.compile(rf"{_PART}(?:\s*\.\s*{_PART})*")


@dataclass(frozen=True, slots=True, kw_only=True)
class TomlFile:
    """What a settings file says.

    Attributes:
        path: Where it is.
        name: What origins call it.
        values: Its settings, nested.
    """

    path: Path
    name: str
    values: Mapping[str, Any]

    def tree(self) -> Tree:
        """Its settings with their origin."""
        origin = Origin(source="file", name=self.name, path=str(self.path))
        return grow(self.values, lambda key: origin)


@dataclass(frozen=True, slots=True, kw_only=True)
class DotenvFile:
    """What a `.env` says to us.

    Attributes:
        path: Where it is.
        variables: Those whose names start as ours do, with their text; references such as
            `${HOME}` are replaced.
    """

    path: Path
    variables: Mapping[str, str]


def read_settings_file(path: Path, name: str | None = None) -> TomlFile:
    """Read a file that is meant for mcpkit, such as one that `--settings` names.

    Args:
        path: The file.
        name: What to call it; its path by default.

    Raises:
        SettingsError: It is missing, unsafe or malformed.
    """
    named = name or str(path)
    content, status = _read(path, MAX_TOML_BYTES)
    _refuse_unsafe(path, status)
    values = _parse(content, path)
    if path.name == PROJECT:
        return _project(path, named, _section(values, path))
    return TomlFile(path=path, name=named, values=values)


def find_settings_file(folder: Path) -> TomlFile | None:
    """Read `mcpkit.toml` of a folder, else `[tool.mcpkit]` of its `pyproject.toml`.

    Raises:
        SettingsError: There is one that is unsafe or malformed.
    """
    if os.path.lexists(folder / FILE):
        return read_settings_file(folder / FILE, FILE)
    path = folder / PROJECT
    if not _may_speak(path):
        return None
    content, status = _read(path, MAX_TOML_BYTES)
    if b"mcpkit" not in content:
        return None  # a project's own file, which is not parsed
    values = _section(_parse(content, path), path)
    if not values:
        return None
    _refuse_unsafe(path, status)
    return _project(path, PROJECT, values)


def find_dotenv(folder: Path, prefix: str) -> DotenvFile | None:
    """Read the variables of ours in the `.env` of a folder; None where it has none.

    Raises:
        SettingsError: It has some, and is unsafe or malformed.
    """
    path = folder / DOTENV
    if not _may_speak(path):
        return None
    content, status = _read(path, MAX_DOTENV_BYTES)
    if prefix.lower().encode() not in content.lower():
        return None
    variables = parse_dotenv(content, prefix, path)
    if not variables:
        return None
    _refuse_unsafe(path, status)
    return DotenvFile(path=path, variables=variables)


def _may_speak(path: Path) -> bool:
    """Whether a file of other programs is there; a folder is none, such as a `.env` of venv."""
    return path.exists() and not path.is_dir()


def _read(path: Path, max_bytes: int) -> tuple[bytes, os.stat_result]:
    hint = f"Mend {path}, or name another file: then nothing of the working directory is read"
    try:
        return read_regular_file(path, max_bytes=max_bytes, follow_link=True)
    except FileNotFoundError as exc:
        leads_nowhere = os.path.lexists(path)
        reason = "it is a link that leads nowhere" if leads_nowhere else "it does not exist"
        if not leads_nowhere:
            hint = "Check --settings and MCPKIT_SETTINGS; `mcpkit settings init` makes a file"
        raise SettingsError(f"Cannot read {str(path)!r}: {reason}", hint=hint) from exc
    except OSError as exc:
        raise SettingsError(f"Cannot read {str(path)!r}: {exc}", hint=hint) from exc


def _refuse_unsafe(path: Path, status: os.stat_result) -> None:
    """Refuse a file that somebody else may have written.

    Raises:
        SettingsError: It is one.
    """
    try:
        check_owner(status)
    except PermissionError as exc:
        raise SettingsError(
            f"Refusing the settings in {str(path)!r}: {exc}",
            hint=f"Look who wrote it; then make it yours alone (chown, chmod go-w {path})",
        ) from exc


def _parse(content: bytes, path: Path) -> dict[str, Any]:
    """Parse TOML, in time proportional to its size.

    Raises:
        SettingsError: It is none.
    """
    try:
        text = content.decode("utf-8-sig")
        _refuse_long_keys(text)
        values: dict[str, Any] = parse_toml(text)
    except UnicodeDecodeError as exc:
        line = content.count(b"\n", 0, exc.start) + 1
        raise SettingsError(
            f"{str(path)!r} is not UTF-8 in line {line}", hint=f"Save {path} as UTF-8"
        ) from exc
    except (ValueError, RecursionError) as exc:  # of TOML or of deep nesting
        reason = "it is nested too deeply" if isinstance(exc, RecursionError) else exc
        raise SettingsError(
            f"{str(path)!r} is not valid TOML: {reason}", hint=f"Mend {path} at that place"
        ) from exc
    return values


def _refuse_long_keys(text: str) -> None:
    """Refuse keys of very many parts.

    Raises:
        ValueError: There is one.
    """
    for number, line in enumerate(text.split("\n"), start=1):
        if line.count(".") < MAX_PARTS:
            continue
        if any(run[0].count(".") >= MAX_PARTS for run in _LONG_KEY.finditer(line)):
            raise ValueError(f"A key has more than {MAX_PARTS} parts (at line {number})")


def _section(values: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    """`[tool.mcpkit]` of a `pyproject.toml`; empty where there is none.

    Raises:
        SettingsError: It is no table.
    """
    tools = values.get("tool")
    found = tools.get("mcpkit", {}) if isinstance(tools, dict) else {}
    if not isinstance(found, dict):
        raise SettingsError(
            f"tool.mcpkit in {str(path)!r} is no table", hint="Write a section [tool.mcpkit]"
        )
    return found


def _project(path: Path, name: str, values: Mapping[str, Any]) -> TomlFile:
    return TomlFile(path=path, name=f"{name} [tool.mcpkit]", values=values)
