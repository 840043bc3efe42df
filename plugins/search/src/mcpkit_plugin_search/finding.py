"""Finding documents in the index, ranked by BM25.

FTS5 indexes passages. A document is as good as its best passage; its terms may stand in several.
"""

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime

from .query import Term
from .snippets import snippet

SHIFT = 20
"""Bits of a passage's number within its document: the rest, as below, is the document's number."""

FIND = """
WITH matches AS MATERIALIZED (
  SELECT rowid AS passage, rowid >> 20 AS document, bm25(texts, 4.0, 1.0) AS score
  FROM texts WHERE texts MATCH :any
),
best AS (
  SELECT document, passage, min(score) AS score FROM matches %s GROUP BY document
),
hits AS (
  SELECT path, title, modified, passage, score
  FROM best JOIN documents ON documents.id = best.document
  WHERE :folder IS NULL OR folder = :folder
  ORDER BY score, path LIMIT :limit
)
SELECT path, title, modified, text, score
FROM hits JOIN passages ON passages.id = hits.passage ORDER BY score, path
"""

WITH_TERM = "SELECT rowid >> 20 FROM texts WHERE texts MATCH :term%d"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A search.

    Attributes:
        terms: Terms to look for.
        folder: Label of the folder to keep to.
        limit: Most documents.
    """

    terms: tuple[Term, ...]
    folder: str | None
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A document that matches.

    Attributes:
        path: Path of the document.
        title: Its title.
        snippet: The best place in it, matches between `**`.
        score: BM25, higher is better.
        modified: Time when the file was changed, in UTC.
    """

    path: str
    title: str
    snippet: str
    score: float
    modified: datetime


def find(database: sqlite3.Connection, question: Question) -> list[Hit]:
    """Find documents, the best first.

    Documents with all terms come before those with any of them, which are looked for only when
    there is none with all.
    """
    terms = {f"term{number}": str(term) for number, term in enumerate(question.terms)}
    with_all = " INTERSECT ".join(WITH_TERM % number for number in range(len(terms)))
    hits = _run(database, question, f"WHERE document IN ({with_all})", terms)
    if not hits and len(terms) > 1:
        hits = _run(database, question, "", {})
    return hits


def _run(
    database: sqlite3.Connection, question: Question, among: str, terms: dict[str, str]
) -> list[Hit]:
    parameters = {
        "any": " OR ".join(map(str, question.terms)),
        "folder": question.folder,
        "limit": question.limit,
    }
    return [
        Hit(
            path=path,
            title=title,
            snippet=snippet(text, question.terms),
            score=-score,
            modified=datetime.fromtimestamp(modified / 1e9, UTC),
        )
        for path, title, modified, text, score in database.execute(FIND % among, parameters | terms)
    ]
