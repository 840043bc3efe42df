"""Business days: the days that are neither weekend nor holiday.

In: a weekend, holidays and dates. Out: counts, or the date some business days away. Weekdays are
counted by arithmetic, so that a century costs no more than its holidays.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from mcpkit import ToolError

from .publicholidays import public_holidays
from .settings import Weekday

WEEKDAYS: tuple[Weekday, ...] = (
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
)
MAX_DAYS = 20_000
"""Most business days that are added; about 77 years."""

MAX_SPAN = 36_525
"""Most calendar days that are counted or walked; 100 years."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkCalendar:
    """Weekend and holidays.

    Attributes:
        weekend: Days of the week off, Monday is 0.
        holidays: Dates off.
        country: ISO 3166 code of the country whose public holidays are off; None for none.
    """

    weekend: frozenset[int]
    holidays: frozenset[date] = frozenset()
    country: str | None = None

    def days_off(self, first: date, last: date) -> list[date]:
        """List the holidays between two dates, both included, that fall on no weekend."""
        found = {day for day in self.holidays if first <= day <= last}
        if self.country is not None:
            for year in range(first.year, last.year + 1):
                names = public_holidays(self.country, year).names
                found.update(day for day in names if first <= day <= last)
        return sorted(day for day in found if day.weekday() not in self.weekend)

    def name(self, day: date) -> str:
        """The name of a holiday."""
        if self.country is None:
            return "holiday"
        return public_holidays(self.country, day.year).names.get(day, "holiday")

    def unknown_years(self, first: date, last: date) -> str | None:
        """Say for which years between two dates the country's holidays are not known."""
        if self.country is None:
            return None
        known = public_holidays(self.country, first.year)
        if known.first_known <= first.year and last.year <= known.last_known:
            return None
        return (
            f"Public holidays of {self.country.upper()} are known from {known.first_known} to "
            f"{known.last_known} only; other years count as having none"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """Days between two dates.

    Attributes:
        end: The last date.
        business_days: Number of business days, negative when the walk went back.
        holidays: Holidays on the way that were no weekend.
    """

    end: date
    business_days: int
    holidays: tuple[date, ...]


def work_calendar(
    weekend: Iterable[Weekday], holidays: Iterable[date], country: str | None
) -> WorkCalendar:
    """Make a calendar.

    Raises:
        ToolError: Nobody ever works, or the country's holidays are not known here.
    """
    days = frozenset(WEEKDAYS.index(day) for day in weekend)
    if len(days) == 7:
        raise ToolError("A weekend of seven days leaves no business day. Pass at most six days")
    if country is not None:
        public_holidays(country, datetime.now(UTC).year)  # refuses a country that is not known
    return WorkCalendar(weekend=days, holidays=frozenset(holidays), country=country)


def count(start: date, end: date, calendar: WorkCalendar) -> Walk:
    """Count the business days after `start` up to and including `end`.

    Raises:
        ToolError: The dates are too far apart.
    """
    if abs((end - start).days) > MAX_SPAN:
        raise ToolError("The dates are more than 100 years apart. Count a shorter span")
    if start == end:
        return Walk(end=end, business_days=0, holidays=())
    step = 1 if end > start else -1
    first, last = sorted((start + timedelta(days=step), end))
    off = calendar.days_off(first, last)[::step]
    found = _weekdays(first, last, calendar.weekend) - len(off)
    return Walk(end=end, business_days=step * found, holidays=tuple(off))


def add(start: date, days: int, calendar: WorkCalendar) -> Walk:
    """Find the date that many business days after `start`, or before it when negative.

    Zero gives the start itself, or the next business day when that is off.

    Raises:
        ToolError: Too many days, or hardly any business day in a hundred years.
    """
    if abs(days) > MAX_DAYS:
        raise ToolError(f"{days} business days are too many. Add at most {MAX_DAYS}")
    step = -1 if days < 0 else 1
    left, day = abs(days), start
    if not days and (start.weekday() in calendar.weekend or calendar.days_off(start, start)):
        left = 1
    holidays: list[date] = []
    try:
        while left:
            # As many weekdays again as holidays were met on the last stretch.
            first = day + timedelta(days=step)
            day = _nth_weekday(day, step * left, calendar.weekend)
            if abs((day - start).days) > MAX_SPAN:
                raise ToolError("The result is more than 100 years away. Add fewer days")
            off = calendar.days_off(*sorted((first, day)))[::step]
            holidays += off
            left = len(off)
    except OverflowError as exc:
        raise ToolError("The result is out of range. Add fewer days") from exc
    return Walk(end=day, business_days=days, holidays=tuple(holidays))


def _weekdays(first: date, last: date, weekend: frozenset[int]) -> int:
    """Count the days from first to last, both included, that are no weekend."""
    weeks, rest = divmod((last - first).days + 1, 7)
    tail = ((first.weekday() + index) % 7 not in weekend for index in range(rest))
    return weeks * (7 - len(weekend)) + sum(tail)


def _nth_weekday(start: date, number: int, weekend: frozenset[int]) -> date:
    """Find the day so many days after start, or before it, when weekends do not count.

    Raises:
        OverflowError: The calendar ends before.
    """
    step = 1 if number > 0 else -1
    weeks, left = divmod(abs(number) - 1, 7 - len(weekend))
    day = start + timedelta(weeks=step * weeks)
    left += 1
    while left:
        day += timedelta(days=step)
        left -= day.weekday() not in weekend
    return day
