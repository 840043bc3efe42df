"""The index file: an SQLite database, made, checked and opened.

Several servers may share the file: it is written in short transactions (WAL). A broken or outdated
one is thrown away and made anew; a file that is something else is left alone.
"""

import contextlib
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

logger = logging.getLogger(__name__)

VERSION = 3
"""Of the schema; a file of another version is built again."""

APPLICATION = int.from_bytes(b"mcks")
"""In the header of the file (https://sqlite.org/fileformat.html, section 1.3), tells that it is
ours."""

SCHEMA = f"""
CREATE TABLE IF NOT EXISTS documents (
  id INTEGER PRIMARY KEY,
  path TEXT NOT NULL UNIQUE,
  folder TEXT NOT NULL,
  title TEXT NOT NULL,
  modified INTEGER NOT NULL,
  stamp TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS passages (id INTEGER PRIMARY KEY, text TEXT NOT NULL);
CREATE VIRTUAL TABLE IF NOT EXISTS texts USING fts5(title, body, tokenize = 'ascii');
CREATE TABLE IF NOT EXISTS skipped (
  path TEXT PRIMARY KEY,
  reason TEXT NOT NULL,
  stamp TEXT NOT NULL
) WITHOUT ROWID;
PRAGMA user_version = {VERSION};
"""
"""Texts are folded before they are indexed (`folding`), so that FTS5 has only to part them at
spaces."""

BROKEN = frozenset(
    {
        sqlite3.SQLITE_ERROR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_CONSTRAINT,
    }
)
"""Primary result codes of a damaged file; our own statements have no other cause for an error."""

STEPS = 20_000
"""Steps of SQLite's virtual machine between two looks whether to go on: about a millisecond."""

UNUSED = 90 * 86_400.0
"""Seconds after which an index in the default folder that no server has used is deleted."""

BUSY = 10.0
"""Seconds to wait for another server that writes."""


class UnusableIndexError(Exception):
    """The index cannot be made, read or written; the message tells the operator why."""


class BrokenIndexError(UnusableIndexError):
    """The index is damaged: `Database.rebuild` helps."""


class OutdatedIndexError(BrokenIndexError):
    """The index was made by another version."""


class InterruptedQueryError(Exception):
    """Nobody waits for the answer any more."""


class Database:
    """The index file.

    Every method raises `BrokenIndexError` when the file is damaged, and `UnusableIndexError` when
    it cannot be used for another reason: no permission, disk full, locked for too long.

    Args:
        path: Where it is, or is to be made.
        is_default: Whether its folder is for indexes alone: it is made private, and indexes that
            no server has used for a long time are deleted from it.
    """

    def __init__(self, path: Path, *, is_default: bool = False) -> None:
        self.path = path
        self._is_default = is_default
        self._checked = False

    def prepare(self) -> None:
        """Make the file, or make it anew when it is broken or outdated."""
        try:
            self._create()
        except OutdatedIndexError as exc:
            logger.info("%s: building it again", exc)
            self.rebuild()
        except BrokenIndexError as exc:
            logger.warning("%s: building it again", exc)
            self.rebuild()

    def rebuild(self) -> None:
        """Make the file anew, empty."""
        with self._explained():
            self._check_ours()
            for file in self._files():
                file.unlink(missing_ok=True)
        self._create()

    @contextlib.contextmanager
    def open(self, stopped: Callable[[], bool] = lambda: False) -> Iterator[sqlite3.Connection]:
        """Open a connection of one's own; commit at the end, or roll back.

        Args:
            stopped: Asked again and again while a statement runs; true interrupts it.

        Raises:
            InterruptedQueryError: It was interrupted.
        """
        if not self.path.exists():
            self._create()
        with self._explained(), contextlib.closing(self._connect()) as database, database:
            database.set_progress_handler(stopped, STEPS)
            yield database

    def _connect(self) -> sqlite3.Connection:
        database = sqlite3.connect(self.path, timeout=BUSY)
        database.execute("PRAGMA synchronous = NORMAL")  # a crash loses what can be read again
        return database

    def _create(self) -> None:
        with self._explained():
            self._check_ours()
            self._make_private()
            with contextlib.closing(self._connect()) as database:
                (version,) = database.execute("PRAGMA user_version").fetchone()
                if version not in {0, VERSION}:
                    raise OutdatedIndexError(f"The index {self.path} is of version {version}")
                # Before WAL, so that it stands in the file itself from the beginning.
                database.execute(f"PRAGMA application_id = {APPLICATION}")
                database.execute("PRAGMA journal_mode = WAL")
                self._check(database)
                database.executescript(SCHEMA)

    def _make_private(self) -> None:
        """Let nobody else read the texts of the documents: neither the file nor its folder."""
        folder = self.path.parent
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._is_default and folder.stat().st_mode & 0o077:
            folder.chmod(0o700)
        if not self.path.exists():
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        for file in self._files():
            if file.exists() and file.stat().st_mode & 0o077:
                file.chmod(0o600)

    def _files(self) -> list[Path]:
        return [Path(f"{self.path}{ending}") for ending in ("", "-wal", "-shm")]

    def _check(self, database: sqlite3.Connection) -> None:
        """Look for damage, once: that reads the whole file."""
        if self._checked:
            return
        (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise BrokenIndexError(f"The index {self.path} is broken ({verdict})")
        os.utime(self.path)
        if self._is_default:
            self._delete_unused()
        self._checked = True

    def _delete_unused(self) -> None:
        """Delete indexes of other settings that no server has used for a long time."""
        for file in self.path.parent.glob("*.sqlite*"):
            if file not in self._files() and file.stat().st_mtime < time.time() - UNUSED:
                file.unlink(missing_ok=True)

    def _check_ours(self) -> None:
        """Make sure that what may be thrown away is an index, or nothing yet."""
        header = b""
        if self.path.exists():
            if not self.path.is_file():
                raise UnusableIndexError(f"{self.path} is not a regular file")
            if hasattr(os, "geteuid") and self.path.stat().st_uid not in {os.geteuid(), 0}:
                raise UnusableIndexError(f"{self.path} belongs to another user")
            with self.path.open("rb") as file:
                header = file.read(100)
        if header and int.from_bytes(header[68:72]) != APPLICATION:
            raise UnusableIndexError(
                f"{self.path} is not an index of documents: delete it, or set "
                "plugins.search.index_path to another path"
            )

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as exc:
            code = getattr(exc, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
            if code == sqlite3.SQLITE_INTERRUPT:
                raise InterruptedQueryError from exc
            if code in BROKEN:
                raise BrokenIndexError(f"The index {self.path} is broken ({exc})") from exc
            raise UnusableIndexError(f"Cannot use the index {self.path}: {exc}") from exc
        except OSError as exc:
            raise UnusableIndexError(
                f"Cannot use the index {self.path}: {exc.strerror or exc}"
            ) from exc
