"""Database: the connections to one SQLite file, which is made for its user alone.

Everything here blocks: it runs in worker threads.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mcpkit.core.errors import TaskStoreError
from mcpkit.core.own_files import check_own_folder, check_owner
from mcpkit.core.user_folders import state_folder

BUSY = 2.0
"""Seconds to wait for another process that writes."""

APPLICATION = 0x6D63706B
"""Marks the file as ours (SQLite, `PRAGMA application_id`)."""

VERSION = 2
"""Of the tables; files with a higher one are left alone."""

PAGE = 16384
"""Bytes of a page: large results are written and read in fewer steps than by default."""

LOG_SIZE = 4 * 1024 * 1024
"""Bytes of the write-ahead log at which it is written back, and to which it is shortened then."""

HINT = "Set tasks.path to a file that this user can write, on a disk with room"

LOCKED = "Another process keeps it locked: end that one, or set tasks.path to a file of this server"

SCHEMA = """
CREATE TABLE IF NOT EXISTS tasks_v2 (
  id TEXT PRIMARY KEY, owner TEXT NOT NULL, worker TEXT NOT NULL, over INTEGER NOT NULL,
  updated REAL NOT NULL, expires REAL, size INTEGER NOT NULL, record BLOB NOT NULL, outcome BLOB
);
CREATE INDEX IF NOT EXISTS tasks_v2_over ON tasks_v2 (over, owner, size);
CREATE INDEX IF NOT EXISTS tasks_v2_expires ON tasks_v2 (expires);
CREATE INDEX IF NOT EXISTS tasks_v2_unfinished ON tasks_v2 (worker) WHERE NOT over;
CREATE TABLE IF NOT EXISTS workers_v2 (worker TEXT PRIMARY KEY, beat REAL NOT NULL);
"""

KEPT = 5
"""Most connections that are kept open."""

COMPANIONS = ("-wal", "-shm", "-journal")
"""Endings of the files that SQLite puts beside its own, with the same permissions."""

File = tuple[int, int]
"""Device and number of a file."""


def location(path: Path | None) -> Path:
    """The path of the file: by default in the user's state folder.

    Raises:
        TaskStoreError: There is no such folder, or no working directory.
    """
    if path is None:
        state = state_folder()
        if state is None:
            raise TaskStoreError("Tasks cannot be kept in a file: the user has no home", hint=HINT)
        return Path(state, "tasks.sqlite")
    try:
        return path.absolute()
    except OSError as exc:
        raise TaskStoreError(f"Tasks cannot be kept in {str(path)!r}: {exc}", hint=HINT) from exc


class Database:
    """The connections to one file.

    They are kept open: closing the last one makes SQLite write its log back and delete it.

    Args:
        path: Where the file is, or is to be made.
        max_log: Bytes of the write-ahead log above which nothing more is written.
    """

    def __init__(self, path: Path, *, max_log: int) -> None:
        self._path = path
        self._max_log = max_log
        self._idle: list[sqlite3.Connection] = []
        self._file: File | None = None
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Make the file and its tables, and see that it can be written.

        Raises:
            TaskStoreError: That is not possible, or the file is something else.
        """
        with self._told():
            self._make()
            connection = self._connect()
            try:
                if self._is_prepared(connection):
                    self._file = self._current()  # it can be read, even if not written
                else:
                    _switch(connection)
                connection.execute("BEGIN IMMEDIATE")
                for statement in filter(str.strip, SCHEMA.split(";")):
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {APPLICATION}")
                connection.execute(f"PRAGMA user_version = {VERSION}")
                connection.execute("COMMIT")
            except BaseException:
                connection.close()
                raise
            self._file = self._current()
            self._give_back(connection, self._file)

    @property
    def is_readable(self) -> bool:
        """True once the file has been prepared, now or earlier."""
        return self._file is not None

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection to read with.

        Raises:
            TaskStoreError: The file cannot be read.
        """
        with self._told():
            connection, file = self._take()
            try:
                yield connection
            except BaseException:
                connection.close()  # rolls back
                raise
            self._give_back(connection, file)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A connection in a transaction, which is committed at the end.

        Raises:
            TaskStoreError: The file cannot be written.
        """
        with self.reading() as connection:
            self._refuse_long_log()
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")

    def close(self) -> None:
        """Close the connections that nobody uses."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _take(self) -> tuple[sqlite3.Connection, File | None]:
        if self._file is None:
            raise TaskStoreError("The file of tasks is not open")
        if self._current() != self._file:  # somebody has replaced or deleted it
            self.close()
            self.prepare()
        with self._lock:
            if self._idle:
                return self._idle.pop(), self._file
        return self._connect(), self._file

    def _give_back(self, connection: sqlite3.Connection, file: File | None) -> None:
        with self._lock:
            if file == self._file and len(self._idle) < KEPT:
                self._idle.append(connection)
                return
        connection.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=BUSY, isolation_level=None, check_same_thread=False
        )
        connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_SIZE // PAGE}")
        connection.execute(f"PRAGMA journal_size_limit = {LOG_SIZE}")
        return connection

    def _current(self) -> File | None:
        """Which file stands at the path now."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino

    def _refuse_long_log(self) -> None:
        """Refuse to write while a process that reads without end keeps the log from being reset."""
        with contextlib.suppress(FileNotFoundError):
            size = Path(f"{self._path}-wal").stat().st_size
            if size > self._max_log:
                raise OSError(f"its write-ahead log has {size} bytes, as some process still reads")

    def _make(self) -> None:
        """Make the file, or see that it and its companions are regular files of this user.

        An existing file is not opened: closing it would drop the locks that SQLite holds in this
        process (sqlite.org/howtocorrupt.html, section 2.2).
        """
        folder = self._path.parent
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        check_own_folder(folder)
        with contextlib.suppress(FileExistsError):
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        for path in (self._path, *(Path(f"{self._path}{ending}") for ending in COMPANIONS)):
            try:
                status = os.lstat(path)
            except FileNotFoundError:
                continue
            if not stat.S_ISREG(status.st_mode):
                raise OSError(f"{path.name} is no regular file")
            check_owner(status)
            if stat.S_IMODE(status.st_mode) & 0o077:
                path.chmod(0o600)

    def _is_prepared(self, connection: sqlite3.Connection) -> bool:
        """Look for the tables; refuse the file of another program or of a newer version."""
        connection.execute("BEGIN")  # another process may make the tables just now
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        is_empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        connection.execute("COMMIT")
        if application != APPLICATION and not is_empty:
            raise OSError("it is the database of another program")
        if version > VERSION:
            raise OSError("a newer version of mcpkit wrote it")
        return bool(version == VERSION)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as exc:
            reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else exc
            raise TaskStoreError(
                f"Tasks cannot be kept in {str(self._path)!r}: {reason}",
                hint=LOCKED if _is_locked(exc) else HINT,
            ) from exc


def _switch(connection: sqlite3.Connection) -> None:
    """Set what is fixed when the first table is made.

    SQLite does not wait for other processes that do the same at the same time.
    """
    connection.execute(f"PRAGMA page_size = {PAGE}")
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    deadline = time.monotonic() + BUSY
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as exc:
            if not _is_locked(exc) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _is_locked(error: Exception) -> bool:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK)
    return code & 0xFF == sqlite3.SQLITE_BUSY  # the rest of an extended code tells why
