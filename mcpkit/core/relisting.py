"""Looks at the lists of adopted servers: paced, with a time limit, each failure logged once."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from mcpkit.core.containment import contain
from mcpkit.core.status import PluginRecord

logger = logging.getLogger(__name__)

ResultT = TypeVar("ResultT")

LIMIT = 2.0
"""Seconds that one server has for one list: the lists of all plugins wait for it."""

PAUSE = 30.0
"""Seconds until a server that did not answer in time is asked again what it has registered."""

IDLE = 10
"""Times its own length that passes after one look for changes before the next."""

LONGEST_IDLE = 2.0
"""Seconds of the longest such wait."""


class Pace:
    """Lets a function run for a small part of the time, and shares its runs among callers."""

    def __init__(self) -> None:
        self._lock = anyio.Lock()
        self._runs = 0
        self._rested = 0.0

    async def share(self, function: Callable[[], Awaitable[None]]) -> None:
        """Wait for the end of a run that begins after this call."""
        wanted = self._runs + 1 + self._lock.locked()  # a run that has begun may be too early
        async with self._lock:
            if self._runs < wanted:
                await anyio.sleep(max(0.0, self._rested - time.perf_counter()))
                begin = time.perf_counter()
                await function()
                end = time.perf_counter()
                idle = min(IDLE * (end - begin), LONGEST_IDLE)
                self._runs, self._rested = self._runs + 1, end + idle


class Looks:
    """Asks adopted servers for their lists; those that fail are logged, once."""

    def __init__(self) -> None:
        self._failing: set[tuple[str, str]] = set()
        self._slow_until: dict[tuple[str, str], float] = {}

    async def look(
        self, record: PluginRecord, what: str, ask: Callable[[], Awaitable[ResultT]]
    ) -> ResultT | None:
        """Ask a server for one list.

        Args:
            record: The plugin that the server is.
            what: Name of the list, for the log.
            ask: Asks the server.

        Returns:
            What the server answered; None if it failed or did not answer in time.
        """
        key = (record.name, what)
        try:
            with anyio.move_on_after(LIMIT):
                found: ResultT = await contain(ask)
                self._failing.discard(key)
                return found
        except Exception as exc:  # noqa: BLE001  # plugin code: anything may come
            self._log(key, logging.ERROR, "failed", record, exc)
        else:
            self._slow_until[key] = time.perf_counter() + PAUSE
            self._log(key, logging.WARNING, f"took more than {LIMIT:g} s", record)
        return None

    def is_slow(self, record: PluginRecord, what: str) -> bool:
        """Whether a server did not answer in time a short while ago."""
        return time.perf_counter() < self._slow_until.get((record.name, what), 0.0)

    def _log(
        self,
        key: tuple[str, str],
        level: int,
        outcome: str,
        record: PluginRecord,
        error: Exception | None = None,
    ) -> None:
        """Log a failure, unless the one before was the same."""
        if key in self._failing:
            return
        self._failing.add(key)
        text = "Plugin %s: %s of its SDK server %s; its components are listed as mcpkit knows them"
        logger.log(level, text, record.label, key[1], outcome, exc_info=error)
