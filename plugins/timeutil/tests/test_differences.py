"""Differences by the stopwatch and by the calendar."""

from datetime import UTC, timedelta
from zoneinfo import ZoneInfo

import pytest
from mcpkit_plugin_timeutil import differences, durations, moments

OSLO = ZoneInfo("Europe/Oslo")


@pytest.mark.parametrize(
    ("start", "end", "elapsed", "calendar"),
    [
        ("2026-03-28T12:00", "2026-03-29T12:00", "PT23H", "P1D"),
        ("2026-10-24T12:00", "2026-10-25T12:00", "PT25H", "P1D"),
        ("2026-10-25T02:30+02:00", "2026-10-25T02:30+01:00", "PT1H", "PT1H"),
        ("2024-02-29T00:00", "2025-02-28T00:00", "PT8760H", "P1Y"),
        ("2024-01-31T00:00", "2024-02-29T00:00", "PT696H", "P1M"),
        ("2026-01-01T00:00", "2026-01-01T00:00", "PT0S", "PT0S"),
        ("2026-03-29T12:00", "2026-03-28T12:00", "-PT23H", "-P1D"),
        ("2026-01-15T10:00", "2026-03-20T13:30:15.5", "PT1539H30M15.5S", "P2M5DT3H30M15.5S"),
        ("2026-03-28T02:30", "2026-03-29T03:10", "PT23H40M", "PT23H40M"),
    ],
)
def test_elapsed_and_calendar_differences_are_exact(
    start: str, end: str, elapsed: str, calendar: str
) -> None:
    found = differences.between(
        moments.read(start, OSLO).moment, moments.read(end, OSLO).moment, OSLO
    )

    assert differences.iso_duration(found.elapsed) == elapsed
    parts = differences.iso_duration(found.rest, months=found.months, days=found.days)
    assert parts == calendar


@pytest.mark.parametrize("hours", [-9000, -2185, -700, -25, -1, 0, 1, 23, 24, 49, 745, 5000, 12345])
def test_the_calendar_parts_added_to_the_start_give_the_end(hours: int) -> None:
    start = moments.read("2026-03-28T02:30", OSLO).moment
    end = (start.astimezone(UTC) + timedelta(hours=hours)).astimezone(OSLO)

    found = differences.between(start, end, OSLO)

    parts = durations.Duration(months=found.months, days=found.days, exact=found.rest)
    added, _ = durations.add(start, parts, OSLO, counting="calendar")
    assert added.astimezone(UTC) == end.astimezone(UTC)


def test_words_say_only_what_is_there() -> None:
    length = timedelta(hours=1, seconds=2)

    assert differences.words(length, months=13) == "1 year, 1 month, 1 hour, 2 seconds"
    assert differences.words(timedelta()) == "no time"
