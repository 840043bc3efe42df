"""Zones by their exact names, and clock changes."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from mcpkit_plugin_timeutil import offsets, zones


def test_the_case_of_a_name_does_not_matter() -> None:
    assert str(zones.find(" europe/OSLO ")) == "Europe/Oslo"


@pytest.mark.parametrize(
    ("text", "minutes", "name"),
    [
        ("+05:30", 330, "UTC+05:30"),
        ("UTC+2", 120, "UTC+02:00"),
        ("GMT+1", 60, "UTC+01:00"),
        ("gmt -3", -180, "UTC-03:00"),
        ("UTC-0330", -210, "UTC-03:30"),
        ("\N{MINUS SIGN}1", -60, "UTC-01:00"),
        ("+14", 840, "UTC+14:00"),
        ("+0", 0, "UTC"),
    ],
)
def test_an_offset_is_a_zone_whose_name_finds_it_again(text: str, minutes: int, name: str) -> None:
    zone = zones.find(text)

    assert zone is not None
    assert str(zone) == name
    assert zone.utcoffset(datetime(2026, 1, 1)) == timedelta(minutes=minutes)  # noqa: DTZ001
    assert str(zones.find(name)) == name


@pytest.mark.parametrize("text", ["+15", "+14:01", "UTC+99", "+5:60", "5:30", "++1", "UTC+", "+"])
def test_an_offset_that_no_clock_has_is_no_zone(text: str) -> None:
    assert zones.find(text) is None
    assert offsets.parse(text) is None


@pytest.mark.parametrize("name", ["", "../etc/passwd", "/etc/localtime", "\0", "a" * 5000, "GMT1"])
def test_what_names_no_zone_finds_none(name: str) -> None:
    assert zones.find(name) is None


def test_the_whole_name_of_a_zone_keeps_the_sign_of_posix() -> None:
    assert zones.clock("Etc/GMT+1").offsets[0] == timedelta(hours=-1)


def test_every_zone_can_be_loaded() -> None:
    assert len(zones.zone_names()) > 400
    assert {str(zones.find(name)) for name in zones.zone_names()} == set(zones.zone_names())


def test_transitions_are_exact_to_the_second() -> None:
    found = zones.transitions(ZoneInfo("Europe/Oslo"), datetime(2026, 1, 1, tzinfo=UTC), 2)

    assert [change.moment.isoformat() for change in found] == [
        "2026-03-29T03:00:00+02:00",
        "2026-10-25T02:00:00+01:00",
    ]


def test_a_zone_without_clock_changes_has_no_transitions() -> None:
    assert zones.transitions(ZoneInfo("Asia/Tokyo"), datetime(2026, 1, 1, tzinfo=UTC), 4) == []


@pytest.mark.parametrize(
    ("zone", "month", "expected"),
    [
        ("Europe/Oslo", 7, True),
        ("Europe/Oslo", 1, False),
        ("Europe/Dublin", 7, True),
        ("Europe/Dublin", 1, False),
        ("Australia/Lord_Howe", 1, True),
        ("Asia/Tokyo", 7, False),
    ],
)
def test_daylight_saving_is_told_even_where_the_database_has_it_negative(
    zone: str, month: int, expected: bool
) -> None:
    assert zones.is_dst(datetime(2026, month, 15, tzinfo=ZoneInfo(zone))) is expected
