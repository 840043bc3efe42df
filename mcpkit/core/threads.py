"""Worker threads of one owner, such as a plugin: bounded, so that they starve nobody else.

A thread counts as busy until its function has really returned, also when nobody waits for it any
more: hung handlers are bounded, and the operator can see them. A function that waits for another
one of the same owner, as a tool that calls a tool of its own plugin, lends it its place.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, TypeVar

import anyio
from anyio import to_thread

ResultT = TypeVar("ResultT")

_running: ContextVar[Mapping[WorkerThreads, _Job]] = ContextVar(
    "running", default=MappingProxyType({})
)
"""The functions that wait for the current one, by the threads that they run in."""


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
        caller = _running.get().get(self)
        limiter = caller.place() if caller is not None and caller.is_running else self._limiter
        job = _Job(function, self, limiter, asyncio.get_running_loop())
        try:
            limiter.acquire_on_behalf_of_nowait(job)
        except anyio.WouldBlock:
            await limiter.acquire_on_behalf_of(job)
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
        threads: WorkerThreads,
        limiter: anyio.CapacityLimiter,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._function = function
        self._threads = threads
        self._limiter = limiter
        self._place: anyio.CapacityLimiter | None = None
        self._loop = loop
        self._lock = threading.Lock()
        self._is_running = False
        self._is_abandoned = False

    @property
    def is_running(self) -> bool:
        """Whether the function has not returned yet; tasks that it began may outlive it."""
        return self._is_running

    def place(self) -> anyio.CapacityLimiter:
        """The place that the function lends to those it waits for, one at a time."""
        if self._place is None:
            self._place = anyio.CapacityLimiter(1)
        return self._place

    def run(self) -> Any:
        """Run the function, in the worker thread."""
        with self._lock:
            if self._is_abandoned:
                return None
            self._is_running = True
        _running.set({**_running.get(), self._threads: self})  # in the context of this run alone
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
