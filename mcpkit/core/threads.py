"""Worker threads of one owner, such as a plugin: bounded, so that they starve nobody else.

A thread counts as busy until its function has really returned, also when nobody waits for it any
more: hung handlers are bounded, and the operator can see them.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import anyio
from anyio import to_thread

ResultT = TypeVar("ResultT")


class WorkerThreads:
    """A bounded number of threads of one's own, apart from the default ones that all share.

    A plugin makes one in its lifespan for blocking work that its async handlers wait for.

    Args:
        total: Most functions that run at once; further ones wait.
    """

    def __init__(self, total: int) -> None:
        self._limiter = anyio.CapacityLimiter(total)
        self._unlimited = anyio.CapacityLimiter(math.inf)

    @property
    def total(self) -> int:
        """Most functions that run at once."""
        return int(self._limiter.total_tokens)

    @property
    def busy(self) -> int:
        """How many run now, those that nobody waits for included."""
        return self._limiter.borrowed_tokens

    async def run(self, function: Callable[[], ResultT]) -> ResultT:
        """Run a function in a thread; cancellation stops the waiting, not the function."""
        job = _Job(function, self._limiter, asyncio.get_running_loop())
        try:
            self._limiter.acquire_on_behalf_of_nowait(job)
        except anyio.WouldBlock:
            await self._limiter.acquire_on_behalf_of(job)
        try:
            # Waiting happened above, on this plugin's own limiter.
            result = await to_thread.run_sync(
                job.run, abandon_on_cancel=True, limiter=self._unlimited
            )
        except BaseException:
            job.abandon()
            raise
        job.abandon()
        return result  # type: ignore[no-any-return]


class _Job:
    """One function, and whether it has started: its token is given back exactly once."""

    def __init__(
        self,
        function: Callable[[], Any],
        limiter: anyio.CapacityLimiter,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._function = function
        self._limiter = limiter
        self._loop = loop
        self._lock = threading.Lock()
        self._is_running = False
        self._is_abandoned = False

    def run(self) -> Any:
        """Run the function, in the worker thread."""
        with self._lock:
            if self._is_abandoned:
                return None
            self._is_running = True
        try:
            return self._function()
        finally:
            self._finish()

    def abandon(self) -> None:
        """Give the token back, unless the function still runs; on the event loop."""
        with self._lock:
            self._is_abandoned = True
            release = not self._is_running
        if release:
            self._limiter.release_on_behalf_of(self)

    def _finish(self) -> None:
        with self._lock:
            self._is_running = False
            orphaned = self._is_abandoned
        if orphaned:
            # Told, not waited for: an event loop that has just stopped would never answer.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._limiter.release_on_behalf_of, self)
