"""Business days: the days that are neither weekend nor holiday.

In: a weekend, holidays and dates. Out: counts, or the date some business days away.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from importlib import import_module
from typing import cast

from mcpkit import ToolError

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
    """Who works when.

    Attributes:
        weekend: Days of the week off, Monday is 0.
        holidays: Dates off.
        country: Public holidays of a country and their names.
    """

    weekend: frozenset[int]
    holidays: frozenset[date] = frozenset()
    country: Mapping[date, str] = field(default_factory=dict)

    def is_business_day(self, day: date) -> bool:
        """Tell whether people work on that day."""
        return (
            day.weekday() not in self.weekend
            and day not in self.holidays
            and day not in self.country
        )

    def is_holiday(self, day: date) -> bool:
        """Tell whether a day is off for another reason than the weekend."""
        return day in self.holidays or day in self.country

    def name(self, day: date) -> str:
        """The name of a holiday."""
        return self.country.get(day, "holiday")


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """What lay between two dates.

    Attributes:
        end: The last date.
        business_days: How many, negative when the walk went back.
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
    return WorkCalendar(
        weekend=days,
        holidays=frozenset(holidays),
        country=public_holidays(country) if country else {},
    )


def public_holidays(country: str) -> Mapping[date, str]:
    """Return a lazily filled mapping of a country's public holidays to their names.

    Raises:
        ToolError: The country is not known, or the extra is not installed.
    """
    try:
        library = import_module("holidays")  # an extra: most servers do without it
    except ImportError as exc:
        raise ToolError(
            "Public holidays by country are not installed on this server. Pass the dates as "
            "holidays instead"
        ) from exc
    try:
        return cast("Mapping[date, str]", library.country_holidays(country.upper()))
    except NotImplementedError as exc:
        raise ToolError(
            f"No public holidays are known for country {country!r}. Pass an ISO 3166 code such as "
            "'NO', or the dates as holidays"
        ) from exc


def count(start: date, end: date, calendar: WorkCalendar) -> Walk:
    """Count the business days after `start` up to and including `end`.

    Raises:
        ToolError: The dates are too far apart.
    """
    if abs((end - start).days) > MAX_SPAN:
        raise ToolError("The dates are more than 100 years apart. Count a shorter span")
    step = 1 if end >= start else -1
    found, day = 0, start
    holidays: list[date] = []
    while day != end:
        day += timedelta(days=step)
        found += calendar.is_business_day(day)
        if calendar.is_holiday(day) and day.weekday() not in calendar.weekend:
            holidays.append(day)
    return Walk(end=end, business_days=step * found, holidays=tuple(holidays))


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
    holidays: list[date] = []
    if not days and not calendar.is_business_day(start):
        left = 1
    for _ in range(MAX_SPAN):
        if not left:
            return Walk(end=day, business_days=days, holidays=tuple(holidays))
        try:
            day += timedelta(days=step)
        except OverflowError as exc:
            raise ToolError("The result is out of range. Add fewer days") from exc
        left -= calendar.is_business_day(day)
        if calendar.is_holiday(day) and day.weekday() not in calendar.weekend:
            holidays.append(day)
    raise ToolError("The result is more than 100 years away. Add fewer days")
