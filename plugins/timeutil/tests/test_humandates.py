"""Dates as people write them."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from mcpkit_plugin_timeutil import humandates

from mcpkit import ToolError

OSLO = ZoneInfo("Europe/Oslo")
REFERENCE = datetime(2026, 11, 21, 12, tzinfo=OSLO)  # a Saturday


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", "2026-11-21T12:00:00+01:00"),
        ("today at noon", "2026-11-21T12:00:00+01:00"),
        ("tomorrow", "2026-11-22T00:00:00+01:00"),
        ("Tomorrow at 15", "2026-11-22T15:00:00+01:00"),
        ("the day after tomorrow 8am", "2026-11-23T08:00:00+01:00"),
        ("yesterday 23:59:59", "2026-11-20T23:59:59+01:00"),
        ("next friday 3pm", "2026-11-27T15:00:00+01:00"),
        ("3pm next friday", "2026-11-27T15:00:00+01:00"),
        ("saturday", "2026-11-21T00:00:00+01:00"),
        ("next saturday", "2026-11-28T00:00:00+01:00"),
        ("last saturday", "2026-11-14T00:00:00+01:00"),
        ("on thurs", "2026-11-26T00:00:00+01:00"),
        ("in 2 weeks", "2026-12-05T12:00:00+01:00"),
        ("in an hour", "2026-11-21T13:00:00+01:00"),
        ("3 days ago", "2026-11-18T12:00:00+01:00"),
        ("90 minutes from now", "2026-11-21T13:30:00+01:00"),
        ("next week", "2026-11-28T00:00:00+01:00"),
        ("last month", "2026-10-21T00:00:00+02:00"),
        ("3 March", "2027-03-03T00:00:00+01:00"),
        ("March 3rd, 2027 at 2:30 p.m.", "2027-03-03T14:30:00+01:00"),
        ("29 feb", "2028-02-29T00:00:00+01:00"),
        ("friday 27 november 2026", "2026-11-27T00:00:00+01:00"),
        ("13/04/2026", "2026-04-13T00:00:00+02:00"),
        ("03.04.2026", "2026-04-03T00:00:00+02:00"),
        ("05/05/2026 12am", "2026-05-05T00:00:00+02:00"),
        ("2026-11-21T10:00Z", "2026-11-21T11:00:00+01:00"),
    ],
)
def test_words_are_read_relative_to_the_reference(text: str, expected: str) -> None:
    assert humandates.parse(text, REFERENCE, OSLO).moment.isoformat() == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("03/04/2026", "2026-04-03 (day first) or 2026-03-04 (month first)"),
        ("tomorrow at 3", "'3am', '3pm'"),
        ("feb 2027", "Add the day"),
        ("friday 26 november 2026", "2026-11-26 is a thursday"),
        ("12 12 december", "four digits"),
        ("3pm 4pm", "more than one time"),
        ("13pm", "1 to 12"),
        ("tomorrow 25:00", "00:00 to 23:59"),
        ("31/02/2026", "not on the calendar"),
        ("20261121", "hyphens"),
        ("in 2 weeks ago", "both ways"),
        ("tomorrow 3pm CET", "goes into timezone"),
        ("in 3 business days", "has no fixed length"),
        ("gibberish", "Try ISO 8601"),
        ("monkey", "Try ISO 8601"),
        ("", "Try ISO 8601"),
        ("a" * 5000, "Try ISO 8601"),
    ],
)
def test_what_is_ambiguous_or_no_date_gets_a_usable_error(text: str, said: str) -> None:
    with pytest.raises(ToolError) as caught:
        humandates.parse(text, REFERENCE, OSLO)

    assert said in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_date_without_time_says_so() -> None:
    assert not humandates.parse("tomorrow", REFERENCE, OSLO).has_time
    assert humandates.parse("tomorrow 0:00", REFERENCE, OSLO).has_time


def test_next_weekday_tells_of_its_other_reading() -> None:
    monday = datetime(2026, 11, 23, 9, tzinfo=OSLO)

    read = humandates.parse("next friday", monday, OSLO)

    assert read.moment.isoformat() == "2026-11-27T00:00:00+01:00"
    assert "2026-12-04" in read.notes[0]


def test_a_human_time_in_the_gap_is_shifted_with_a_note() -> None:
    saturday = datetime(2026, 3, 28, 12, tzinfo=OSLO)

    read = humandates.parse("tomorrow 2:30", saturday, OSLO)

    assert read.moment.isoformat() == "2026-03-29T03:30:00+02:00"
    assert "does not exist" in read.notes[0]
