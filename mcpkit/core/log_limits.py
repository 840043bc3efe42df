"""Limits of the log: what strangers cause is logged a few times a minute, then counted.

A logger gets a `LogLimit` as its filter where anybody who reaches the server can cause a record.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

MOST = 5
"""Records of one kind that are logged in one window."""

WINDOW = 60.0
"""Seconds in which records of one kind are counted."""

_COUNT = "mcpkit_count"
"""Attribute of the records that tell a number: they are not limited themselves."""


@dataclass(slots=True)
class _Window:
    """Records of one kind since a moment; `last` is the last one that was not logged."""

    begun: float
    seen: int = 0
    last: logging.LogRecord | None = None


class LogLimit(logging.Filter):
    """Lets the first `MOST` records of each kind through in a window, and counts the rest.

    Records are of one kind if their messages are the same before arguments are filled in. Errors
    are not limited.
    """

    def __init__(self) -> None:
        super().__init__()
        self._windows: dict[str, _Window] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is logged."""
        if record.levelno >= logging.ERROR or getattr(record, _COUNT, False):
            return True  # an error is one of the server: each may be another
        kind = str(record.msg)
        window = self._windows.get(kind)
        if window is None:
            window = self._windows[kind] = _Window(time.monotonic())
        window.seen += 1
        if window.seen > MOST:
            window.last = record
        return window.seen <= MOST

    def tell(self, *, everything: bool = False) -> None:
        """Log how many records were left out in the windows that are over.

        Args:
            everything: Whether the other windows end now.
        """
        now = time.monotonic()
        over = [
            kind
            for kind, window in self._windows.items()
            if everything or now - window.begun >= WINDOW
        ]
        for window in map(self._windows.pop, over):
            if window.last is not None:
                logging.getLogger(window.last.name).log(
                    window.last.levelno,
                    "%d more like this within %.0f s: %s",
                    window.seen - MOST,
                    now - window.begun,
                    window.last.getMessage(),
                    extra={_COUNT: True},
                )


@contextmanager
def limited(names: Sequence[str]) -> Iterator[LogLimit]:
    """Limit some loggers for a while; tell what was left out at the end."""
    limit = LogLimit()
    loggers = [logging.getLogger(name) for name in names]
    for logger in loggers:
        logger.addFilter(limit)
    try:
        yield limit
    finally:
        limit.tell(everything=True)
        for logger in loggers:
            logger.removeFilter(limit)
