"""Tasks in memory: they end with the process."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from mcpkit.core.settings import TaskSettings
from mcpkit.core.tasks.changes import LOST, give_up
from mcpkit.core.tasks.quotas import Finished, surplus
from mcpkit.core.tasks.records import Change, TaskRecord, dump


@dataclass(frozen=True, slots=True)
class Entry:
    """A task as it is kept in memory."""

    record: TaskRecord
    outcome: bytes | None
    size: int


class MemoryTaskStore:
    """A `TaskStore` in memory, within the limits of the settings.

    No method lets another one run before it returns, so that each is atomic.

    Args:
        settings: How much is kept.
        clock: Seconds since 1970; the system's by default.
    """

    def __init__(self, settings: TaskSettings, *, clock: Callable[[], float] | None = None) -> None:
        self.entries: dict[str, Entry] = {}
        self._settings = settings
        self._clock = clock or time.time
        self._beats: dict[str, float] = {}

    async def put(self, record: TaskRecord, outcome: bytes | None = None) -> None:
        """Keep a task as it is."""
        size = len(dump(record)) + len(outcome or b"")
        if record.is_over:
            self._make_room(Finished(record.id, record.owner, record.updated, size))
        self.entries[record.id] = Entry(record, outcome, size)

    async def get(self, task_id: str) -> TaskRecord | None:
        """Look a task up; None when it is unknown or has expired."""
        entry = self.entries.get(task_id)
        return None if entry is None or self._is_past(entry) else entry.record

    async def get_all(self, task_ids: Collection[str]) -> Mapping[str, TaskRecord]:
        """Look tasks up; those that are unknown are left out."""
        found = {task_id: await self.get(task_id) for task_id in task_ids}
        return {task_id: record for task_id, record in found.items() if record is not None}

    async def outcome(self, task_id: str) -> bytes | None:
        """The outcome of a task; None when it has none."""
        entry = self.entries.get(task_id)
        return None if entry is None else entry.outcome

    async def change(
        self, task_id: str, change: Change, outcome: bytes | None = None
    ) -> TaskRecord | None:
        """Change a task."""
        record = await self.get(task_id)
        changed = None if record is None else change(record)
        if changed is None:
            return record
        await self.put(changed, outcome)
        return changed

    async def beat(self, worker: str) -> None:
        """Give a sign of life of a server process."""
        self._beats[worker] = self._clock()

    async def beats(self) -> Mapping[str, float]:
        """The server processes with unfinished tasks; the number changes with a sign of life."""
        workers = {
            entry.record.worker for entry in self.entries.values() if not entry.record.is_over
        }
        return {worker: self._beats.get(worker, 0.0) for worker in workers}

    async def abandon(self, worker: str) -> None:
        """Fail the unfinished tasks of a server process that is gone."""
        for task_id, entry in list(self.entries.items()):
            if entry.record.worker == worker and not entry.record.is_over:
                await self.change(task_id, give_up, LOST)

    async def sweep(self) -> int:
        """Forget what has expired."""
        past = [task_id for task_id, entry in self.entries.items() if self._is_past(entry)]
        for task_id in past:
            del self.entries[task_id]
        return len(past)

    def _is_past(self, entry: Entry) -> bool:
        expires = entry.record.expires
        return expires is not None and expires < self._clock()

    def _make_room(self, new: Finished) -> None:
        finished = [
            Finished(task_id, entry.record.owner, entry.record.updated, entry.size)
            for task_id, entry in self.entries.items()
            if entry.record.is_over
        ]
        for task_id in surplus(finished, new, self._settings):
            del self.entries[task_id]
