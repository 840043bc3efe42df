"""Durations and what comes a duration later."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from mcpkit_plugin_timeutil import durations, moments
from mcpkit_plugin_timeutil.durations import Counting, Duration

from mcpkit import ToolError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("P1Y2M3W4DT5H6M7.5S", (14, 25, timedelta(hours=5, minutes=6, seconds=7.5))),
        ("-P1DT1H", (0, -1, timedelta(hours=-1))),
        ("PT90M", (0, 0, timedelta(minutes=90))),
        ("1 month 2 days", (1, 2, timedelta())),
        ("2 weeks and 90 minutes", (0, 14, timedelta(minutes=90))),
        ("1 year, 6 months", (18, 0, timedelta())),
        ("half an hour", (0, 0, timedelta(minutes=30))),
        ("1h30m", (0, 0, timedelta(minutes=90))),
        ("a fortnight", (0, 14, timedelta())),
        ("three days ago", (0, -3, timedelta())),
        ("minus 1.5 hours", (0, 0, timedelta(minutes=-90))),
    ],
)
def test_iso_8601_and_words_are_read(text: str, expected: tuple[int, int, timedelta]) -> None:
    months, days, exact = expected

    assert durations.parse(text) == Duration(months=months, days=days, exact=exact)


@pytest.mark.parametrize(
    "text",
    ["", "P", "PT", "P1H", "5", "soon", "1 parsec", "1.5 days", "P99999999Y", "1" * 99 + "h"],
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ToolError):
        durations.parse(text)


@pytest.mark.parametrize(
    ("zone", "start", "text", "counting", "expected"),
    [
        ("Europe/Oslo", "2026-03-28T12:00", "1 day", "calendar", "2026-03-29T12:00:00+02:00"),
        ("Europe/Oslo", "2026-03-28T12:00", "1 day", "elapsed", "2026-03-29T13:00:00+02:00"),
        ("Europe/Oslo", "2026-03-28T12:00", "24 hours", "calendar", "2026-03-29T13:00:00+02:00"),
        ("Europe/Oslo", "2026-10-24T12:00", "P1D", "elapsed", "2026-10-25T11:00:00+01:00"),
        ("Europe/Oslo", "2026-03-28T02:30", "1 day", "calendar", "2026-03-29T03:30:00+02:00"),
        (
            "Australia/Lord_Howe",
            "2026-04-04T12:00",
            "1 day",
            "elapsed",
            "2026-04-05T11:30:00+10:30",
        ),
        ("UTC", "2024-02-29T00:00", "1 year", "calendar", "2025-02-28T00:00:00+00:00"),
        ("UTC", "2024-02-29T00:00", "P4Y", "calendar", "2028-02-29T00:00:00+00:00"),
        ("UTC", "2026-01-31T00:00", "1 month", "calendar", "2026-02-28T00:00:00+00:00"),
        ("UTC", "2026-03-31T00:00", "-P1M", "calendar", "2026-02-28T00:00:00+00:00"),
    ],
)
def test_days_follow_the_calendar_or_the_stopwatch(
    zone: str, start: str, text: str, counting: Counting, expected: str
) -> None:
    where = ZoneInfo(zone)
    moment = moments.read(start, where).moment

    result, _ = durations.add(moment, durations.parse(text), where, counting=counting)

    assert result.isoformat() == expected


def test_a_day_that_the_month_lacks_is_noted() -> None:
    where = ZoneInfo("UTC")
    moment = moments.read("2024-02-29", where).moment

    _, notes = durations.add(moment, durations.parse("1 year"), where, counting="calendar")

    assert notes == ["February 2025 has no day 29, so its last day was taken"]


def test_the_second_reading_of_a_fold_stays_the_second() -> None:
    where = ZoneInfo("Europe/Oslo")
    moment = moments.read("2026-10-25T02:30", where, "later").moment

    result, _ = durations.add(moment, durations.parse("-60 min"), where, counting="calendar")

    assert result.isoformat() == "2026-10-25T02:30:00+02:00"


@pytest.mark.parametrize("counting", ["calendar", "elapsed"])
@pytest.mark.parametrize("text", ["999999999 days", "-999999999 days", "999999999999 h"])
def test_results_beyond_the_calendar_are_refused(text: str, counting: Counting) -> None:
    where = ZoneInfo("UTC")
    moment = moments.read("2026-01-01", where).moment

    with pytest.raises(ToolError, match="year 9998"):
        durations.add(moment, durations.parse(text), where, counting=counting)


def test_months_have_no_elapsed_length() -> None:
    where = ZoneInfo("UTC")
    moment = moments.read("2026-01-01", where).moment

    with pytest.raises(ToolError, match="no fixed elapsed length"):
        durations.add(moment, durations.parse("1 month"), where, counting="elapsed")
