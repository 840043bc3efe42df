"""The index: documents and skipped files in one SQLite file, searched with FTS5.

Everything here is sync and meant for a worker thread. Every method raises what `Database` does.
"""

import os
import sqlite3
from collections.abc import Callable, Iterable
from hashlib import sha256
from itertools import chain, repeat
from pathlib import Path

from .database import Database
from .files import FoundFile, SkippedFile
from .finding import SHIFT, Hit, Question, find
from .folding import fold
from .passages import Document, Passage
from .settings import SearchSettings

MAX_REASON = 200
"""Most characters of the reason why a file is skipped."""

CONTENT = {"folders", "include", "exclude", "encoding", "max_file_size", "max_files", "max_text"}
"""Settings that decide what stands in an index; each choice has a file of its own."""


def default_path(settings: SearchSettings) -> Path:
    """The index file in the user's cache folder, one for each choice of documents."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    chosen = settings.model_dump_json(include=CONTENT)
    return cache / "mcpkit" / "search" / f"{sha256(chosen.encode()).hexdigest()[:16]}.sqlite"


class Index:
    """Documents that can be searched, and files that cannot.

    Args:
        database: Where they are kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def known(self) -> dict[str, str]:
        """Path to stamp, for every document."""
        with self._database.open() as database:
            return dict(database.execute("SELECT path, stamp FROM documents"))

    def put(self, documents: Iterable[tuple[FoundFile, Document]]) -> None:
        """Add or replace documents, in one transaction."""
        with self._database.open() as database:
            for found, document in documents:
                _remove(database, found.path)
                number = database.execute(
                    "INSERT INTO documents (path, folder, title, modified, stamp) "
                    "VALUES (?, ?, ?, ?, ?)",
                    (
                        found.path,
                        found.path.partition("/")[0],
                        document.title,
                        found.modified,
                        found.stamp,
                    ),
                ).lastrowid
                assert number is not None
                _put_passages(database, number << SHIFT, document)

    def remove(self, paths: Iterable[str]) -> None:
        """Remove documents, in one transaction."""
        with self._database.open() as database:
            for path in paths:
                _remove(database, path)

    def known_skipped(self) -> dict[str, tuple[str, str]]:
        """Path to reason and stamp, for every file that is not indexed."""
        with self._database.open() as database:
            rows = database.execute("SELECT path, reason, stamp FROM skipped")
            return {path: (reason, stamp) for path, reason, stamp in rows}

    def skip(self, added: Iterable[tuple[SkippedFile, str]], removed: Iterable[str]) -> None:
        """Change the list of skipped files, in one transaction.

        Args:
            added: Files, each with the stamp of what could not be read.
            removed: Paths that are not skipped any more.
        """
        with self._database.open() as database:
            gone = ((path,) for path in removed)
            database.executemany("DELETE FROM skipped WHERE path = ?", gone)
            database.executemany(
                "INSERT OR REPLACE INTO skipped (path, reason, stamp) VALUES (?, ?, ?)",
                ((file.path, file.reason[:MAX_REASON], stamp) for file, stamp in added),
            )

    def skipped(self, limit: int) -> tuple[int, list[SkippedFile]]:
        """How many files are not indexed, and the first of them."""
        with self._database.open() as database:
            (number,) = database.execute("SELECT count(*) FROM skipped").fetchone()
            rows = database.execute(
                "SELECT path, reason FROM skipped ORDER BY path LIMIT ?", (limit,)
            )
            return int(number), [SkippedFile(path, reason) for path, reason in rows]

    def count(self) -> int:
        """How many documents there are."""
        with self._database.open() as database:
            (number,) = database.execute("SELECT count(*) FROM documents").fetchone()
            return int(number)

    def paths(self, part: str, limit: int, stopped: Callable[[], bool]) -> list[str]:
        """Paths that contain some text, for completion."""
        with self._database.open(stopped) as database:
            rows = database.execute(
                "SELECT path FROM documents WHERE instr(lower(path), lower(?)) "
                "ORDER BY instr(lower(path), lower(?)), path LIMIT ?",
                (part, part, limit),
            )
            return [path for (path,) in rows]

    def search(self, question: Question, stopped: Callable[[], bool]) -> list[Hit]:
        """Find documents, the best first.

        Raises:
            InterruptedQueryError: `stopped` said so.
        """
        with self._database.open(stopped) as database:
            return find(database, question)


def _remove(database: sqlite3.Connection, path: str) -> None:
    row = database.execute("SELECT id FROM documents WHERE path = ?", (path,)).fetchone()
    if row is None:
        return
    passages = row[0] << SHIFT, (row[0] + 1) << SHIFT
    database.execute("DELETE FROM texts WHERE rowid >= ? AND rowid < ?", passages)
    database.execute("DELETE FROM passages WHERE id >= ? AND id < ?", passages)
    database.execute("DELETE FROM documents WHERE id = ?", row)


def _put_passages(database: sqlite3.Connection, first: int, document: Document) -> None:
    # A document without text is found by its title.
    passages = document.passages or [Passage("", "")]
    titles = chain([fold(document.title)], repeat(""))
    database.executemany(
        "INSERT INTO texts (rowid, title, body) VALUES (?, ?, ?)",
        ((first + n, next(titles), passage.folded) for n, passage in enumerate(passages)),
    )
    database.executemany(
        "INSERT INTO passages (id, text) VALUES (?, ?)",
        ((first + n, passage.text) for n, passage in enumerate(passages)),
    )
