"""Snippets: the best place of a passage, with the matches marked.

FTS5 has a function for this; it would mark words in the folded text, which is not what the document
says.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile

from .folding import fold_letter
from .query import Term

WIDTH = 240
"""Characters of a snippet, without marks."""

CONTEXT = 60
"""Characters before the first match, if there are as many."""

MARK = "**"
"""Stands around a match."""


@dataclass(frozen=True, slots=True)
class _Word:
    """A folded word, and where it stands in the text."""

    folded: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Match:
    """A term found in the text."""

    term: Term
    start: int
    end: int


def snippet(text: str, terms: tuple[Term, ...]) -> str:
    """Quote the place where most terms stand close together."""
    matches = sorted(_matches(list(_words(text)), terms), key=lambda match: match.start)
    start, end = _window(text, matches)
    parts, at = [], start
    for match in matches:
        if match.start >= at and match.end <= end:
            parts += [text[at : match.start], MARK, text[match.start : match.end], MARK]
            at = match.end
    parts.append(text[at:end])
    quoted = " ".join("".join(parts).split())
    return f"{'…' if start else ''}{quoted}{'…' if end < len(text) else ''}"


def _words(text: str) -> Iterator[_Word]:
    """The words of a text as `folding.fold` has them."""
    folded, start, end = "", 0, 0
    for place, letter in enumerate(text):
        parts = fold_letter(letter)
        if not parts and folded:  # an accent
            end = place + 1
        for part in parts:
            if part != " ":
                start, end = (start if folded else place), place + 1
                folded += part
            elif folded:
                yield _Word(folded, start, end)
                folded = ""
    if folded:
        yield _Word(folded, start, end)


def _matches(words: list[_Word], terms: tuple[Term, ...]) -> Iterator[_Match]:
    places: dict[str, list[int]] = {}
    for number, word in enumerate(words):
        places.setdefault(word.folded, []).append(number)
    for term in terms:
        count = len(term.words)
        if count == 1 and term.is_beginning:
            begun = (word for word in places if word.startswith(term.words[0]))
            starts = [at for word in begun for at in places[word]]
        else:
            starts = places.get(term.words[0], [])
        for at in starts:
            found = [word.folded for word in words[at : at + count]]
            if _is_match(found, term):
                yield _Match(term, words[at].start, words[at + count - 1].end)


def _is_match(found: list[str], term: Term) -> bool:
    if len(found) < len(term.words) or found[:-1] != list(term.words[:-1]):
        return False
    last = term.words[-1]
    return found[-1].startswith(last) if term.is_beginning else found[-1] == last


def _window(text: str, matches: list[_Match]) -> tuple[int, int]:
    """The part of a text with the most different terms; the first of equal ones."""
    best, start = 0, 0
    most = len({match.term for match in matches})
    for number, match in enumerate(matches):
        near = _near(matches, number)
        if near > best:
            best, start = near, match.start
        if best == most:
            break
    start = _word_start(text, max(0, min(start - CONTEXT, len(text) - WIDTH)))
    end = start + WIDTH
    if end >= len(text):
        return start, len(text)
    space = text.rfind(" ", start + WIDTH * 3 // 4, end)
    return start, space if space >= 0 else end


def _near(matches: list[_Match], number: int) -> int:
    """How many different terms a snippet has that begins with a match."""
    limit = matches[number].start + WIDTH
    return len({it.term for it in takewhile(lambda it: it.end <= limit, matches[number:])})


def _word_start(text: str, place: int) -> int:
    """The next beginning of a word, if there is one close by."""
    if place == 0:
        return 0
    space = text.find(" ", place, place + CONTEXT // 2)
    return place if space < 0 else space + 1
