"""Suggestions: the nearest of the names that exist, for one that does not."""

import difflib
from collections.abc import Iterable


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """Find the candidate that a misspelt name most likely meant.

    Returns:
        The nearest candidate, the first in sorted order among equals; None when none is near.
    """
    folded: dict[str, str] = {}
    for candidate in sorted(set(candidates)):
        folded.setdefault(candidate.casefold(), candidate)
    found = difflib.get_close_matches(name.casefold(), sorted(folded), n=1, cutoff=0.6)
    return folded[found[0]] if found else None


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """Say the suggestion as a sentence to append, or nothing."""
    found = nearest(name, candidates)
    return f" Did you mean {found!r}?" if found is not None else ""
