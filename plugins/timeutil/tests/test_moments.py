"""Local times made exact over gaps and folds."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from mcpkit_plugin_timeutil import moments
from mcpkit_plugin_timeutil.moments import Disambiguation

from mcpkit import ToolError

GAPS = [
    ("Europe/Oslo", "2026-03-29T02:30", "2026-03-29T01:30:00+01:00", "2026-03-29T03:30:00+02:00"),
    (
        "America/New_York",
        "2026-03-08T02:30",
        "2026-03-08T01:30:00-05:00",
        "2026-03-08T03:30:00-04:00",
    ),
    (
        "Australia/Lord_Howe",
        "2026-10-04T02:15",
        "2026-10-04T01:45:00+10:30",
        "2026-10-04T02:45:00+11:00",
    ),
    ("Pacific/Apia", "2011-12-30T12:00", "2011-12-29T12:00:00-10:00", "2011-12-31T12:00:00+14:00"),
]
FOLDS = [
    ("Europe/Oslo", "2026-10-25T02:30", "2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00"),
    (
        "America/New_York",
        "2026-11-01T01:30",
        "2026-11-01T01:30:00-04:00",
        "2026-11-01T01:30:00-05:00",
    ),
    (
        "Australia/Lord_Howe",
        "2026-04-05T01:45",
        "2026-04-05T01:45:00+11:00",
        "2026-04-05T01:45:00+10:30",
    ),
]


@pytest.mark.parametrize(("zone", "local", "earlier", "later"), GAPS + FOLDS)
def test_both_readings_of_a_gap_or_fold_can_be_chosen(
    zone: str, local: str, earlier: str, later: str
) -> None:
    first = moments.read(local, ZoneInfo(zone), "earlier")
    second = moments.read(local, ZoneInfo(zone), "later")

    assert (first.moment.isoformat(), second.moment.isoformat()) == (earlier, later)
    assert first.moment.astimezone(UTC) < second.moment.astimezone(UTC)


@pytest.mark.parametrize(("zone", "local", "earlier", "later"), GAPS + FOLDS)
def test_rejecting_a_gap_or_fold_names_both_readings(
    zone: str, local: str, earlier: str, later: str
) -> None:
    with pytest.raises(ToolError) as caught:
        moments.read(local, ZoneInfo(zone), "reject")

    assert earlier in str(caught.value)
    assert later in str(caught.value)


@pytest.mark.parametrize(("zone", "local", "earlier", "later"), GAPS)
def test_a_gap_is_shifted_forward_with_a_note(
    zone: str, local: str, earlier: str, later: str
) -> None:
    read = moments.read(local, ZoneInfo(zone))

    assert read.moment.isoformat() == later
    assert read.note is not None
    assert "does not exist" in read.note
    assert earlier in read.note


@pytest.mark.parametrize(("zone", "local", "earlier", "later"), FOLDS)
def test_a_fold_is_read_as_its_first_time_with_a_note(
    zone: str, local: str, earlier: str, later: str
) -> None:
    read = moments.read(local, ZoneInfo(zone))

    assert read.moment.isoformat() == earlier
    assert read.note is not None
    assert "occurs twice" in read.note
    assert later in read.note


@pytest.mark.parametrize("choice", ["compatible", "earlier", "later", "reject"])
def test_an_ordinary_time_has_no_note(choice: Disambiguation) -> None:
    read = moments.read("2026-06-01T12:00", ZoneInfo("Europe/Oslo"), choice)

    assert read == moments.Resolved(
        moment=datetime(2026, 6, 1, 12, tzinfo=ZoneInfo("Europe/Oslo")), note=None
    )


def test_an_offset_in_the_text_decides_in_a_fold() -> None:
    read = moments.read("2026-10-25T02:30+01:00", ZoneInfo("Europe/Oslo"), "reject")

    assert read.moment.isoformat() == "2026-10-25T02:30:00+01:00"


@pytest.mark.parametrize(
    "text", ["", "tomorrow", "2026-02-30", "12:30", "2026-13-01T00:00", "9" * 90]
)
def test_what_is_not_iso_8601_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(moments.NotATimeError, match="Write it like '2026-03-29T14:30'"):
        moments.read(text, ZoneInfo("UTC"))


@pytest.mark.parametrize("text", ["0001-01-01T00:00", "9999-12-31T23:59", "9999-12-31T23:59-12:00"])
def test_the_ends_of_the_calendar_are_refused(text: str) -> None:
    with pytest.raises(ToolError, match="year 2 to year 9998"):
        moments.read(text, ZoneInfo("Pacific/Auckland"))
