"""Occurrences: moments taken from a search until there are enough or its budget is spent."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from mcpkit import ToolError

from . import moments
from .budgets import Budget, BudgetSpentError

MAX_COUNT = 100
"""Most occurrences of one call."""

MAX_LENGTH = 500
"""Longest expression, in characters."""

SEARCH_SECONDS = 0.1
"""Processor time that the search for the occurrences of one expression may use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrences:
    """What was found.

    Attributes:
        moments: Aware, in the zone, strictly increasing.
        notes: What clock changes did, or why there are fewer than asked for.
    """

    moments: tuple[datetime, ...]
    notes: tuple[str, ...] = ()


def collect(
    found: Iterator[datetime],
    begin: datetime,
    count: int,
    budget: Budget,
    *,
    inclusive: bool,
    years: int | None,
) -> Occurrences:
    """Take moments until there are enough, the search ends, or its budget is spent.

    Args:
        found: Aware moments, hardly ever out of order.
        begin: Where the search began, in the zone of the answer.
        count: How many are wanted.
        budget: Of the search.
        inclusive: Whether `begin` itself may occur.
        years: How far the search looks by itself; None for to the end of the calendar.

    Raises:
        ToolError: There is none.
    """
    taken: list[datetime] = []
    last = begin.astimezone(UTC).replace(microsecond=0)
    if inclusive:
        last -= timedelta(microseconds=1)
    try:
        for moment in found:
            exact = moment.astimezone(UTC)
            # Two local times can be one moment after a gap, and one can be seen again in a fold.
            if exact > last:
                taken.append(moments.shift_zone(exact, begin.tzinfo or UTC))
                last = exact
            if len(taken) == count:
                return Occurrences(moments=tuple(taken), notes=tuple(_offset_notes(taken)))
            budget.check()
    except BudgetSpentError:
        why = "the search was stopped, because matches are too rare"
    except OverflowError:
        why = "the calendar ends"
    except ToolError:
        why = moments.LIMIT.lower()
    else:
        why = f"no more within {years} years" if years else "the rule ends or never matches"
    if not taken:
        raise ToolError(
            f"No occurrence was found: {why}. Check that the parts fit together, or simplify them"
        )
    notes = [*_offset_notes(taken), f"Only {len(taken)} of {count} were found: {why}"]
    return Occurrences(moments=tuple(taken), notes=tuple(notes))


def _offset_notes(taken: list[datetime]) -> Iterator[str]:
    for before, after in pairwise(taken):
        if before.utcoffset() != after.utcoffset():
            yield (
                f"Clocks change between {before.isoformat()} and {after.isoformat()}: "
                "the offset from UTC differs"
            )
