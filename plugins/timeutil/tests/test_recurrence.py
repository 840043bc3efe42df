"""Cron expressions and RRULEs: exact over clock changes, bounded in count and time."""

import time
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from mcpkit_plugin_timeutil import recurrence

from mcpkit import ToolError

OSLO = ZoneInfo("Europe/Oslo")
BEFORE_SPRING = datetime(2026, 3, 28, 0, tzinfo=OSLO)
BEFORE_AUTUMN = datetime(2026, 10, 24, 12, tzinfo=OSLO)


def _iso(found: recurrence.Occurrences) -> list[str]:
    return [moment.isoformat() for moment in found.moments]


def test_a_cron_job_in_the_gap_runs_right_after_it() -> None:
    found = recurrence.cron("30 2 * * *", BEFORE_SPRING, OSLO, 3)

    assert _iso(found) == [
        "2026-03-28T02:30:00+01:00",
        "2026-03-29T03:00:00+02:00",
        "2026-03-30T02:30:00+02:00",
    ]
    assert len(found.notes) == 1


def test_a_cron_job_in_the_fold_runs_once() -> None:
    found = recurrence.cron("30 2 * * *", BEFORE_AUTUMN, OSLO, 2)

    assert _iso(found) == ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"]


def test_a_cron_job_of_every_hour_runs_in_both_hours_of_the_fold() -> None:
    start = datetime(2026, 10, 25, 1, 30, tzinfo=OSLO)

    found = recurrence.cron("0 * * * *", start, OSLO, 3)

    assert _iso(found) == [
        "2026-10-25T02:00:00+02:00",
        "2026-10-25T02:00:00+01:00",
        "2026-10-25T03:00:00+01:00",
    ]


def test_cron_never_goes_back_when_it_starts_in_the_second_hour_of_a_fold() -> None:
    start = datetime(2026, 10, 25, 2, 15, tzinfo=OSLO, fold=1)

    found = recurrence.cron("30 2 * * *", start, OSLO, 1)

    assert found.moments[0] > start
    assert _iso(found) == ["2026-10-26T02:30:00+01:00"]


def test_cron_follows_a_change_of_half_an_hour() -> None:
    zone = ZoneInfo("Australia/Lord_Howe")

    found = recurrence.cron("15 2 * * *", datetime(2026, 10, 3, 12, tzinfo=zone), zone, 2)

    assert _iso(found) == ["2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00"]


def test_cron_and_rule_wait_for_29_february() -> None:
    cron = recurrence.cron("0 12 29 2 *", BEFORE_SPRING, OSLO, 2)
    start = BEFORE_SPRING.replace(hour=12)
    rule = recurrence.rrule("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", start, OSLO, 2)

    assert _iso(cron) == ["2028-02-29T12:00:00+01:00", "2032-02-29T12:00:00+01:00"]
    assert cron.moments == rule.moments


@pytest.mark.parametrize(
    "text", ["", "bad", "60 * * * *", "0 0 30 2 *", "* * * * * * *", "@often", "1/0 * * * *"]
)
def test_what_is_no_cron_expression_is_refused(text: str) -> None:
    with pytest.raises(ToolError, match="five fields"):
        recurrence.cron(text, BEFORE_SPRING, OSLO, 1)


def test_names_of_cron_expressions_are_known() -> None:
    assert _iso(recurrence.cron("@daily", BEFORE_SPRING, OSLO, 1)) == ["2026-03-29T00:00:00+01:00"]


def test_a_rule_in_the_gap_is_shifted_by_the_gap() -> None:
    start = datetime(2026, 3, 28, 2, 30, tzinfo=OSLO)

    found = recurrence.rrule("RRULE:FREQ=DAILY", start, OSLO, 3)

    assert _iso(found) == [
        "2026-03-28T02:30:00+01:00",
        "2026-03-29T03:30:00+02:00",
        "2026-03-30T02:30:00+02:00",
    ]


def test_an_hourly_rule_runs_by_elapsed_time() -> None:
    start = datetime(2026, 10, 25, 1, tzinfo=OSLO)

    found = recurrence.rrule("FREQ=HOURLY", start, OSLO, 4)

    assert _iso(found) == [
        "2026-10-25T01:00:00+02:00",
        "2026-10-25T02:00:00+02:00",
        "2026-10-25T02:00:00+01:00",
        "2026-10-25T03:00:00+01:00",
    ]


@pytest.mark.parametrize("until", ["20260330", "20260330T000000", "20260329T220000Z"])
def test_a_rule_ends_with_its_last_day(until: str) -> None:
    found = recurrence.rrule(f"FREQ=DAILY;UNTIL={until}", BEFORE_SPRING, OSLO, 10)

    assert _iso(found)[-1] == "2026-03-30T00:00:00+02:00"
    assert "Only 3 of 10" in found.notes[-1]


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=WEEKLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=SECONDLY;BYHOUR=3;BYMINUTE=0;BYSECOND=0;BYMONTH=2;BYMONTHDAY=30",
    ],
)
def test_a_rule_that_never_matches_ends_in_bounded_time(rule: str) -> None:
    begun = time.monotonic()

    with pytest.raises(ToolError, match="No occurrence was found"):
        recurrence.rrule(rule, BEFORE_SPRING, OSLO, 1)

    assert time.monotonic() - begun < recurrence.SEARCH_SECONDS + 3


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=",
        "FREQ=OFTEN",
        "FREQ=DAILY;BYDAY=XX",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;INTERVAL=-1",
        "FREQ=DAILY;COUNT=99999999999",
        "FREQ=DAILY;FREQ=DAILY",
        "FREQ=DAILY;COUNT=1;UNTIL=20270101",
        "FREQ=DAILY;UNTIL=soon",
        "FREQ=DAILY;UNTIL=20270231",
        "FREQ=DAILY;WKST",
        "FREQ=DAILY;NONSENSE=1",
        "DTSTART:20260101\nRRULE:FREQ=DAILY",
        "FREQ=DAILY" + ";X=1" * 500,
    ],
)
def test_what_is_no_rule_is_refused(rule: str) -> None:
    with pytest.raises(ToolError):
        recurrence.rrule(rule, BEFORE_SPRING, OSLO, 1)
