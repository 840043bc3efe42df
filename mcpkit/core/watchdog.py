"""A watchdog: ends a process that does not end by itself, and names what it leaves unfinished.

It works in a thread of its own, while the event loop is blocked. Behind it stands that of
`faulthandler`, which needs no interpreter: it ends a process even while a library written in C
keeps all Python code from running.
"""

from __future__ import annotations

import _thread
import contextlib
import faulthandler
import logging
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import FrameType, MappingProxyType

from mcpkit.core.logs import about, keep_logging

logger = logging.getLogger(__name__)

LOOK = 0.05
"""Seconds between looks at the clock."""

BEYOND = 2.0
"""Seconds after its deadline at which the watchdog itself is taken to be stuck."""

MOST = 20
"""Most names of unfinished things in one record."""

ABANDONED = 1
"""Exit code of a process that was ended."""

STDERR = 2

JOBS = "mcpkit-job"
"""Beginning of the names of daemon threads that load plugins and ask their hooks."""

MACHINERY = frozenset({"__main__", "anyio", "click", "mcp", "mcpkit", "pluggy", "uvicorn"})
"""Packages that only wait for or call what hangs, beside the standard library."""


class Watchdog:
    """Ends the process at a deadline, which each step of a stop moves.

    Args:
        unfinished: Names what still runs.
        code: Exit code of a process that it ends.
    """

    def __init__(self, unfinished: Callable[[], Iterable[str]], code: int = ABANDONED) -> None:
        self._unfinished = unfinished
        self._code = code
        self._step = ""
        self._deadline = math.inf
        self._latest = math.inf
        self._is_watching = False

    def allow(self, seconds: float, step: str) -> None:
        """Give a step of the stop some seconds from now; may be called in a signal handler."""
        self._step = step
        self._deadline = min(time.monotonic() + seconds, self._latest)
        with contextlib.suppress(OSError, ValueError):  # standard error is closed
            left = self._deadline - time.monotonic() + BEYOND
            faulthandler.dump_traceback_later(max(left, BEYOND), exit=True, file=STDERR)
        if not self._is_watching:
            self._is_watching = True
            # `threading.Thread` takes locks that the interrupted code may hold.
            _thread.start_new_thread(self._watch, ())

    def hurry(self, seconds: float, step: str) -> None:
        """Allow no more than some seconds from now, for this step and all that follow."""
        self._latest = min(self._latest, time.monotonic() + seconds)
        self.allow(seconds, step)

    def disarm(self) -> None:
        """Let the process live, from now on."""
        self._deadline = self._latest = math.inf
        faulthandler.cancel_dump_traceback_later()

    def _watch(self) -> None:
        while (left := self._deadline - time.monotonic()) > 0:
            time.sleep(min(left, LOOK))
            if self._deadline == math.inf:
                return
        self.abandon()

    def abandon(self) -> None:
        """End the process now."""
        try:
            keep_logging()
            names = list(self._unfinished())
            if len(names) > MOST:
                names = [*names[:MOST], f"{len(names) - MOST} more"]
            logger.critical(
                "%s took too long, and the process ends. Abandoned: %s",
                self._step,
                "; ".join(names) or "nothing that is known",
                extra=about(abandoned=names),
            )
        finally:
            os._exit(self._code)


def unfinished(owners: Mapping[str, str] = MappingProxyType({})) -> Iterator[str]:
    """Name the code of plugins that runs, and that would keep the process alive, or be awaited.

    Args:
        owners: How to call who brought a top-level module.
    """
    frames = sys._current_frames()  # noqa: SLF001  # documented, for just this
    for thread in threading.enumerate():
        frame = frames.get(thread.ident or 0)
        is_ours = thread.daemon and not thread.name.startswith(JOBS)
        place = None if frame is None or is_ours else _place(frame, owners)
        if place:
            is_main = thread is threading.main_thread()
            yield f"{'the main thread' if is_main else f'thread {thread.name!r}'} in {place}"


def _place(innermost: FrameType, owners: Mapping[str, str]) -> str | None:
    """Where a thread is in code that is not machinery; None when it only waits for work."""
    found: str | None = None
    frame: FrameType | None = innermost
    while frame is not None:
        module = str(frame.f_globals.get("__name__"))
        package = module.partition(".")[0]
        where = f"{module}.{frame.f_code.co_qualname} ({frame.f_code.co_filename}:{frame.f_lineno})"
        if package in owners:
            return f"{where}, {owners[package]}"
        if package not in MACHINERY and package not in sys.stdlib_module_names:
            found = found or where
        frame = frame.f_back
    return found
