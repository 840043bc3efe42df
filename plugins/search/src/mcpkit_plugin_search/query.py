"""Queries: what people write becomes an FTS5 expression, which is never a syntax error.

Words are looked for as they are; "a phrase" stands in double quotes; a word that ends in `*` is a
beginning. Everything else has no meaning.
"""

import re
from typing import Literal

TOKEN = re.compile(r'"([^"]*)"|(\S+)')
WORD = re.compile(r"\w", re.UNICODE)


class EmptyQueryError(ValueError):
    """The query has no word to look for."""


def to_match(query: str, operator: Literal["AND", "OR"]) -> str:
    """Write a FTS5 expression (https://sqlite.org/fts5.html, section 3).

    Raises:
        EmptyQueryError: There is no word in it.
    """
    terms = []
    for phrase, word in TOKEN.findall(query):
        text = (phrase or word).replace('"', " ").replace("\0", " ").strip()
        is_beginning = not phrase and text.endswith("*")
        text = text.rstrip("*")
        if WORD.search(text):
            terms.append(f'"{text}"{"*" if is_beginning else ""}')
    if not terms:
        raise EmptyQueryError(f"{query!r} has no word to look for")
    return f" {operator} ".join(terms)
