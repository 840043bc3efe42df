"""The index: one SQLite file with FTS5, ranked by BM25.

Everything here is sync and meant for a worker thread. Several servers may share the file: it is
written in short transactions (WAL). A broken or outdated index is thrown away and built again; a
file that is something else is left alone.
"""

import contextlib
import logging
import os
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from .files import FoundFile
from .query import to_match
from .settings import SearchSettings
from .texts import Text

logger = logging.getLogger(__name__)

VERSION = 1
"""Of the schema; a file of another version is built again."""

APPLICATION = int.from_bytes(b"mcks")
"""In the header of the file (https://sqlite.org/fileformat.html, section 1.3), tells that it is
ours."""

SCHEMA = f"""
CREATE TABLE IF NOT EXISTS documents (
  id INTEGER PRIMARY KEY,
  path TEXT NOT NULL UNIQUE,
  modified INTEGER NOT NULL,
  size INTEGER NOT NULL
);
CREATE VIRTUAL TABLE IF NOT EXISTS texts USING fts5(
  title, body, tokenize = 'unicode61 remove_diacritics 2'
);
PRAGMA user_version = {VERSION};
"""

BROKEN = frozenset({sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
"""Primary result codes of a damaged file; our own statements have no other cause for an error."""

BUSY = 10.0
"""Seconds to wait for another server that writes."""

BEFORE, AFTER = "**", "**"
"""What stands around a match in a snippet."""


class UnusableIndexError(Exception):
    """The index cannot be made, read or written; the message tells the operator why."""


class BrokenIndexError(UnusableIndexError):
    """The index is damaged or outdated: `Index.rebuild` helps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A document that matches.

    Attributes:
        path: What it is called.
        title: Its title.
        snippet: The best place in it, matches between `**`.
        score: BM25, higher is better.
        modified: When the file was changed, in UTC.
    """

    path: str
    title: str
    snippet: str
    score: float
    modified: datetime


def default_path(settings: SearchSettings) -> Path:
    """The index file in the user's cache folder, one for each choice of documents."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    chosen = settings.model_dump_json(include={"folders", "include", "exclude", "max_file_size"})
    return cache / "mcpkit" / f"search-{sha256(chosen.encode()).hexdigest()[:16]}.sqlite"


class Index:
    """The index file.

    Every method raises `BrokenIndexError` when the file is damaged, and `UnusableIndexError` when
    it cannot be used for another reason: no permission, disk full, locked for too long.

    Args:
        path: Where it is, or is to be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

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

    def known(self) -> dict[str, tuple[int, int]]:
        """Path to time of modification and size, for every document."""
        with self._open() as database:
            rows = database.execute("SELECT path, modified, size FROM documents")
            return {path: (modified, size) for path, modified, size in rows}

    def put(self, documents: Iterable[tuple[FoundFile, Text]]) -> None:
        """Add or replace documents, in one transaction."""
        with self._open() as database:
            for found, text in documents:
                database.execute(
                    "INSERT INTO documents (path, modified, size) VALUES (?, ?, ?) "
                    "ON CONFLICT (path) DO UPDATE SET modified = excluded.modified, "
                    "size = excluded.size",
                    (found.path, found.modified, found.size),
                )
                (number,) = database.execute(
                    "SELECT id FROM documents WHERE path = ?", (found.path,)
                ).fetchone()
                database.execute("DELETE FROM texts WHERE rowid = ?", (number,))
                database.execute(
                    "INSERT INTO texts (rowid, title, body) VALUES (?, ?, ?)",
                    (number, text.title, text.body),
                )

    def remove(self, paths: Iterable[str]) -> None:
        """Remove documents, in one transaction."""
        with self._open() as database:
            for path in paths:
                row = database.execute(
                    "SELECT id FROM documents WHERE path = ?", (path,)
                ).fetchone()
                if row is not None:
                    database.execute("DELETE FROM texts WHERE rowid = ?", row)
                    database.execute("DELETE FROM documents WHERE id = ?", row)

    def count(self) -> int:
        """How many documents there are."""
        with self._open() as database:
            (number,) = database.execute("SELECT count(*) FROM documents").fetchone()
            return int(number)

    def paths(self, part: str, limit: int) -> list[str]:
        """Paths that contain some text, for completion."""
        with self._open() as database:
            rows = database.execute(
                "SELECT path FROM documents WHERE instr(lower(path), lower(?)) "
                "ORDER BY instr(lower(path), lower(?)), path LIMIT ?",
                (part, part, limit),
            )
            return [path for (path,) in rows]

    def search(self, query: str, *, folder: str | None, limit: int) -> list[Hit]:
        """Find documents, the best first.

        Documents with all words come before those with any of them, which are looked for only
        when there is none with all.

        Raises:
            EmptyQueryError: The query has no word.
        """
        with self._open() as database:
            for match in (to_match(query, "AND"), to_match(query, "OR")):
                hits = self._run(database, match, folder, limit)
                if hits:
                    return hits
        return []

    def _run(
        self, database: sqlite3.Connection, match: str, folder: str | None, limit: int
    ) -> list[Hit]:
        rows = database.execute(
            "SELECT path, title, snippet(texts, 1, ?, ?, '…', 32), bm25(texts, 4.0, 1.0), modified "
            "FROM texts JOIN documents ON documents.id = texts.rowid "
            "WHERE texts MATCH ? AND (? IS NULL OR substr(path, 1, length(?)) = ?) "
            "ORDER BY bm25(texts, 4.0, 1.0), path LIMIT ?",
            (BEFORE, AFTER, match, *[None if folder is None else f"{folder}/"] * 3, limit),
        )
        return [
            Hit(
                path=path,
                title=title,
                snippet=" ".join(snippet.split()),
                score=-score,
                modified=datetime.fromtimestamp(modified / 1e9, UTC),
            )
            for path, title, snippet, score, modified in rows
        ]

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
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
                (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
                if verdict != "ok":
                    raise BrokenIndexError(f"The index {self.path} is broken ({verdict})")
                database.executescript(SCHEMA)

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
