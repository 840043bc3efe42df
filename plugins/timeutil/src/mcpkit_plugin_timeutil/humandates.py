"""Human dates: `next friday 3pm`, `in 2 weeks`, `tomorrow`, read relative to a reference moment.

In: words, an aware reference and its zone. Out: an exact moment and how the words were read, or an
error that says which readings there are.
"""

import re
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, tzinfo

from dateutil import parser as dateutil_parser  # type: ignore[import-untyped]

from mcpkit import ToolError

from . import durations, moments, timesofday
from .businessdays import WEEKDAYS
from .moments import Disambiguation

MAX_LENGTH = 100
"""Longest text that is read, in characters."""

_DAYS = {
    "today": 0,
    "tonight": 0,
    "tomorrow": 1,
    "yesterday": -1,
    "day after tomorrow": 2,
    "day before yesterday": -2,
}
_NUMERIC = re.compile(r"(\d{1,2})([/.\-])(\d{1,2})\2(\d{4})", re.ASCII)
_WEEKDAY = re.compile(
    r"(?:on\s+)?(?:(?P<which>next|this|coming|last|past)\s+)?"
    r"(?P<day>mon|tue|wed|thu|fri|sat|sun)(?:(?<=tue)s|(?<=thu)rs?|(?:s|nes|rs|ur)?day)?"
    r"(?P<rest>\s+.*)?"
)
_SHORT_MONTHS = re.compile(r"jan|feb|mar|apr|may|jun|jul|aug|sept?|oct|nov|dec")
_WORD = re.compile(r"[a-z]+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What words mean.

    Attributes:
        moment: Aware, in the zone.
        has_time: Whether the words name a time of day; else it is the start of the day.
        notes: How they were read, where another reading exists.
    """

    moment: datetime
    has_time: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Day:
    """A date and how it was read."""

    day: date
    notes: list[str] = field(default_factory=list)


def parse(
    text: str,
    reference: datetime,
    zone: tzinfo,
    disambiguation: Disambiguation = "compatible",
) -> Reading:
    """Read a date, or a date and time, written by a person.

    Raises:
        ToolError: It cannot be read, or can be read in more than one way.
    """
    words = " ".join(text.replace(",", " ").split())[: MAX_LENGTH + 1].casefold()
    if not words or len(words) > MAX_LENGTH:
        raise unreadable(text)
    start = moments.shift_zone(reference, zone)
    iso = _iso(text, zone, disambiguation) or _shifted(words, start, zone, disambiguation)
    if iso is not None:
        return iso
    rest, clock = timesofday.take(words)
    day = _read_day(rest, start, text)
    resolved = moments.resolve(datetime.combine(day.day, clock or time()), zone, disambiguation)
    notes = [*day.notes, *([resolved.note] if resolved.note else [])]
    return Reading(moment=resolved.moment, has_time=clock is not None, notes=tuple(notes))


def _iso(text: str, zone: tzinfo, disambiguation: Disambiguation) -> Reading | None:
    stripped = text.strip()
    try:
        datetime.fromisoformat(stripped)
    except ValueError:
        return None
    if stripped.isdigit():
        raise ToolError(
            f"{stripped!r} could be several dates. Write it with hyphens, such as 2026-03-29"
        )
    resolved = moments.read(stripped, zone, disambiguation)
    notes = (resolved.note,) if resolved.note else ()
    return Reading(moment=resolved.moment, has_time=len(stripped) > 10, notes=notes)


def _shifted(
    words: str, start: datetime, zone: tzinfo, disambiguation: Disambiguation
) -> Reading | None:
    """Read `now`, `in 2 weeks`, `3 days ago` and `an hour from now`."""
    if words in ("now", "right now"):
        return Reading(moment=start, has_time=True)
    length = words.removeprefix("in ").removesuffix(" from now").removesuffix(" later")
    if length == words and not words.endswith(" ago"):
        return None
    if length != words and words.endswith(" ago"):
        raise ToolError(f"{words!r} points both ways. Use either 'in …' or '… ago'")
    duration = durations.parse(length)
    moment, notes = durations.add(
        start, duration, zone, counting="calendar", disambiguation=disambiguation
    )
    return Reading(moment=moment, has_time=True, notes=tuple(notes))


def _read_day(words: str, start: datetime, text: str) -> _Day:
    """Read the part that names a day."""
    today = start.date()
    plain = words.removeprefix("the ").removesuffix(" at")
    if not plain:
        return _Day(day=today, notes=["No day was named, so today was taken"])
    if plain in _DAYS:
        return _Day(day=today + timedelta(days=_DAYS[plain]))
    weekday = _WEEKDAY.fullmatch(plain)
    if weekday is not None:
        if not weekday["rest"]:
            return _read_weekday(weekday, today)
        if not weekday["which"]:
            return _checked_weekday(_read_date(weekday["rest"].strip(), today, text), weekday)
    match plain.split():
        case [("next" | "last") as which, ("week" | "month" | "year" | "day") as unit]:
            length = durations.parse(f"1 {unit}")
            length = length.negated() if which == "last" else length
            moved = durations.add_months(datetime.combine(today, time()), length.months)
            return _Day(
                day=(moved + timedelta(days=length.days)).date(),
                notes=[f"Read as one {unit} {'before' if which == 'last' else 'after'} {today}"],
            )
    return _read_date(plain, today, text)


def _read_weekday(match: re.Match[str], today: date) -> _Day:
    index = _weekday_index(match)
    named = WEEKDAYS[index]
    which = match["which"]
    if which in ("last", "past"):
        return _Day(day=today - timedelta(days=(today.weekday() - index - 1) % 7 + 1))
    ahead = (index - today.weekday()) % 7
    if which in ("next", "coming"):
        day = today + timedelta(days=ahead or 7)
        notes = []
        if which == "next" and ahead and index > today.weekday():
            following = (day + timedelta(days=7)).isoformat()
            note = (
                f"'next {named}' was read as the first {named} after {today}, which is {day}; if "
                f"the one in the week after is meant, it is {following}"
            )
            notes = [note]
        return _Day(day=day, notes=notes)
    return _Day(day=today + timedelta(days=ahead))


def _weekday_index(match: re.Match[str]) -> int:
    return next(i for i, name in enumerate(WEEKDAYS) if name.startswith(match["day"]))


def _checked_weekday(day: _Day, match: re.Match[str]) -> _Day:
    """Refuse `friday 14 november` when that day is none."""
    index = _weekday_index(match)
    if day.day.weekday() != index:
        raise ToolError(
            f"{day.day} is a {WEEKDAYS[day.day.weekday()]}, not a {WEEKDAYS[index]}. "
            "Correct one of them, or name the year"
        )
    return day


def _read_date(words: str, today: date, text: str) -> _Day:
    """Read a date on the calendar, with dateutil where nothing is ambiguous."""
    numeric = _NUMERIC.fullmatch(words)
    if numeric is not None:
        return _read_numeric(numeric, text)
    allowed = ("st", "nd", "rd", "th", "of", "on", "the")
    for word in _WORD.findall(words):
        if word not in allowed and not _is_month(word):
            raise unreadable(text)
    cleaned = " ".join(word for word in words.split() if word not in ("of", "on", "the"))
    if not any(_is_month(word) for word in _WORD.findall(cleaned)):
        raise unreadable(text)
    # Parts that the text lacks come from the default: two defaults show which these are.
    readings = [
        _dateutil(cleaned, default, text) for default in (date(2000, 1, 1), date(2004, 2, 2))
    ]
    first, second = readings
    if first.day != second.day or first.month != second.month:
        raise ToolError(f"{text[:64]!r} names no exact day. Add the day of the month")
    if first.year == second.year:
        if str(first.year) not in words:
            raise ToolError(f"{text[:64]!r} has a short year. Write the year with four digits")
        return _Day(day=first)
    for year in range(today.year, today.year + 9):
        try:
            day = first.replace(year=year)
        except ValueError:  # 29 February in a common year
            continue
        if day >= today:
            return _Day(day=day, notes=[f"No year was named, so the next one was taken: {day}"])
    raise unreadable(text)


def _is_month(word: str) -> bool:
    full = dateutil_parser.parserinfo().month(word)
    return full is not None or bool(_SHORT_MONTHS.fullmatch(word))


def _dateutil(words: str, default: date, text: str) -> date:
    try:
        parsed = dateutil_parser.parse(words, default=datetime.combine(default, time()))
    except (ValueError, OverflowError) as exc:
        raise unreadable(text) from exc
    if not isinstance(parsed, datetime):
        raise unreadable(text)
    return parsed.date()


def _read_numeric(match: re.Match[str], text: str) -> _Day:
    first, second, year = int(match[1]), int(match[3]), int(match[4])
    readings = []
    for day, month in ((first, second), (second, first)):
        try:
            readings.append(date(year, month, day))
        except ValueError:
            continue
    if not readings:
        raise ToolError(f"{text[:64]!r} is not on the calendar")
    if match[2] == "." and 1 <= second <= 12 and readings[0].day == first:
        return _Day(day=readings[0])  # with dots the day comes first everywhere
    if len(set(readings)) > 1:
        raise ToolError(
            f"{text[:64]!r} could be {readings[0]} (day first) or {readings[1]} (month first). "
            "Pass one of these"
        )
    return _Day(day=readings[0])


def unreadable(text: str) -> ToolError:
    """Say that words are no date, and what would be."""
    return ToolError(
        f"{text[:64]!r} is not a date that can be read. Try ISO 8601 such as '2026-03-29T15:00', "
        "or 'tomorrow 9am', 'next friday 3pm', 'in 2 weeks', '3 March 2027 14:30'; a time zone "
        "goes into timezone"
    )
