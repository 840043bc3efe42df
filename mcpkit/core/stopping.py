"""Stopping: at the first signal with grace, at the second at once, and always in time.

Python runs the handlers of signals in the main thread also while a plugin keeps the event loop from
running; the watchdog behind them needs neither.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from types import FrameType, TracebackType
from typing import Any, Self, TypeVar

import anyio

from mcpkit.core.app import App
from mcpkit.core.lifespan import TASK
from mcpkit.core.logs import keep_logging
from mcpkit.core.running import LINGER, Running
from mcpkit.core.settings import LifespanSettings
from mcpkit.core.watchdog import Watchdog, unfinished

logger = logging.getLogger(__name__)

ResultT = TypeVar("ResultT")

SIGNALS = ("SIGTERM", "SIGINT", "SIGHUP")
"""Signals that stop the server; the last one comes when its terminal is closed."""

TRANSPORTS = 5.0
"""Seconds that transports get to close after everything in flight is done."""

HURRY = 2.0
"""Seconds that the second signal leaves to cancelled calls and to lifespans."""

LAST = 3.0
"""Seconds beyond each limit after which the process is ended."""


class Limits:
    """The time that each step of the end gets; what exceeds it ends the process."""

    def __init__(self) -> None:
        self._settings = LifespanSettings()
        self._owners: Mapping[str, str] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running: Running | None = None
        self.watchdog = Watchdog(self._unfinished)

    @contextlib.asynccontextmanager
    async def running(self, app: App) -> AsyncIterator[Running]:
        """Enter lifespans, and limit the time in which they close.

        Raises:
            PluginError: A strict plugin did not start.
        """
        self._settings = app.settings.lifespan
        self._owners = {re.split(r"[.:]", item.entry_point)[0]: item.label for item in app.records}
        self._loop = asyncio.get_running_loop()
        async with app.running() as running:
            self._running = running
            try:
                yield running
            finally:
                self.close()

    def finish(self) -> None:
        """Give calls in flight and transports their time."""
        seconds = self._settings.grace_period + LINGER + TRANSPORTS + LAST
        self.watchdog.allow(seconds, "Finishing calls and closing transports")

    def close(self) -> None:
        """Give lifespans their time; they close one after the other."""
        count = max(1, len(list(self._lifespans())))
        seconds = self._settings.shutdown_timeout * count + TRANSPORTS + LAST
        self.watchdog.allow(seconds, "Closing lifespans")

    def end(self) -> None:
        """Give the event loop its time; it waits for threads of its own."""
        self.watchdog.allow(LAST, "Ending the event loop")

    def join_threads(self) -> None:
        """Wait for threads that would keep the process alive, and lift all limits."""
        self.watchdog.allow(LAST, "Ending threads")
        for thread in threading.enumerate():
            if thread is not threading.main_thread() and not thread.daemon:
                thread.join()
        self.watchdog.disarm()

    def _unfinished(self) -> Iterator[str]:
        if self._running is not None:
            yield from self._running.gate.names()
        yield from self._lifespans()
        yield from unfinished(self._owners)

    def _lifespans(self) -> Iterator[str]:
        if self._loop is not None:
            for task in asyncio.all_tasks(self._loop):
                if task.get_name().startswith(TASK):
                    yield task.get_name()


def run_limited(function: Callable[[Limits], Awaitable[ResultT]]) -> ResultT:
    """Run an async function of a command; its end takes no longer than it may.

    Args:
        function: Gets the limits, which `Limits.running` applies to plugins.
    """
    limits = Limits()

    async def run() -> ResultT:
        try:
            return await function(limits)
        finally:
            limits.end()

    try:
        return anyio.run(run)
    finally:
        limits.watchdog.disarm()


class Stop:
    """How a server stops at signals; entered as a context before plugins are imported."""

    def __init__(self) -> None:
        self.limits = Limits()
        self._handlers: dict[int, Any] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._everything: anyio.CancelScope | None = None
        self._running: Running | None = None
        self._is_asked = False
        self._is_insisted = False

    def __enter__(self) -> Self:
        for number in (getattr(signal, name, None) for name in SIGNALS):
            # `nohup` ignores SIGHUP on purpose; there is none on Windows.
            if number is not None and (
                number.name != "SIGHUP" or signal.getsignal(number) is not signal.SIG_IGN
            ):
                self._handlers[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.limits.join_threads()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def start(self, everything: anyio.CancelScope) -> None:
        """Note that plugins start now on this event loop, and have to be closed.

        Args:
            everything: Cancels the server.
        """
        self._everything, self._loop = everything, asyncio.get_running_loop()

    def serve(self, running: Running) -> None:
        """Note that clients are served now: what they ask is to be finished."""
        self._running = running

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        keep_logging()
        name = signal.Signals(number).name
        running = self._running
        if self._loop is None:
            places = "; ".join(unfinished()) or "nothing of a plugin"
            logger.warning("%s: stopping before the server has started. It ran %s", name, places)
            os._exit(128 + number)
        elif self._is_insisted:
            logger.warning("%s: ending the process", name)
            self.limits.watchdog.abandon()
        elif self._is_asked or (running is not None and running.gate.is_closed):
            self._is_insisted = True
            logger.warning("%s: stopping at once", name)
            self.limits.watchdog.hurry(HURRY, "Stopping at once")
            self._cancel()
        elif running is None:
            self._is_asked = True
            logger.warning("%s: stopping before the server has started", name)
            self.limits.close()
            self._cancel()
        else:
            self._is_asked = True
            logger.info("%s: finishing calls in flight, then stopping", name)
            self.limits.finish()
            self._call(running.stop)

    def _cancel(self) -> None:
        if self._everything is not None:
            self._call(self._everything.cancel)

    def _call(self, function: Callable[[], object]) -> None:
        """Call a function on the event loop, if that still runs."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(function)
