"""Suggestions: the nearest of the names that exist, for one that does not."""

import itertools
from collections.abc import Iterable

from mcpkit.core.deferred import deferred

matcher = deferred("difflib:SequenceMatcher")

NEAR = 0.6
"""Likeness from 0 to 1 (Ratcliff-Obershelp) above which a name is worth suggesting."""


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """Find the candidate that a misspelt name most likely meant.

    Returns:
        The nearest candidate, the first in sorted order among equals; None when none is near.
    """
    best: tuple[float, int, str] | None = None
    for candidate in sorted(set(candidates), reverse=True):
        ratio = _likeness(name, candidate)
        rank = (ratio, _shared_start(name, candidate), candidate)
        if ratio >= NEAR and (best is None or rank[:2] >= best[:2]):
            best = rank
    return best[2] if best is not None else None


def _likeness(name: str, candidate: str) -> float:
    return float(matcher(None, name.casefold(), candidate.casefold()).ratio())


def _shared_start(name: str, candidate: str) -> int:
    pairs = zip(name.casefold(), candidate.casefold(), strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """Say the suggestion, to append to a sentence without its period: `. Did you mean 'x'?`.

    Returns:
        An empty string when nothing is near.
    """
    found = nearest(name, candidates)
    return f". Did you mean {found!r}?" if found is not None else ""
