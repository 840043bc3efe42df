"""Failover: a task store that goes on in memory while the one behind it fails.

A full disk, a lock that is held too long or a damaged record costs no task of this process: what
cannot be written is kept in memory, answered from there, and written later. Tasks of other
processes are not taken over: a request about one fails until the file can be used again.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import partial
from typing import Protocol, TypeVar

import anyio

from mcpkit.core.errors import TaskStoreError, UnreadableTaskError
from mcpkit.core.tasks.changes import answer
from mcpkit.core.tasks.memory import Entry, MemoryTaskStore
from mcpkit.core.tasks.records import Change, TaskRecord, TaskStore

logger = logging.getLogger(__name__)

ResultT = TypeVar("ResultT")

FIRST_PAUSE = 0.5
"""Seconds after a failure until the file is tried again; each further failure doubles them."""

LONGEST_PAUSE = 10.0
"""Most seconds between two tries."""

LAST_TRY = 3.0
"""Seconds that the tasks in memory get to be written when the server stops."""


class OpenableTaskStore(TaskStore, Protocol):
    """A `TaskStore` on something that has to be opened, and may fail."""

    @property
    def is_open(self) -> bool:
        """True if it can be read."""
        ...

    async def open(self) -> None:
        """Open it, so that it can be written; this may be tried again."""
        ...

    async def aclose(self) -> None:
        """Close it."""
        ...


class FailoverTaskStore:
    """A `TaskStore` that goes on in memory while another one fails.

    Args:
        primary: The other one.
        memory: Where tasks are in the meantime.
        clock: Seconds that never jump.
    """

    def __init__(
        self,
        primary: OpenableTaskStore,
        memory: MemoryTaskStore,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._primary = primary
        self._memory = memory
        self._clock = clock
        self._own: dict[str, TaskRecord] = {}
        """Unfinished tasks that were put here, as they were when last seen."""
        self._is_failing = False
        self._pause = FIRST_PAUSE
        self._retry_at = 0.0
        self._writing = anyio.Lock()

    async def open(self) -> None:
        """Open the primary store; if it fails, a warning tells so and tasks are in memory."""
        try:
            await self._primary.open()
        except TaskStoreError as exc:
            self._fail(exc)

    async def put(self, record: TaskRecord, outcome: bytes | None = None) -> None:
        """Keep a task as it is."""
        if not record.is_over:
            self._own[record.id] = record
        try:
            await self._write(partial(self._primary.put, record, outcome))
        except TaskStoreError:
            await self._memory.put(record, outcome)

    async def get(self, task_id: str) -> TaskRecord | None:
        """Look a task up; None when it is unknown or has expired."""
        found, error = None, None
        if self._primary.is_open and task_id not in self._memory.entries:
            try:
                found = await self._primary.get(task_id)
            except TaskStoreError as exc:
                error = exc
        # A write may have failed in the meantime: what is in memory is newer.
        latest = await self._memory.get(task_id) or found or self._own.get(task_id)
        if latest is None and error is not None:
            raise error
        return latest

    async def get_all(self, task_ids: Collection[str]) -> Mapping[str, TaskRecord]:
        """Look tasks up; those that are unknown or cannot be read are left out."""
        others = [task_id for task_id in task_ids if task_id not in self._memory.entries]
        try:
            found = dict(await self._primary.get_all(others)) if self._primary.is_open else {}
        except TaskStoreError:
            found = {}
        return found | dict(await self._memory.get_all(task_ids))

    async def outcome(self, task_id: str) -> bytes | None:
        """The outcome of a task; None when it has none."""
        if task_id in self._memory.entries or not self._primary.is_open:
            return await self._memory.outcome(task_id)
        return await self._primary.outcome(task_id)

    async def change(
        self, task_id: str, change: Change, outcome: bytes | None = None
    ) -> TaskRecord | None:
        """Change a task; one of this process in memory, if the primary store fails."""
        if task_id not in self._memory.entries:
            try:
                record = await self._write(partial(self._primary.change, task_id, change, outcome))
            except TaskStoreError:
                if task_id not in self._own:
                    raise
                record = None
            if record is not None or task_id not in self._own:
                return self._note(record)
            if task_id not in self._memory.entries:
                await self._memory.put(self._own[task_id])
        return self._note(await self._memory.change(task_id, change, outcome))

    async def beat(self, worker: str) -> None:
        """Give a sign of life of a server process, if the primary store takes it."""
        with contextlib.suppress(TaskStoreError):
            await self._write(partial(self._primary.beat, worker))

    async def beats(self) -> Mapping[str, float]:
        """The server processes with unfinished tasks, as far as the primary store tells."""
        beats: Mapping[str, float] = {}
        with contextlib.suppress(TaskStoreError):
            beats = await self._primary.beats()
        return beats

    async def abandon(self, worker: str) -> None:
        """Fail the unfinished tasks of a server process, if the primary store takes it."""
        with contextlib.suppress(TaskStoreError):
            await self._write(partial(self._primary.abandon, worker))

    async def sweep(self) -> int:
        """Forget what has expired."""
        swept = await self._memory.sweep()
        if not self._is_failing:
            try:
                swept += await self._primary.sweep()
            except TaskStoreError as exc:
                self._fail(exc)
        return swept

    async def mend(self) -> None:
        """Write what is in memory, if that is due; call it every second or so."""
        if self._clock() < self._retry_at or not (self._is_failing or self._memory.entries):
            return
        try:
            async with self._writing:
                if self._is_failing:
                    await self._primary.open()
                # A disk that is almost full takes small ones.
                entries = sorted(self._memory.entries.items(), key=lambda item: item[1].size)
                for task_id, entry in entries:
                    await self._flush(task_id, entry)
        except TaskStoreError as exc:
            self._fail(exc)
            return
        if self._is_failing:
            self._is_failing, self._pause = False, FIRST_PAUSE
            logger.info("Tasks are kept in their file again")

    async def aclose(self) -> None:
        """Write what is in memory, and close the primary store."""
        self._retry_at = 0.0
        with anyio.move_on_after(LAST_TRY, shield=True):
            await self.mend()
            await self._memory.sweep()
            with contextlib.suppress(TaskStoreError):
                await self._primary.aclose()
        if self._memory.entries:
            count = len(self._memory.entries)
            logger.warning("Tasks that were in memory only end with the server: %d", count)

    async def _flush(self, task_id: str, entry: Entry) -> None:
        """Write one task, unless another process has ended it; take over what it was answered."""

        def merged(theirs: TaskRecord) -> TaskRecord | None:
            if theirs.is_over:
                return None
            return answer(entry.record, theirs.responses) or entry.record

        try:
            record = await self._primary.change(task_id, merged, entry.outcome)
        except UnreadableTaskError:
            record = None
        if record is None:
            record = entry.record
            await self._primary.put(record, entry.outcome)
        if self._memory.entries.get(task_id) is entry:
            del self._memory.entries[task_id]
            self._note(record)

    async def _write(self, operation: Callable[[], Awaitable[ResultT]]) -> ResultT:
        """Write to the primary store, or fail at once while it is failing."""
        self._refuse_failing()
        async with self._writing:
            self._refuse_failing()  # it may fail since
            try:
                return await operation()
            except UnreadableTaskError:
                raise
            except TaskStoreError as exc:
                self._fail(exc)
                raise

    def _refuse_failing(self) -> None:
        if self._is_failing:
            raise TaskStoreError("The file of tasks cannot be written at the moment")

    def _fail(self, error: TaskStoreError) -> None:
        if not self._is_failing:
            said = "%s; until that works, tasks are in memory only, and lost if the server stops"
            logger.warning(f"{said}. {error.hint}" if error.hint else said, error.message)
        self._is_failing = True
        self._retry_at = self._clock() + self._pause
        self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def _note(self, record: TaskRecord | None) -> TaskRecord | None:
        """Remember how a task of this process is now."""
        if record is not None and record.id in self._own:
            if record.is_over:
                del self._own[record.id]
            else:
                self._own[record.id] = record
        return record
