"""Colours: whether they are wanted."""

from __future__ import annotations

import os


def wanted_colour() -> bool | None:
    """Whether to print colours; None where it depends on the terminal.

    `NO_COLOR` forbids them (no-color.org), `FORCE_COLOR` wants them in a pipe, too.
    """
    if os.environ.get("NO_COLOR"):
        return False
    return True if os.environ.get("FORCE_COLOR") else None
