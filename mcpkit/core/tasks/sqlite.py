"""Tasks in one SQLite file: they survive a restart, and processes on one machine share them."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

from anyio import to_thread

from mcpkit.core.errors import ServeError
from mcpkit.core.tasks.records import Change, TaskRecord
from mcpkit.core.user_folders import state_folder

ResultT = TypeVar("ResultT")

BUSY = 10.0
"""Seconds to wait for another process that writes."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS tasks_v1 (
  id TEXT PRIMARY KEY, worker TEXT NOT NULL, lease REAL NOT NULL, expires REAL NOT NULL,
  record TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS tasks_v1_worker ON tasks_v1 (worker);
CREATE INDEX IF NOT EXISTS tasks_v1_expires ON tasks_v1 (expires);
"""


def default_path() -> Path:
    """The file in the user's state folder (XDG Base Directory Specification).

    Raises:
        ServeError: The user has no such folder.
    """
    state = state_folder()
    if state is None:
        raise ServeError(
            "There is no folder to keep tasks in: the user has no home",
            hint="Set tasks.path, or HOME or XDG_STATE_HOME to a folder of yours",
        )
    return Path(state, "tasks.sqlite")


def open_store(path: Path | None) -> SqliteTaskStore:
    """The store in a file, by default in the user's state folder; the file is there then.

    Raises:
        ServeError: It cannot be made, or is something else.
    """
    store = SqliteTaskStore(path or default_path())
    store.prepare()
    return store


class SqliteTaskStore:
    """A `TaskStore` in a file that only its owner may read.

    Args:
        path: Where it is, or is to be made.
        clock: Seconds since 1970.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock

    def prepare(self) -> None:
        """Make the file.

        Raises:
            ServeError: It cannot be made, or is something else.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._path.touch(mode=0o600)
            with closing(sqlite3.connect(self._path, timeout=BUSY)) as database:
                database.execute("PRAGMA journal_mode = WAL")
                database.executescript(SCHEMA)
        except (OSError, sqlite3.Error) as exc:
            raise ServeError(
                f"Tasks cannot be kept in {str(self._path)!r}: {exc}",
                hint="Set tasks.path to a file that this user can write",
            ) from exc

    async def create(self, record: TaskRecord) -> None:
        """Keep a new task; it is on the disk when this returns."""

        def insert(database: sqlite3.Connection) -> None:
            database.execute(
                "INSERT INTO tasks_v1 (id, worker, lease, expires, record) VALUES (?, ?, ?, ?, ?)",
                (record.id, record.worker, record.lease, record.expires, _dump(record)),
            )

        await self._run(insert)

    async def get(self, task_id: str) -> TaskRecord | None:
        """Look a task up; None when it is unknown or has expired."""
        return await self._run(lambda database: self._select(database, task_id))

    async def change(self, task_id: str, change: Change) -> TaskRecord | None:
        """Change a task in one transaction."""

        def update(database: sqlite3.Connection) -> TaskRecord | None:
            database.execute("BEGIN IMMEDIATE")
            record = self._select(database, task_id)
            changed = change(record) if record is not None else None
            if changed is None:
                return record
            database.execute(
                "UPDATE tasks_v1 SET lease = ?, expires = ?, record = ? WHERE id = ?",
                (changed.lease, changed.expires, _dump(changed), task_id),
            )
            return changed

        return await self._run(update)

    async def renew(self, worker: str, lease: float) -> None:
        """Extend the leases of all tasks that a process runs."""
        await self._run(
            lambda database: database.execute(
                "UPDATE tasks_v1 SET lease = ?, expires = max(expires, ?) WHERE worker = ?",
                (lease, lease, worker),
            )
        )

    async def sweep(self) -> int:
        """Forget what has expired."""
        now = self._clock()
        return await self._run(
            lambda database: (
                database.execute("DELETE FROM tasks_v1 WHERE expires < ?", (now,)).rowcount
            )
        )

    def _select(self, database: sqlite3.Connection, task_id: str) -> TaskRecord | None:
        row = database.execute(
            "SELECT record, lease FROM tasks_v1 WHERE id = ? AND expires >= ?",
            (task_id, self._clock()),
        ).fetchone()
        return None if row is None else TaskRecord(**{**json.loads(row[0]), "lease": row[1]})

    async def _run(self, work: Callable[[sqlite3.Connection], ResultT]) -> ResultT:
        def run() -> ResultT:
            with self._open() as database:
                return work(database)

        return await to_thread.run_sync(run)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=BUSY)) as database, database:
            yield database


def _dump(record: TaskRecord) -> str:
    return json.dumps(asdict(record))
