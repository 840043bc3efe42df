"""Durations: ISO 8601 or plain words, split into what the calendar and what the stopwatch counts.

In: text such as `P1M2DT3H` or `2 weeks and 90 minutes`. Out: months, days and exact seconds.
"""

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Literal

from mcpkit import ToolError

from . import moments

Counting = Literal["calendar", "elapsed"]

_ISO = re.compile(
    r"^(?P<sign>[+-])?P(?=[\dT])(?:(?P<years>\d{1,6})Y)?(?:(?P<months>\d{1,6})M)?"
    r"(?:(?P<weeks>\d{1,9})W)?(?:(?P<days>\d{1,9})D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d{1,9}(?:[.,]\d{1,6})?)H)?(?:(?P<minutes>\d{1,9}(?:[.,]\d{1,6})?)M)?"
    r"(?:(?P<seconds>\d{1,12}(?:[.,]\d{1,6})?)S)?)?$",
    re.IGNORECASE | re.ASCII,
)
_TERM = re.compile(
    r"\s*(?:,|and\b|&)?\s*(?P<number>\d{1,12}(?:\.\d{1,6})?|[a-z]+(?:\s+an?)?)\s*(?P<unit>[a-z]+)\b",
    re.ASCII,
)
_COMPACT = re.compile(r"(?<=[a-z])(?=\d)")

_UNITS = {
    unit: name
    for name, units in {
        "years": "y yr yrs year years",
        "months": "mo mos mon month months",
        "weeks": "w wk wks week weeks",
        "days": "d day days",
        "hours": "h hr hrs hour hours",
        "minutes": "m min mins minute minutes",
        "seconds": "s sec secs second seconds",
        "fortnights": "fortnight fortnights",
    }.items()
    for unit in units.split()
}
_WORDS = [
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
]
_NUMBERS = {
    **{word: Decimal(index) for index, word in enumerate(_WORDS, 1)},
    **dict.fromkeys(("a", "an"), Decimal(1)),
    **dict.fromkeys(("half", "half a", "half an"), Decimal("0.5")),
}
_SECONDS = {"hours": 3600, "minutes": 60, "seconds": 1}


class BusinessDaysError(ToolError):
    """A duration is given in business days, which have no fixed length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Duration:
    """A length of time.

    Attributes:
        months: Months of the calendar; years are twelve of them.
        days: Days of the calendar; weeks are seven of them.
        exact: Hours and less, as a stopwatch counts them.
    """

    months: int = 0
    days: int = 0
    exact: timedelta = timedelta()

    def negated(self) -> "Duration":
        """The same length backwards."""
        return Duration(months=-self.months, days=-self.days, exact=-self.exact)


def parse(text: str) -> Duration:
    """Read a duration in ISO 8601 or in English words.

    Raises:
        BusinessDaysError: It counts business days.
        ToolError: It cannot be read, or is fractional where the calendar has no fractions.
    """
    stripped = text.strip().casefold()
    match = _ISO.match(stripped)
    if match is not None:
        parts = {
            name: _number(value) for name, value in match.groupdict("0").items() if name != "sign"
        }
        duration = _duration(parts, text)
        return duration.negated() if match["sign"] == "-" else duration
    return _parse_words(stripped, text)


def _parse_words(words: str, text: str) -> Duration:
    backwards = words.startswith(("-", "minus ")) or words.endswith(" ago")
    rest = words.removeprefix("minus ").lstrip("+-").removesuffix(" ago")
    rest = _COMPACT.sub(" ", rest).strip()
    parts: dict[str, Decimal] = {}
    position = 0
    while position < len(rest):
        term = _TERM.match(rest, position)
        unit = _UNITS.get(term["unit"]) if term else None
        number = _number(term["number"]) if term and unit else None
        if term is None or unit is None or number is None:
            raise _unreadable(text)
        parts[unit] = parts.get(unit, Decimal()) + number
        position = term.end()
    if not parts:
        raise _unreadable(text)
    duration = _duration(parts, text)
    return duration.negated() if backwards else duration


def _number(word: str) -> Decimal | None:
    if word[0].isdigit():
        return Decimal(word.replace(",", "."))
    return _NUMBERS.get(" ".join(word.split()))


def _duration(parts: dict[str, Decimal] | dict[str, Decimal | None], text: str) -> Duration:
    values = {name: value or Decimal() for name, value in parts.items()}
    months = values.get("years", Decimal()) * 12 + values.get("months", Decimal())
    days = (
        values.get("weeks", Decimal()) * 7
        + values.get("fortnights", Decimal()) * 14
        + values.get("days", Decimal())
    )
    if months % 1 or days % 1:
        raise ToolError(
            f"{text[:64]!r} has a fraction of a day or month, which has no fixed length. "
            "Use hours or whole days instead"
        )
    seconds = sum(
        (values.get(unit, Decimal()) * size for unit, size in _SECONDS.items()), Decimal()
    )
    try:
        exact = timedelta(microseconds=int(seconds * 1_000_000))
    except OverflowError as exc:
        raise ToolError(f"{text[:64]!r} is too long. {moments.LIMIT}") from exc
    return Duration(months=int(months), days=int(days), exact=exact)


def _unreadable(text: str) -> ToolError:
    if "business" in text.casefold():
        return BusinessDaysError(f"{text[:64]!r} has no fixed length")
    return ToolError(
        f"{text[:64]!r} is not a duration that can be read. Write ISO 8601 such as 'P1DT12H', or "
        "words such as '1 month 2 days' or '90 minutes'"
    )


def add(
    moment: datetime,
    duration: Duration,
    zone: tzinfo,
    *,
    counting: Counting,
    disambiguation: moments.Disambiguation = "compatible",
) -> tuple[datetime, list[str]]:
    """Add a duration to an aware moment.

    By `calendar`, months and days move the date while the clock on the wall stays, then hours and
    less pass exactly (RFC 5545, section 3.3.6). By `elapsed`, a day is 24 hours on a stopwatch.

    Returns:
        The moment in the zone, and notes on what the calendar or the clock did to it.

    Raises:
        ToolError: Months have no elapsed length; the result is out of range or rejected.
    """
    notes: list[str] = []
    try:
        if counting == "elapsed":
            if duration.months:
                raise ToolError(
                    "A month or year has no fixed elapsed length. Use counting='calendar', or days"
                )
            passed = timedelta(days=duration.days) + duration.exact
            return moments.shift_zone(moment.astimezone(UTC) + passed, zone), notes
        anchor = moments.shift_zone(moment, zone)
        if duration.months or duration.days:
            anchor = _move_date(anchor, duration, zone, disambiguation, notes)
        return moments.shift_zone(anchor.astimezone(UTC) + duration.exact, zone), notes
    except OverflowError as exc:
        raise ToolError(f"The result is out of range. {moments.LIMIT}") from exc


def _move_date(
    anchor: datetime,
    duration: Duration,
    zone: tzinfo,
    disambiguation: moments.Disambiguation,
    notes: list[str],
) -> datetime:
    wall = anchor.replace(tzinfo=None, fold=0)
    moved = add_months(wall, duration.months)
    if moved.day != wall.day:
        notes.append(f"{moved:%B %Y} has no day {wall.day}, so its last day was taken")
    moved += timedelta(days=duration.days)
    resolved = moments.resolve(moved, zone, disambiguation)
    if resolved.note:
        notes.append(resolved.note)
    return resolved.moment


def add_months(local: datetime, months: int) -> datetime:
    """Move a date by months; a day that the month lacks becomes its last.

    Raises:
        ToolError: The result is out of range.
    """
    year, month = divmod(local.year * 12 + local.month - 1 + months, 12)
    if not 2 <= year <= 9998:
        raise ToolError(f"The result is out of range. {moments.LIMIT}")
    last = calendar.monthrange(year, month + 1)[1]
    return local.replace(year=year, month=month + 1, day=min(local.day, last))
