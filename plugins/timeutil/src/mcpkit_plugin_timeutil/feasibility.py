"""Feasibility of recurrence rules: those that no day of the calendar fits are refused at once.

In: a checked rule and the date of its start. Out: nothing, or an error that names the parts which
exclude each other. A rule that passes may still never occur: a search finds that out, at a price.

The days of a year are the bits of an integer, 1 January the lowest. Each part of a rule is such a
mask, so that what the parts have in common is found in microseconds.
"""

from calendar import isleap, monthrange
from collections.abc import Iterable
from datetime import date
from functools import reduce
from itertools import accumulate
from math import gcd
from operator import or_

from mcpkit import ToolError

from .rules import WEEKDAYS, Rule

CYCLE = 400
"""Years after which the calendar repeats, weekdays included."""

_DAY_LISTS = ("BYMONTH", "BYWEEKNO", "BYYEARDAY", "BYMONTHDAY")
_WEEKLY = sum(1 << day for day in range(0, 371, 7))
"""Every seventh day, beginning with the first."""


def refuse_impossible(rule: Rule, start: date) -> None:
    """Refuse a rule whose parts exclude each other.

    Raises:
        ToolError: It never occurs.
    """
    needed = min(map(abs, rule.lists.get("BYSETPOS", (1,))))
    if any(_most(rule, start, _Year(year)) >= needed for year in _sample_years(rule, start)):
        return
    raise ToolError(
        f"{rule.text[:64]!r} never occurs from {start} on: no day of any year fits "
        f"{_named(rule)}. Change one of them, or the start"
    )


class _Year:
    """One year: masks of its days.

    Attributes:
        days: All days.
        months: The days of each month.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        lengths = [monthrange(number, month)[1] for month in range(1, 13)]
        starts = [0, *accumulate(lengths)]
        self.days = (1 << starts[12]) - 1
        self.months = [
            ((1 << length) - 1) << begin for begin, length in zip(starts, lengths, strict=False)
        ]
        self._new_year = date(number, 1, 1)

    def nth(self, span: int, numbers: tuple[int, ...]) -> int:
        """Days of a span, counted from its first or, when negative, from its last."""
        first, length = (span & -span).bit_length() - 1, span.bit_length()
        places = (first + n - 1 if n > 0 else length + n for n in numbers)
        return span & reduce(or_, (1 << place for place in places if place >= 0), 0)

    def weeks(self, numbers: tuple[int, ...]) -> int:
        """Days of ISO weeks by number, those of the years around that reach in included."""
        found = 0
        for year in (self.number - 1, self.number, self.number + 1):
            last = date(year, 12, 28).isocalendar().week
            for week in {n if n > 0 else last + 1 + n for n in numbers} & set(range(1, last + 1)):
                place = (date.fromisocalendar(year, week, 1) - self._new_year).days
                found |= 0b1111111 << place if place >= 0 else 0b1111111 >> -place
        return found & self.days

    def weekday(self, span: int, ordinal: int | None, weekday: int) -> int:
        """Days of a span on a weekday: all, or the one of an ordinal."""
        named = span & (_WEEKLY << (weekday - self._new_year.weekday()) % 7)
        if ordinal is None or not named:
            return named
        place = (named & -named).bit_length() - 1 + 7 * (ordinal - 1)
        if ordinal < 0:
            place = named.bit_length() - 1 + 7 * (ordinal + 1)
        return named & (1 << place) if place >= 0 else 0


def _sample_years(rule: Rule, start: date) -> list[int]:
    """One year of each kind that the interval leads to.

    Years are alike when they begin on the same weekday and both are leap years or not; the year
    before decides whether the first days belong to its week 52 or 53.
    """
    step = 1
    if rule.frequency == "YEARLY":
        step = rule.interval
    elif rule.frequency == "MONTHLY" and rule.interval % 12 == 0:
        step = rule.interval // 12
    reached = range(start.year, min(start.year + CYCLE * step, date.max.year), step)
    kinds = {(date(y, 1, 1).weekday(), isleap(y), isleap(y - 1)): y for y in reached}
    return list(kinds.values())


def _most(rule: Rule, start: date, year: _Year) -> int:
    """Most moments that a rule makes of one of its periods in a year, or more."""
    days = _fitting(rule, start, year)
    match rule.frequency:
        case "YEARLY":
            count = days.bit_count()
        case "MONTHLY":
            count = max((days & month).bit_count() for month in year.months)
        case "WEEKLY":
            count = sum(bool(year.weekday(days, None, weekday)) for weekday in range(7))
        case _:
            count = int(days > 0)
    return count * rule.times


def _fitting(rule: Rule, start: date, year: _Year) -> int:
    """Days of a year that fit the rule and those parts that its start stands for.

    The start fills in what the rule leaves open (RFC 5545, section 3.3.10).
    """
    lists, weekdays = rule.lists, rule.weekdays
    fitting = _reached(rule, start, year)
    if not weekdays and not lists.keys() & set(_DAY_LISTS[1:]):
        match rule.frequency:
            case "YEARLY":
                lists = {"BYMONTH": (start.month,), "BYMONTHDAY": (start.day,), **lists}
            case "MONTHLY":
                lists = {"BYMONTHDAY": (start.day,), **lists}
            case "WEEKLY":
                weekdays = ((None, start.weekday()),)
    if "BYMONTH" in lists:
        fitting &= _union(year.months[month - 1] for month in lists["BYMONTH"])
    if "BYMONTHDAY" in lists:
        fitting &= _union(year.nth(month, lists["BYMONTHDAY"]) for month in year.months)
    if "BYYEARDAY" in lists:
        fitting &= year.nth(year.days, lists["BYYEARDAY"])
    if "BYWEEKNO" in lists and rule.week_start == 0:  # others number their weeks otherwise
        fitting &= year.weeks(lists["BYWEEKNO"])
    if weekdays:
        in_months = rule.frequency == "MONTHLY" or "BYMONTH" in lists
        spans = year.months if in_months else [year.days]
        has_ordinals = rule.frequency in {"YEARLY", "MONTHLY"}
        fitting &= _union(
            year.weekday(span, ordinal if has_ordinals else None, weekday)
            for span in spans
            for ordinal, weekday in weekdays
        )
    return fitting


def _reached(rule: Rule, start: date, year: _Year) -> int:
    """Days in months or on weekdays that the interval leads to."""
    if rule.frequency == "MONTHLY":
        step = gcd(rule.interval, 12)
        return _union(year.months[(start.month - 1) % step :: step])
    if rule.frequency == "DAILY" and rule.interval % 7 == 0:
        return year.weekday(year.days, None, start.weekday())
    return year.days


def _union(masks: Iterable[int]) -> int:
    return reduce(or_, masks, 0)


def _named(rule: Rule) -> str:
    """The parts of a rule that pick days, as they are written."""
    names = (*_DAY_LISTS, "BYSETPOS")
    said = [
        f"{name}={','.join(map(str, rule.lists[name]))}" for name in names if name in rule.lists
    ]
    if rule.weekdays:
        days = (f"{ordinal or ''}{WEEKDAYS[day]}" for ordinal, day in rule.weekdays)
        said.append(f"BYDAY={','.join(days)}")
    if rule.interval > 1:
        said.append(f"INTERVAL={rule.interval}")
    return " and ".join(said) or "the day of the start"
