"""Zones, what was meant by a misspelt one, and clock changes."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from mcpkit_plugin_timeutil import zones

from mcpkit import ToolError


def test_a_misspelt_zone_gets_the_nearest() -> None:
    with pytest.raises(ToolError) as caught:
        zones.find("Europe/Olso")

    assert str(caught.value) == "Unknown time zone 'Europe/Olso'. Did you mean 'Europe/Oslo'?"


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("Oslo", "Europe/Oslo"),
        ("New York", "America/New_York"),
        ("America/New_Yrok", "America/New_York"),
        ("kolkatta", "Asia/Kolkata"),
        ("Norway", "Europe/Oslo"),
        ("lord howe", "Australia/Lord_Howe"),
    ],
)
def test_a_city_or_country_suggests_its_zone_first(said: str, meant: str) -> None:
    assert zones.suggest(said)[0] == meant


@pytest.mark.parametrize(
    "name", ["", "xyzzyq", "../etc/passwd", "/etc/localtime", "\0", "a" * 5000]
)
def test_what_is_like_no_zone_gets_an_example(name: str) -> None:
    with pytest.raises(ToolError, match="Use an IANA name such as 'Europe/Oslo'"):
        zones.find(name)


def test_the_case_of_a_name_does_not_matter() -> None:
    assert zones.find(" europe/OSLO ").key == "Europe/Oslo"


def test_an_abbreviation_finds_zones_that_use_it() -> None:
    found = zones.search("CEST", limit=100)

    assert "Europe/Oslo" in found
    assert "America/New_York" not in found


def test_every_zone_can_be_loaded() -> None:
    assert len(zones.zone_names()) > 400
    assert {zones.find(name).key for name in zones.zone_names()} == set(zones.zone_names())


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
