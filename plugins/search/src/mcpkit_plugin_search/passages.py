"""Passages: the pieces of a document that are indexed, found and quoted.

A piece is short, so that what a search costs does not depend on how long documents are.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from .folding import fold
from .texts import Content, read_text

SIZE = 1200
"""Most characters of a passage."""

OVERLAP = 40
"""Characters that stand in two passages where a text is cut within a line without spaces."""

BOUNDARIES = ("\n\n", "\n", ". ", "。", " ")
"""Places to cut at, the best first."""

CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]+")


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document.

    Attributes:
        text: As it is quoted.
        folded: As it is searched: its words with spaces between them.
    """

    text: str
    folded: str


@dataclass(frozen=True, slots=True)
class Document:
    """A document as it is indexed."""

    title: str
    passages: list[Passage]

    @property
    def size(self) -> int:
        """Number of characters."""
        return sum(len(passage.text) for passage in self.passages)


def read_document(content: Content) -> Document:
    """Read a document and cut it into passages.

    Raises:
        UnreadableError: It has no text that could be read.
    """
    text = read_text(content)
    return Document(text.title, [Passage(piece, fold(piece)) for piece in pieces(text.body)])


def pieces(body: str) -> Iterator[str]:
    """Cut a text into pieces of one form (NFC), without control characters."""
    start = 0
    while start < len(body):
        end, overlap = _cut(body, start)
        # Short pieces: putting a million accents into their order takes hours.
        piece = unicodedata.normalize("NFC", CONTROL.sub(" ", body[start:end])).strip()
        if piece:
            yield piece
        start = end - overlap


def _cut(body: str, start: int) -> tuple[int, int]:
    """End of the piece that starts somewhere, and how much of it the next one repeats."""
    end = start + SIZE
    if end >= len(body):
        return len(body), 0
    for boundary in BOUNDARIES:
        place = body.rfind(boundary, start + SIZE // 2, end)
        if place >= 0:
            return place + len(boundary), 0
    return end, OVERLAP
