"""Recurrence rules: the first moments of an RRULE, exact over clock changes.

In: a rule, a zone and a start. Out: a bounded number of moments, found in bounded time.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from typing import Any

from dateutil import rrule as dateutil_rrule  # type: ignore[import-untyped]

from mcpkit import ToolError

from . import moments, rules
from .budgets import Budget
from .feasibility import refuse_impossible
from .occurrences import SEARCH_SECONDS, Occurrences, collect
from .rules import Rule

_UNTIL = re.compile(r"\d{8}(T\d{6}Z?)?", re.ASCII)


class _Interval(int):
    """An interval that ends the search when its budget is spent.

    dateutil looks for the next match up to year 9999 in one step, which can take minutes, and
    adds the interval once for every period it looks at: here is the place to stop it.
    """

    budget: Budget

    def __radd__(self, other: int) -> int:
        self.budget.check()
        return int(self) + other

    def __mul__(self, other: int) -> int:
        self.budget.check()
        return int(self) * other


def is_rrule(expression: str) -> bool:
    """Tell an RRULE from a cron expression."""
    return "FREQ=" in expression.upper()


def search(expression: str, start: datetime, zone: tzinfo, count: int) -> Occurrences:
    """Find the first moments of an RFC 5545 recurrence rule from an aware start (its DTSTART).

    Local times that the clock skips or shows twice are read as RFC 5545, section 3.3.5 says. A rule
    of hours or less without BY parts runs by elapsed time.

    Raises:
        ToolError: It is no rule, it never occurs, or nothing was found in time.
    """
    rule = rules.parse(expression)
    begin = moments.shift_zone(start, zone)
    is_elapsed = rule.is_finer_than_daily and not (rule.lists or rule.weekdays)
    frame = UTC if is_elapsed else zone
    local = moments.shift_zone(begin, frame).replace(tzinfo=None, fold=0, microsecond=0)
    refuse_impossible(rule, local.date())
    until = _local_until(rule.until, zone, frame) if rule.until is not None else None
    budget = Budget(SEARCH_SECONDS)
    try:
        found = _dateutil_rule(rule, local, until, budget)
        exact = (moments.resolve(each, frame).moment for each in found)
        return collect(exact, begin, count, budget, inclusive=True, years=None)
    except (ValueError, TypeError) as exc:  # dateutil: INTERVAL leads past all BY parts
        raise ToolError(
            f"{rule.text[:64]!r} never occurs from {local} on: INTERVAL={rule.interval} leads past "
            "the hours, minutes or seconds it names. Change one of them, or the start"
        ) from exc


def _dateutil_rule(
    rule: Rule, start: datetime, until: datetime | None, budget: Budget
) -> Iterator[datetime]:
    interval = _Interval(rule.interval)
    interval.budget = budget
    days = (dateutil_rrule.weekday(day, ordinal) for ordinal, day in rule.weekdays)
    lists: dict[str, Any] = {name.casefold(): numbers for name, numbers in rule.lists.items()}
    found: Iterator[datetime] = iter(
        dateutil_rrule.rrule(
            rules.FREQUENCIES.index(rule.frequency),
            dtstart=start,
            interval=interval,
            wkst=rule.week_start,
            count=rule.count,
            until=until,
            byweekday=tuple(days) or None,
            **lists,
        )
    )
    return found


def _local_until(until: str, zone: tzinfo, frame: tzinfo) -> datetime | None:
    """Read the end of a rule, as local time of the frame that the rule is worked out in.

    Returns:
        None for the year 9999, which people write for a rule without end.
    """
    if not _UNTIL.fullmatch(until):
        raise ToolError(
            f"UNTIL={until[:32]} is not a time. Write it like 20261231, 20261231T235959 or, in "
            "UTC, 20261231T225959Z"
        )
    if until.startswith("9999"):
        return None
    try:
        if until.endswith("Z"):
            moment = datetime.strptime(until, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        else:
            # A bare date means that the whole day counts.
            padded = until if "T" in until else f"{until}T235959"
            naive = datetime.strptime(padded, "%Y%m%dT%H%M%S")  # noqa: DTZ007  # local by meaning
            if frame is zone:
                return naive
            moment = moments.resolve(naive, zone).moment
    except ValueError as exc:
        raise ToolError(f"UNTIL={until} is not on the calendar") from exc
    return moments.shift_zone(moment, frame).replace(tzinfo=None, fold=0)
