"""The index: documents and skipped files in one SQLite file, searched with FTS5.

Everything here is sync and meant for a worker thread. Every method raises what `Database` does.
"""

import os
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from .database import Database
from .files import FoundFile, SkippedFile
from .query import to_match
from .settings import SearchSettings
from .texts import Text

MAX_REASON = 200
"""Most characters of the reason why a file is skipped."""

BEFORE, AFTER = "**", "**"
"""What stands around a match in a snippet."""


CONTENT = {"folders", "include", "exclude", "encoding", "max_file_size", "max_files", "max_text"}
"""Settings that decide what stands in an index; each choice has a file of its own."""


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
    chosen = settings.model_dump_json(include=CONTENT)
    return cache / "mcpkit" / f"search-{sha256(chosen.encode()).hexdigest()[:16]}.sqlite"


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

    def put(self, documents: Iterable[tuple[FoundFile, Text]]) -> None:
        """Add or replace documents, in one transaction."""
        with self._database.open() as database:
            for found, text in documents:
                database.execute(
                    "INSERT INTO documents (path, modified, stamp) VALUES (?, ?, ?) "
                    "ON CONFLICT (path) DO UPDATE SET modified = excluded.modified, "
                    "stamp = excluded.stamp",
                    (found.path, found.modified, found.stamp),
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
        with self._database.open() as database:
            for path in paths:
                row = database.execute(
                    "SELECT id FROM documents WHERE path = ?", (path,)
                ).fetchone()
                if row is not None:
                    database.execute("DELETE FROM texts WHERE rowid = ?", row)
                    database.execute("DELETE FROM documents WHERE id = ?", row)

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

    def paths(self, part: str, limit: int) -> list[str]:
        """Paths that contain some text, for completion."""
        with self._database.open() as database:
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
        with self._database.open() as database:
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
