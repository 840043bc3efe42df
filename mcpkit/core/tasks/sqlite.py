"""Tasks in one SQLite file: they survive a restart, and processes on one machine share them."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

import anyio

from mcpkit.core.errors import TaskStoreError, UnreadableTaskError
from mcpkit.core.settings import TaskSettings
from mcpkit.core.tasks.changes import LOST, give_up
from mcpkit.core.tasks.database import LOG_SIZE, Database, location
from mcpkit.core.tasks.quotas import Finished, surplus
from mcpkit.core.tasks.records import Change, TaskRecord, dump, load
from mcpkit.core.threads import WorkerThreads

ResultT = TypeVar("ResultT")

PATIENCE = 10.0
"""Seconds to wait for the disk; a network file system may never answer."""

PACE = 5 * 1024 * 1024
"""Bytes a second that a slow disk writes."""

READERS = 4
"""Threads that read; one more writes, as SQLite has one writer at a time."""

CHUNK = 500
"""Most parameters of one statement."""

VACUUM_PAGES = 640
"""Pages that are given back to the file system in one transaction: 10 MiB."""

VACUUM_STEPS = 20
"""Most such transactions at a time."""


class SqliteTaskStore:
    """A `TaskStore` in a file that only its owner may read.

    Args:
        settings: Where it is, and how much is kept.
        clock: Seconds since 1970; the system's by default.
    """

    def __init__(self, settings: TaskSettings, *, clock: Callable[[], float] | None = None) -> None:
        self._settings = settings
        self._clock = clock or time.time
        self._database: Database | None = None
        self._readers = WorkerThreads(READERS)
        self._writer = WorkerThreads(1)

    async def open(self) -> None:
        """Make the file, unless it is there.

        Raises:
            TaskStoreError: It cannot be made, or is something else.
        """

        def prepare() -> None:
            if self._database is None:
                limits = self._settings
                max_log = limits.max_size + limits.largest_result + 4 * LOG_SIZE
                self._database = Database(location(limits.path), max_log=max_log)
            self._database.prepare()

        await _within(self._writer, prepare)

    @property
    def is_open(self) -> bool:
        """True if the file can be read."""
        return self._database is not None and self._database.is_readable

    async def put(self, record: TaskRecord, outcome: bytes | None = None) -> None:
        """Keep a task as it is; it is on the disk when this returns."""
        await self._write(lambda database: self._keep(database, record, outcome), outcome)

    async def get(self, task_id: str) -> TaskRecord | None:
        """Look a task up; None when it is unknown or has expired."""
        return await self._read(lambda database: self._select(database, task_id))

    async def get_all(self, task_ids: Collection[str]) -> Mapping[str, TaskRecord]:
        """Look tasks up; those that are unknown or cannot be read are left out."""
        ids = list(task_ids)

        def select(database: sqlite3.Connection) -> dict[str, TaskRecord]:
            found: dict[str, TaskRecord] = {}
            for start in range(0, len(ids), CHUNK):
                chunk = ids[start : start + CHUNK]
                marks = ", ".join("?" * len(chunk))
                query = f"SELECT id, CAST(record AS BLOB) FROM tasks_v2 WHERE id IN ({marks})"  # noqa: S608  # question marks
                for task_id, raw in database.execute(query, chunk):
                    record = load(raw)
                    if record is not None:
                        found[task_id] = record
            return found

        return await self._read(select) if ids else {}

    async def outcome(self, task_id: str) -> bytes | None:
        """The outcome of a task; None when it has none."""

        def select(database: sqlite3.Connection) -> bytes | None:
            database.execute("BEGIN")
            query = "SELECT rowid FROM tasks_v2 WHERE id = ? AND outcome IS NOT NULL"
            row = database.execute(query, (task_id,)).fetchone()
            if row is None:
                outcome = None
            else:
                # Reading it as a value would keep other threads from running for long.
                with database.blobopen("tasks_v2", "outcome", row[0], readonly=True) as blob:
                    outcome = blob.read()
            database.execute("COMMIT")
            return outcome

        return await self._read(select)

    async def change(
        self, task_id: str, change: Change, outcome: bytes | None = None
    ) -> TaskRecord | None:
        """Change a task in one transaction."""

        def update(database: sqlite3.Connection) -> TaskRecord | None:
            record = self._select(database, task_id)
            changed = None if record is None else change(record)
            if changed is None:
                return record
            self._keep(database, changed, outcome)
            return changed

        return await self._write(update, outcome)

    async def beat(self, worker: str) -> None:
        """Give a sign of life of a server process."""
        await self._write(lambda database: self._beat(database, worker))

    async def beats(self) -> Mapping[str, float]:
        """The server processes with unfinished tasks; the number changes with a sign of life."""
        query = (
            "SELECT DISTINCT CAST(worker AS TEXT), coalesce(beat, 0.0) "
            "FROM tasks_v2 LEFT JOIN workers_v2 USING (worker) WHERE NOT over"
        )
        return await self._read(lambda database: dict(database.execute(query).fetchall()))

    async def abandon(self, worker: str) -> None:
        """Fail the unfinished tasks of a server process that is gone."""

        def fail(database: sqlite3.Connection) -> None:
            query = "SELECT id, CAST(record AS BLOB) FROM tasks_v2 WHERE worker = ? AND NOT over"
            for task_id, raw in database.execute(query, (worker,)).fetchall():
                record = load(raw)
                failed = None if record is None else give_up(record)
                if failed is not None:
                    self._keep(database, failed, LOST)
                else:
                    expires = self._clock() + self._settings.ttl
                    update = "UPDATE tasks_v2 SET over = 1, expires = ? WHERE id = ?"
                    database.execute(update, (expires, task_id))

        await self._write(fail)

    async def sweep(self) -> int:
        """Forget what has expired, and give its space back to the file system."""

        def delete(database: sqlite3.Connection) -> int:
            unused = "SELECT worker FROM tasks_v2 WHERE NOT over"
            database.execute(f"DELETE FROM workers_v2 WHERE worker NOT IN ({unused})")  # noqa: S608  # our own text
            query = "DELETE FROM tasks_v2 WHERE expires < ?"
            return database.execute(query, (self._clock(),)).rowcount

        deleted = await self._write(delete)
        for _ in range(VACUUM_STEPS):
            if not await _within(self._writer, self._shrink):
                break
        return deleted

    async def aclose(self) -> None:
        """Close the file."""
        if self._database is not None:
            await _within(self._writer, self._database.close)

    def _select(self, database: sqlite3.Connection, task_id: str) -> TaskRecord | None:
        row = database.execute(
            "SELECT CAST(record AS BLOB), CAST(owner AS TEXT) FROM tasks_v2 "
            "WHERE id = ? AND (expires IS NULL OR expires >= ?)",
            (task_id, self._clock()),
        ).fetchone()
        if row is None:
            return None
        record = load(row[0])
        if record is None:
            raise UnreadableTaskError(row[1])
        return record

    def _keep(
        self, database: sqlite3.Connection, record: TaskRecord, outcome: bytes | None
    ) -> None:
        raw = dump(record)
        size = len(raw) + len(outcome or b"")
        if record.is_over:
            self._make_room(database, Finished(record.id, record.owner, record.updated, size))
        else:
            self._beat(database, record.worker)
        values = (
            *(record.id, record.owner, record.worker, record.is_over, record.updated),
            *(record.expires, size, raw, outcome),
        )
        database.execute(
            "INSERT OR REPLACE INTO tasks_v2 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values
        )

    def _beat(self, database: sqlite3.Connection, worker: str) -> None:
        database.execute("INSERT OR REPLACE INTO workers_v2 VALUES (?, ?)", (worker, self._clock()))

    def _make_room(self, database: sqlite3.Connection, new: Finished) -> None:
        totals = "SELECT count(*), total(size) FROM tasks_v2 WHERE over AND id != ?"
        _, size = database.execute(totals, (new.id,)).fetchone()
        count, own_size = database.execute(
            f"{totals} AND owner = ?", (new.id, new.owner)
        ).fetchone()
        limits = self._settings
        is_full = size + new.size > limits.max_size
        if (
            not is_full
            and count < limits.max_kept_per_client
            and own_size + new.size <= limits.max_size_per_client
        ):
            return
        rows = "SELECT id, owner, updated, size FROM tasks_v2 WHERE over"
        found = (
            database.execute(rows)
            if is_full
            else database.execute(f"{rows} AND owner = ?", (new.owner,))
        )
        gone = surplus([Finished(*row) for row in found], new, limits)
        database.executemany("DELETE FROM tasks_v2 WHERE id = ?", [(task_id,) for task_id in gone])

    def _shrink(self) -> bool:
        """Give some free pages back, and tell whether there are more."""
        with self._opened().reading() as database:
            # `execute` would take the first step only: it sees no columns.
            database.executescript(f"PRAGMA incremental_vacuum({VACUUM_PAGES})")
            return bool(database.execute("PRAGMA freelist_count").fetchone()[0])

    def _opened(self) -> Database:
        if self._database is None:
            raise TaskStoreError("The file of tasks is not open")
        return self._database

    async def _read(self, work: Callable[[sqlite3.Connection], ResultT]) -> ResultT:
        def run() -> ResultT:
            with self._opened().reading() as database:
                return work(database)

        return await _within(self._readers, run)

    async def _write(
        self, work: Callable[[sqlite3.Connection], ResultT], outcome: bytes | None = None
    ) -> ResultT:
        def run() -> ResultT:
            with self._opened().writing() as database:
                return work(database)

        return await _within(self._writer, run, PATIENCE + len(outcome or b"") / PACE)


async def _within(
    threads: WorkerThreads, run: Callable[[], ResultT], seconds: float = PATIENCE
) -> ResultT:
    try:
        with anyio.fail_after(seconds):
            return await threads.run(run)
    except TimeoutError as exc:
        raise TaskStoreError(f"The file of tasks did not answer within {seconds:.0f} s") from exc
