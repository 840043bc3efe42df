"""The user's folders for settings, state and caches, as the XDG Base Directory Specification says.

A folder is None where it cannot be known: a process whose user has no entry in the password
database has no home, and a relative path would mean the folder of whoever starts the process.
"""

from __future__ import annotations

import hashlib
import os


def settings_folder() -> str | None:
    """The folder of the user's settings: `~/.config/mcpkit`, on Windows `%APPDATA%/mcpkit`."""
    if os.name == "nt":
        return _of("APPDATA", "AppData", "Roaming")
    return _of("XDG_CONFIG_HOME", ".config")


def state_folder() -> str | None:
    """The folder of what a program keeps for itself: `~/.local/state/mcpkit`."""
    return _of("XDG_STATE_HOME", ".local", "state")


def cache_folder() -> str | None:
    """The folder of what can be made anew: `~/.cache/mcpkit`."""
    return _of("XDG_CACHE_HOME", ".cache")


def trust_file(folder: str) -> str | None:
    """The file that keeps the user's trust in a folder, whatever links lead to it."""
    state = state_folder()
    if state is None:
        return None
    name = hashlib.sha256(os.fsencode(os.path.realpath(folder))).hexdigest()[:32]
    return f"{state}/trusted/{name}.json"


def _of(variable: str, *default: str) -> str | None:
    """The folder of mcpkit within the one that a variable names, or within the home."""
    named = os.environ.get(variable, "")
    if os.path.isabs(named):
        return os.path.join(named, "mcpkit")
    home = os.path.expanduser("~")
    return os.path.join(home, *default, "mcpkit") if os.path.isabs(home) else None
