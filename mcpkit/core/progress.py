"""Progress of long work: a bar below the log on a terminal, lines of the log elsewhere."""

from __future__ import annotations

import logging
import time
from typing import Self

from mcpkit.core.colours import wanted_colour
from mcpkit.core.deferred import deferred
from mcpkit.core.logs import show_below, terminal_width

draw_bar = deferred("mcpkit.core.terminal:bar")

DELAY = 0.5
"""Seconds that work takes before a bar is shown: short work needs none."""

INTERVAL = 0.1
"""Seconds between two drawings of a bar."""

LOG_INTERVAL = 5.0
"""Seconds between two lines of the log, where there is no terminal."""


class ProgressBar:
    """Shows people how far long work in the background has come.

    Use it as a context manager, and `update` it from one thread, as often as is easy: drawing is
    limited. The client of a call sees `ctx.report_progress` instead.

    Args:
        label: What is done, such as `Indexing documents`.
        total: How many steps the work has.
        logger: Where it is told if standard error is no terminal, or the log is JSON.
    """

    def __init__(self, label: str, total: int, *, logger: logging.Logger) -> None:
        self._label = label
        self._total = total
        self._logger = logger
        self._width = terminal_width()
        self._due = time.monotonic() + (LOG_INTERVAL if self._width is None else DELAY)

    def update(self, done: int) -> None:
        """Tell how many steps are done."""
        now = time.monotonic()
        if now < self._due:
            return
        if self._width is None:
            self._due = now + LOG_INTERVAL
            self._logger.info("%s: %d of %d", self._label, done, self._total)
            return
        self._due = now + INTERVAL
        colour = wanted_colour() is not False
        line = draw_bar(self._label, done, self._total, width=self._width, colour=colour)
        show_below(self, line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        show_below(self, None)
