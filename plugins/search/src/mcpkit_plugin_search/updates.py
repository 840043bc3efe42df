"""Runs of indexing in the background, one at a time, for all who ask.

A request gets the run that begins next, so that whatever was written before the request is seen.
Runs keep a distance that grows with the time that looking for changes takes.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import anyio

from mcpkit import WorkerThreads

from .indexing import Changes, Progress, StoppedError

REST = 4.0
"""Length of the pause after a run, in scans: these take a fifth of a core at most."""

REST_AFTER_ERROR = 1.0
"""Length of the pause after a run that failed, in seconds."""


@dataclass(slots=True)
class Run:
    """One run, asked for or under way.

    Attributes:
        retry: Whether files that could not be read are tried again.
        finished: Set when it has ended.
        changes: Its results; None if it failed or has not ended.
        error: Why it failed.
        done: New and changed documents read so far.
        total: New and changed documents found.
    """

    retry: bool = False
    finished: anyio.Event = field(default_factory=anyio.Event)
    changes: Changes | None = None
    error: Exception | None = None
    done: int = 0
    total: int = 0

    def told(self, done: int, total: int) -> None:
        """Take note of the progress; called in the worker thread."""
        self.done, self.total = done, total


class Updates:
    """Runs of indexing.

    Args:
        work: Does one run, in a worker thread.

    Attributes:
        current: The run that is under way.
    """

    def __init__(self, work: Callable[[Progress, bool], Changes]) -> None:
        self.current: Run | None = None
        self._work = work
        self._threads = WorkerThreads(1)
        self._next: Run | None = None
        self._wanted = anyio.Event()
        self._hurry = anyio.Event()
        self._rest_until = 0.0

    @property
    def delay(self) -> float:
        """Seconds until a run can begin, if none is under way."""
        return max(0.0, self._rest_until - anyio.current_time())

    def request(self, *, retry: bool = False) -> Run:
        """Ask for a run that begins after now.

        Args:
            retry: Whether it tries files again that could not be read, and begins without a pause.
        """
        if self._next is None:
            self._next = Run()
        if retry:
            self._next.retry = True
            self._hurry.set()
        self._wanted.set()
        return self._next

    async def serve(self) -> None:
        """Run what is asked for, until cancelled."""
        while True:
            await self._wanted.wait()
            with anyio.move_on_after(self.delay):
                await self._hurry.wait()
            run, self._next = self._next or Run(), None
            self._wanted, self._hurry = anyio.Event(), anyio.Event()
            self.current = run
            try:
                await self._do(run)
            finally:
                self.current = None
                run.finished.set()

    async def _do(self, run: Run) -> None:
        rest = REST_AFTER_ERROR
        try:
            run.changes = await self._threads.run(partial(self._work, run.told, run.retry))
            rest = REST * run.changes.scan_seconds
        except StoppedError:
            return
        except Exception as exc:  # noqa: BLE001  # whoever asked for the run is told
            run.error = exc
        finally:
            self._rest_until = anyio.current_time() + rest
