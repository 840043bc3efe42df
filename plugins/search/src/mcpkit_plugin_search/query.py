"""Queries: the terms that people write, which are never a syntax error.

Words are looked for as they are; "a phrase" stands in double quotes; a word that ends in `*` is a
beginning. Everything else has no meaning.
"""

import re
from dataclasses import dataclass

from .folding import fold

TOKEN = re.compile(r'"([^"]*)"|(\S+)')

MAX_LENGTH = 1000
"""Most characters of a query."""

MAX_TERMS = 32
"""Most different terms: each is looked up by itself."""

MAX_WORDS = 64
"""Most words of all terms together; each letter of an unspaced script is a word."""


class QueryError(ValueError):
    """The query cannot be looked for; the message tells the model what to write instead."""


@dataclass(frozen=True, slots=True)
class Term:
    """Words that stand beside one another.

    Attributes:
        words: Folded words.
        is_beginning: Whether the last one is the beginning of a word.
    """

    words: tuple[str, ...]
    is_beginning: bool = False

    def __str__(self) -> str:
        """The term as FTS5 writes it (https://sqlite.org/fts5.html, section 3)."""
        return f'"{" ".join(self.words)}"{"*" if self.is_beginning else ""}'


def parse(query: str) -> tuple[Term, ...]:
    """Read a query; equal terms count once.

    Raises:
        QueryError: It has no word, or too many.
    """
    if len(query) > MAX_LENGTH:
        raise QueryError(f"A query has at most {MAX_LENGTH} characters: keep the important words")
    terms: dict[Term, None] = {}
    for phrase, word in TOKEN.findall(query):
        words = tuple(fold(phrase or word).split())
        if words:
            terms[Term(words, is_beginning=not phrase and word.endswith("*"))] = None
    if not terms:
        raise QueryError(f"{query[:100]!r} has no word to look for: write at least one")
    if len(terms) > MAX_TERMS or sum(len(term.words) for term in terms) > MAX_WORDS:
        raise QueryError(
            f"A query has at most {MAX_TERMS} different terms and {MAX_WORDS} words: keep the "
            "important ones"
        )
    return tuple(terms)
