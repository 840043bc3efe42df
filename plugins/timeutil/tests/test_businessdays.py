"""Business days: counted and walked."""

import time
from datetime import date, timedelta
from random import Random

import pytest
from mcpkit_plugin_timeutil import businessdays
from mcpkit_plugin_timeutil.settings import Weekday

from mcpkit import ToolError

PLAIN = businessdays.work_calendar(("saturday", "sunday"), (), None)
FRIDAY = date(2026, 11, 20)


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (1, date(2026, 11, 23)),
        (5, date(2026, 11, 27)),
        (-1, date(2026, 11, 19)),
        (-5, date(2026, 11, 13)),
        (0, FRIDAY),
    ],
)
def test_business_days_step_over_the_weekend(days: int, expected: date) -> None:
    assert businessdays.add(FRIDAY, days, PLAIN).end == expected


def test_no_business_day_from_a_saturday_is_monday() -> None:
    assert businessdays.add(date(2026, 11, 21), 0, PLAIN).end == date(2026, 11, 23)


@pytest.mark.parametrize("days", [-260, -1, 1, 7, 1000])
def test_counting_undoes_adding(days: int) -> None:
    end = businessdays.add(FRIDAY, days, PLAIN).end

    assert businessdays.count(FRIDAY, end, PLAIN).business_days == days


def test_counting_and_adding_agree_with_a_walk_day_by_day() -> None:
    random = Random(4)
    for _ in range(200):
        start = date(2026, 1, 1) + timedelta(days=random.randrange(400))
        off = [start + timedelta(days=random.randrange(-90, 90)) for _ in range(40)]
        weekend = random.sample(businessdays.WEEKDAYS, random.randrange(7))
        calendar = businessdays.work_calendar(weekend, off, None)
        step = random.choice((1, -1))
        day, found = start, 0
        for _ in range(random.randrange(1, 90)):
            day += timedelta(days=step)
            found += day not in off and businessdays.WEEKDAYS[day.weekday()] not in weekend

        walk = businessdays.count(start, day, calendar)

        assert walk.business_days == step * found
        if found:
            end = businessdays.add(start, step * found, calendar).end
            assert businessdays.count(start, end, calendar).business_days == step * found
            assert abs((end - start).days) <= abs((day - start).days)


@pytest.mark.parametrize("country", ["US", "IR"])
def test_a_century_costs_little_more_than_its_holidays(country: str) -> None:
    calendar = businessdays.work_calendar((), (), country)
    businessdays.count(date(2001, 1, 1), date(2100, 12, 31), calendar)  # fills the memory of years
    begun = time.thread_time()

    walk = businessdays.count(date(2001, 1, 1), date(2100, 12, 31), calendar)

    assert len(walk.holidays) > 900
    assert time.thread_time() - begun < 0.05


def test_years_that_the_library_does_not_know_are_told() -> None:
    calendar = businessdays.work_calendar((), (), "NO")

    assert calendar.unknown_years(date(2026, 1, 1), date(2050, 1, 1)) is None
    assert "to 2100 only" in str(calendar.unknown_years(date(2026, 1, 1), date(2125, 1, 1)))


def test_holidays_on_weekdays_are_skipped_and_told() -> None:
    holidays = (date(2026, 12, 25), date(2026, 12, 26))  # a Friday and a Saturday
    calendar = businessdays.work_calendar(("saturday", "sunday"), holidays, None)

    walk = businessdays.add(date(2026, 12, 24), 1, calendar)

    assert walk.end == date(2026, 12, 28)
    assert walk.holidays == (date(2026, 12, 25),)


def test_public_holidays_of_a_country_are_known() -> None:
    pytest.importorskip("holidays")
    calendar = businessdays.work_calendar(("saturday", "sunday"), (), "no")

    walk = businessdays.count(date(2026, 5, 13), date(2026, 5, 15), calendar)

    assert walk.business_days == 1
    assert calendar.name(walk.holidays[0]) == "Ascension Day"


def test_an_unknown_country_is_refused() -> None:
    pytest.importorskip("holidays")

    with pytest.raises(ToolError, match="ISO 3166"):
        businessdays.work_calendar((), (), "ZZ")


def test_a_week_without_work_is_refused() -> None:
    everyday: tuple[Weekday, ...] = businessdays.WEEKDAYS

    with pytest.raises(ToolError, match="no business day"):
        businessdays.work_calendar(everyday, (), None)


@pytest.mark.parametrize("days", [businessdays.MAX_DAYS + 1, -businessdays.MAX_DAYS - 1])
def test_too_many_days_are_refused(days: int) -> None:
    with pytest.raises(ToolError, match="too many"):
        businessdays.add(FRIDAY, days, PLAIN)


def test_walks_of_more_than_a_century_are_refused() -> None:
    busy_mondays = businessdays.work_calendar(businessdays.WEEKDAYS[1:], (), None)

    with pytest.raises(ToolError, match="100 years"):
        businessdays.add(FRIDAY, businessdays.MAX_DAYS, busy_mondays)
    with pytest.raises(ToolError, match="100 years"):
        businessdays.count(date(1900, 1, 1), FRIDAY, PLAIN)


@pytest.mark.parametrize(("start", "days"), [(date.max, 5), (date.min, -5)])
def test_the_ends_of_the_calendar_are_refused(start: date, days: int) -> None:
    with pytest.raises(ToolError, match="out of range"):
        businessdays.add(start, days, PLAIN)
