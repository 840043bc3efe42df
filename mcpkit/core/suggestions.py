"""Suggestions: the nearest of the names that exist, for one that does not.

Whoever sends a wrong name decides how long it is: what a suggestion costs is bounded by the limits
below, and messages quote long names in part.
"""

import itertools
from bisect import bisect_left
from collections.abc import Iterable
from functools import lru_cache

from mcpkit.core.deferred import deferred

matcher = deferred("difflib:SequenceMatcher")

NEAR = 0.6
"""Likeness from 0 to 1 (Ratcliff-Obershelp) above which a name is worth suggesting."""

LONGEST = 100
"""Characters of the longest name that is compared; tools have 64 at most, URIs may have more."""

MOST = 1000
"""Most candidates that are looked at: of more, the neighbours of the name in sorted order."""

COMPARED = 10
"""Most candidates that are compared in full: those that share most pairs of characters
with the name."""

SHOWN = 100
"""Characters of the longest name that messages show whole."""


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """Find the candidate that a misspelt name most likely meant.

    Returns:
        The nearest candidate, the first in sorted order among equals; None when none is near, or
        when the name is longer than `LONGEST`.
    """
    if len(name) > LONGEST:
        return None
    wanted = name.casefold()
    compare = matcher()
    compare.set_seq2(wanted)  # of which it keeps an index
    best: tuple[float, int, str] | None = None
    for candidate in sorted(_likely(name, candidates), reverse=True):
        folded = candidate.casefold()
        compare.set_seq1(folded)
        if compare.quick_ratio() < NEAR:
            continue
        rank = (compare.ratio(), _shared_start(wanted, folded), candidate)
        if rank[0] >= NEAR and (best is None or rank[:2] >= best[:2]):
            best = rank
    return best[2] if best is not None else None


def _likely(name: str, candidates: Iterable[str]) -> list[str]:
    """Choose the few candidates that are worth a comparison, whatever their order."""
    shortest = len(name) * NEAR / (2 - NEAR)  # else they cannot be near
    longest = min(LONGEST, len(name) * (2 - NEAR) / NEAR)
    fitting = sorted(item for item in dict.fromkeys(candidates) if shortest <= len(item) <= longest)
    if len(fitting) > MOST:
        place = bisect_left(fitting, name)
        fitting = fitting[max(0, min(place - MOST // 2, len(fitting) - MOST)) :][:MOST]
    if len(fitting) <= COMPARED:
        return fitting
    wanted, folded = _pairs(name), name.casefold()

    def shared(candidate: str) -> float:
        return (wanted & _known_pairs(candidate)).bit_count() / (len(name) + len(candidate))

    def rank(candidate: str) -> tuple[float, int]:
        return shared(candidate), _shared_start(folded, candidate.casefold())

    likely = sorted(fitting, key=shared, reverse=True)[: COMPARED * 4]
    return sorted(likely, key=rank, reverse=True)[:COMPARED]


def _pairs(name: str) -> int:
    """The pairs of neighbouring characters of a name: a bit for each, or for several."""
    text = f" {name.casefold()} ".encode(errors="replace")
    bits = 0
    for first, second in itertools.pairwise(text):
        bits |= 1 << (first * 31 + second) % 256
    return bits


_known_pairs = lru_cache(maxsize=4096)(_pairs)


def _shared_start(name: str, candidate: str) -> int:
    pairs = zip(name, candidate, strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """Say the suggestion, to append to a sentence without its period: `. Did you mean 'x'?`.

    Returns:
        An empty string when nothing is near.
    """
    found = nearest(name, candidates)
    return f". Did you mean {found!r}?" if found is not None else ""


def quoted(name: str) -> str:
    """Quote a name for a message, as `repr` does; a long one in part."""
    return f"{name[:SHOWN]!r}{_rest(name, SHOWN)}"


def shortened(text: str, limit: int = SHOWN) -> str:
    """Cut a text for a message, and tell how long it is, if it is longer than the limit."""
    return f"{text[:limit]}{_rest(text, limit)}"


def _rest(text: str, limit: int) -> str:
    return f"… ({len(text)} characters)" if len(text) > limit else ""
