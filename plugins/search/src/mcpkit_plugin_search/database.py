"""The index file: an SQLite database, made, checked and opened.

Several servers may share the file: it is written in short transactions (WAL). A broken or outdated
one is thrown away and made anew; a file that is something else is left alone.
"""

import contextlib
import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path

logger = logging.getLogger(__name__)

VERSION = 2
"""Of the schema; a file of another version is built again."""

APPLICATION = int.from_bytes(b"mcks")
"""In the header of the file (https://sqlite.org/fileformat.html, section 1.3), tells that it is
ours."""

SCHEMA = f"""
CREATE TABLE IF NOT EXISTS documents (
  id INTEGER PRIMARY KEY,
  path TEXT NOT NULL UNIQUE,
  modified INTEGER NOT NULL,
  stamp TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS skipped (
  path TEXT PRIMARY KEY,
  reason TEXT NOT NULL,
  stamp TEXT NOT NULL
) WITHOUT ROWID;
CREATE VIRTUAL TABLE IF NOT EXISTS texts USING fts5(
  title, body, tokenize = 'unicode61 remove_diacritics 2'
);
PRAGMA user_version = {VERSION};
"""

BROKEN = frozenset({sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
"""Primary result codes of a damaged file; our own statements have no other cause for an error."""

BUSY = 10.0
"""Seconds to wait for another server that writes."""


class UnusableIndexError(Exception):
    """The index cannot be made, read or written; the message tells the operator why."""


class BrokenIndexError(UnusableIndexError):
    """The index is damaged or outdated: `Index.rebuild` helps."""


class Database:
    """The index file.

    Every method raises `BrokenIndexError` when the file is damaged, and `UnusableIndexError` when
    it cannot be used for another reason: no permission, disk full, locked for too long.

    Args:
        path: Where it is, or is to be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._checked = False

    def prepare(self) -> None:
        """Make the file, or make it anew when it is broken or outdated."""
        try:
            self._create()
        except BrokenIndexError as exc:
            logger.warning("%s: building it again", exc)
            self.rebuild()

    def rebuild(self) -> None:
        """Make the file anew, empty."""
        with self._explained():
            self._check_ours()
            for ending in ("", "-wal", "-shm"):
                Path(f"{self.path}{ending}").unlink(missing_ok=True)
        self._create()

    @contextlib.contextmanager
    def open(self) -> Iterator[sqlite3.Connection]:
        """Open a connection of one's own; commit at the end, or roll back."""
        with self._explained(), contextlib.closing(self._connect()) as database, database:
            yield database

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=BUSY)

    def _create(self) -> None:
        with self._explained():
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._check_ours()
            with contextlib.closing(self._connect()) as database:
                (version,) = database.execute("PRAGMA user_version").fetchone()
                if version not in {0, VERSION}:
                    raise BrokenIndexError(f"The index {self.path} is of version {version}")
                # Before WAL, so that it stands in the file itself from the beginning.
                database.execute(f"PRAGMA application_id = {APPLICATION}")
                database.execute("PRAGMA journal_mode = WAL")
                self._check(database)
                database.executescript(SCHEMA)

    def _check(self, database: sqlite3.Connection) -> None:
        """Look for damage, once: that reads the whole file."""
        if self._checked:
            return
        (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise BrokenIndexError(f"The index {self.path} is broken ({verdict})")
        self._checked = True

    def _check_ours(self) -> None:
        """Make sure that what may be thrown away is an index, or nothing yet."""
        header = b""
        if self.path.exists():
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
            if code in BROKEN:
                raise BrokenIndexError(f"The index {self.path} is broken ({exc})") from exc
            raise UnusableIndexError(f"Cannot use the index {self.path}: {exc}") from exc
        except OSError as exc:
            raise UnusableIndexError(
                f"Cannot use the index {self.path}: {exc.strerror or exc}"
            ) from exc
