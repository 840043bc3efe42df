"""Differences: what lies between two moments, by the stopwatch and by the calendar.

In: two aware moments and the zone whose calendar counts. Out: elapsed time and calendar parts.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from . import moments
from .durations import add_months


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What lies between two moments; all parts have the sign of `elapsed`.

    Attributes:
        elapsed: As a stopwatch counts.
        months: Whole calendar months between the moments.
        days: Whole calendar days after those months.
        rest: Elapsed time after those days.
    """

    elapsed: timedelta
    months: int
    days: int
    rest: timedelta


def between(start: datetime, end: datetime, zone: tzinfo) -> Difference:
    """Measure from one aware moment to another, with the calendar of a zone.

    The parts add up: start plus the months, then the days by the clock on the wall, then the rest
    exactly, is the end.
    """
    first, last = moments.shift_zone(start, zone), moments.shift_zone(end, zone)
    backwards = first.astimezone(UTC) > last.astimezone(UTC)
    sign = -1 if backwards else 1
    wall, goal = first.replace(tzinfo=None, fold=0), last.replace(tzinfo=None, fold=0)
    # The wall clocks decide up to one month or day; the exact moments decide the last step.
    months = abs((goal.year - wall.year) * 12 + goal.month - wall.month)
    while months and _passes(add_months(wall, sign * months), last, zone, backwards):
        months -= 1
    moved = add_months(wall, sign * months)
    days = abs((goal.date() - moved.date()).days)
    while days and _passes(moved + timedelta(days=sign * days), last, zone, backwards):
        days -= 1
    anchor = moments.resolve(moved + timedelta(days=sign * days), zone).moment
    if not months and not days:
        anchor = first
    return Difference(
        elapsed=last.astimezone(UTC) - first.astimezone(UTC),
        months=sign * months,
        days=sign * days,
        rest=last.astimezone(UTC) - anchor.astimezone(UTC),
    )


def iso_duration(elapsed: timedelta, *, months: int = 0, days: int = 0) -> str:
    """Write a duration as ISO 8601, such as P1DT2H or -PT30M."""
    sign = "-" if months < 0 or days < 0 or elapsed < timedelta() else ""
    years, months = divmod(abs(months), 12)
    dates = [(years, "Y"), (months, "M"), (abs(days), "D")]
    rest = abs(elapsed)
    hours, rest = divmod(rest, timedelta(hours=1))
    minutes, rest = divmod(rest, timedelta(minutes=1))
    seconds = f"{rest.seconds}.{rest.microseconds:06}".rstrip("0").rstrip(".")
    if rest < timedelta(seconds=1) and not rest.microseconds:
        seconds = "0"
    times = [(str(hours), "H"), (str(minutes), "M"), (seconds, "S")]
    date = "".join(f"{value}{unit}" for value, unit in dates if value)
    time = "".join(f"{value}{unit}" for value, unit in times if value != "0")
    return f"{sign}P{date}T{time}" if time else f"{sign}P{date}" if date else "PT0S"


def words(elapsed: timedelta, *, months: int = 0, days: int = 0) -> str:
    """Write a duration in English, such as `1 day, 2 hours`."""
    years, months = divmod(abs(months), 12)
    rest = abs(elapsed)
    hours, rest = divmod(rest, timedelta(hours=1))
    minutes, rest = divmod(rest, timedelta(minutes=1))
    seconds = round(rest.total_seconds(), 6)
    parts = [
        (years, "year"),
        (months, "month"),
        (abs(days), "day"),
        (hours, "hour"),
        (minutes, "minute"),
        (seconds, "second"),
    ]
    said = [f"{value:g} {unit}{'' if value == 1 else 's'}" for value, unit in parts if value]
    return ", ".join(said) or "no time"


def _passes(wall: datetime, goal: datetime, zone: tzinfo, backwards: bool) -> bool:
    """Tell whether a time on the wall lies beyond the goal."""
    moment = moments.resolve(wall, zone).moment.astimezone(UTC)
    return moment < goal.astimezone(UTC) if backwards else moment > goal.astimezone(UTC)
