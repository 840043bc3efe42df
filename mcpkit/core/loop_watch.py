"""Watch of the event loop: names the lifespan that blocks it, and interrupts it after a time.

A lifespan that calls `time.sleep`, or connects to a database without `await`, stops everything in
the event loop, the signals that would end the server included. A thread notices. Where the loop
runs in the main thread of a POSIX system, it can raise an exception in the code that blocks.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import threading
import time
from types import FrameType
from typing import Any

from mcpkit.core.plan import PATIENCE

logger = logging.getLogger(__name__)

INTERVAL = 0.25
"""Seconds between two looks at the event loop."""

INTERRUPT: int | None = getattr(signal, "SIGURG", None)
"""The signal that makes the main thread raise: it is ignored by default, and hardly ever used."""


class LoopBlockedError(BaseException):
    """Raised in code that has blocked the event loop; not an `Exception`, which it may swallow."""


class LoopWatch:
    """Watches tasks while they run code that could block the event loop.

    Args:
        seconds: How long one of them may block it.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._labels: dict[asyncio.Task[Any], str] = {}
        self._lock = threading.Lock()
        self._is_watching = False
        self._is_stopping = False
        self._victim: asyncio.Task[Any] | None = None
        self._replaced: dict[int, Any] = {}

    def add(self, label: str) -> None:
        """Watch the current task, on behalf of a plugin."""
        task = asyncio.current_task()
        if task is None:
            return
        if not self._labels:
            self._take_signals()
        with self._lock:
            self._labels[task] = label
            if self._is_watching:
                return
            self._is_watching = True
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._watch, args=[loop], name="mcpkit-watch", daemon=True).start()

    def remove(self) -> None:
        """Watch the current task no longer."""
        task = asyncio.current_task()
        with self._lock:
            if task is None or self._labels.pop(task, None) is None:
                return
        if not self._labels:
            self._give_signals_back()

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Ask the event loop for a sign of life, as long as there is a task to watch."""
        while self._goes_on():
            alive, asked = threading.Event(), time.monotonic()
            try:
                loop.call_soon_threadsafe(alive.set)
            except RuntimeError:
                return  # it is closed
            is_told = False
            while not alive.wait(INTERVAL):
                waited = time.monotonic() - asked
                task = asyncio.current_task(loop)
                label = None if task is None else self._labels.get(task)
                if label is None:
                    continue
                if waited > PATIENCE and not is_told:
                    is_told = True
                    where = _where()
                    logger.warning(
                        "Plugin %s: its lifespan blocks the event loop, at %s", label, where
                    )
                if waited > self._seconds or self._is_stopping:
                    self._interrupt(task)
            time.sleep(INTERVAL)

    def _goes_on(self) -> bool:
        with self._lock:
            self._is_watching = bool(self._labels)
            return self._is_watching

    def _interrupt(self, task: asyncio.Task[Any] | None) -> None:
        if INTERRUPT in self._replaced:
            self._victim = task
            signal.pthread_kill(_main_thread(), signal.Signals(INTERRUPT))

    def _take_signals(self) -> None:
        """Handle the interrupt, and notice the signals that stop the server."""
        if INTERRUPT is None or threading.current_thread() is not threading.main_thread():
            return
        self._replaced[INTERRUPT] = signal.signal(INTERRUPT, self._raise)
        for number in (signal.SIGTERM, signal.SIGINT):
            if callable(signal.getsignal(number)):
                self._replaced[number] = signal.signal(number, self._notice)

    def _give_signals_back(self) -> None:
        for number, handler in self._replaced.items():
            if signal.getsignal(number) in {self._raise, self._notice}:
                signal.signal(number, handler)
        self._replaced.clear()

    def _raise(self, number: int, frame: FrameType | None) -> None:
        """Raise in the task that blocks, in whose code the main thread is now."""
        victim, self._victim = self._victim, None
        if victim is not None and victim is asyncio.current_task():
            raise LoopBlockedError("It blocked the event loop")

    def _notice(self, number: int, frame: FrameType | None) -> None:
        """Do what is done at this signal, and interrupt what blocks at once from then on.

        Not before: the interrupt would be raised in the handler of the signal.
        """
        try:
            self._replaced[number](number, frame)
        finally:
            self._is_stopping = True


def _main_thread() -> int:
    return threading.main_thread().ident or 0


def _where() -> str:
    """Where the main thread is: `file:line in function`."""
    frame = sys._current_frames().get(_main_thread())  # noqa: SLF001  # documented
    if frame is None:
        return "an unknown place"
    return place_of(frame)


def place_of(frame: FrameType) -> str:
    """Where a thread is: `file:line in function`."""
    code = frame.f_code
    return f"{code.co_filename}:{frame.f_lineno} in {code.co_name}"
