"""Zones by what people call them: places, abbreviations, offsets, misspelt names."""

import pytest
from mcpkit_plugin_timeutil import zonesearch
from mcpkit_plugin_timeutil.folding import fold
from mcpkit_plugin_timeutil.gazetteer import gazetteer

from mcpkit import ToolError


@pytest.mark.parametrize(
    ("query", "zone"),
    [
        ("UK", "Europe/London"),
        ("gbr", "Europe/London"),
        ("England", "Europe/London"),
        ("United Kingdom", "Europe/London"),
        ("NO", "Europe/Oslo"),
        ("Norge", "Europe/Oslo"),
        ("Deutschland", "Europe/Berlin"),
        ("Германия", "Europe/Berlin"),
        ("日本", "Asia/Tokyo"),
        ("Japan", "Asia/Tokyo"),
        ("China", "Asia/Shanghai"),
        ("New Zealand", "Pacific/Auckland"),
        ("Kazakhstan", "Asia/Almaty"),
        ("California", "America/Los_Angeles"),
        ("Hawaii", "Pacific/Honolulu"),
        ("New York", "America/New_York"),
        ("Georgia, USA", "America/New_York"),
    ],
)
def test_a_country_or_state_of_one_clock_is_found_alone(query: str, zone: str) -> None:
    found = zonesearch.search(query)

    assert found.matches[0].zone == zone
    assert found.matches[0].place is not None
    assert (found.exact, found.note) == (True, None)
    assert zonesearch.suggest(query) == [zone]


@pytest.mark.parametrize(
    ("query", "zone"),
    [
        ("NYC", "America/New_York"),
        ("München", "Europe/Berlin"),
        ("munchen", "Europe/Berlin"),
        ("Muenchen", "Europe/Berlin"),
        ("MÜNCHEN", "Europe/Berlin"),
        ("Мюнхен", "Europe/Berlin"),
        ("慕尼黑", "Europe/Berlin"),
        ("Seattle", "America/Los_Angeles"),
        ("Beijing", "Asia/Shanghai"),
        ("Peking", "Asia/Shanghai"),
        ("北京", "Asia/Shanghai"),
        ("東京", "Asia/Tokyo"),
        ("パリ", "Europe/Paris"),
        ("Tromso", "Europe/Oslo"),
        ("Xian", "Asia/Shanghai"),
        ("Bombay", "Asia/Kolkata"),
        ("Kiev", "Europe/Kyiv"),
        ("Genève", "Europe/Zurich"),
        ("London", "Europe/London"),
        ("Portland", "America/Los_Angeles"),
        ("Portland, Maine", "America/New_York"),
        ("Portland, ME", "America/New_York"),
        ("Birmingham, UK", "Europe/London"),
        ("Washington, DC", "America/New_York"),
        ("Ushuaia", "America/Argentina/Ushuaia"),
        ("lord howe", "Australia/Lord_Howe"),
    ],
)
def test_a_city_is_found_by_any_of_its_names(query: str, zone: str) -> None:
    found = zonesearch.search(query)

    assert found.matches[0].zone == zone
    assert (found.exact, found.note) == (True, None)


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("USA", ["America/New_York", "America/Chicago", "America/Los_Angeles", "America/Denver"]),
        ("America", ["America/New_York", "America/Chicago"]),
        ("Brazil", ["America/Sao_Paulo", "America/Manaus"]),
        ("Australia", ["Australia/Sydney", "Australia/Brisbane", "Australia/Perth"]),
        ("Spain", ["Europe/Madrid", "Atlantic/Canary"]),
        ("Texas", ["America/Chicago", "America/Denver"]),
        ("Georgia", ["Asia/Tbilisi", "America/New_York"]),
        ("Washington", ["America/Los_Angeles", "America/New_York"]),
        ("Springfield", ["America/Chicago", "America/New_York"]),
        ("Hyderabad", ["Asia/Kolkata", "Asia/Karachi"]),
        ("LA", ["Asia/Vientiane", "America/Los_Angeles"]),
        ("EST", ["America/New_York", "America/Jamaica"]),
        ("CST", ["Asia/Shanghai", "America/Mexico_City", "America/Chicago", "America/Havana"]),
        ("IST", ["Asia/Kolkata", "Asia/Jerusalem", "Europe/Dublin"]),
        ("PST", ["Asia/Manila", "America/Los_Angeles"]),
        ("PT", ["America/Los_Angeles", "Europe/Lisbon"]),
    ],
)
def test_what_can_mean_several_clocks_asks_and_lists_each_first(
    query: str, first: list[str]
) -> None:
    found = zonesearch.search(query)

    assert [match.zone for match in found.matches[: len(first)]] == first
    assert found.note is not None
    assert f"{query!r} can mean" in found.note
    assert "ask the user for the city" in found.note
    assert len(zonesearch.suggest(query)) > 1


@pytest.mark.parametrize(
    ("query", "zone"),
    [("JST", "Asia/Tokyo"), ("bst", "Europe/London"), ("SGT", "Asia/Singapore"), ("Z", "UTC")],
)
def test_an_abbreviation_of_one_clock_is_found_without_asking(query: str, zone: str) -> None:
    found = zonesearch.search(query)

    assert (found.matches[0].zone, found.note) == (zone, None)


@pytest.mark.parametrize(
    ("query", "zones"),
    [
        ("GMT+1", ["UTC+01:00", "Africa/Lagos"]),
        ("+05:30", ["UTC+05:30", "Asia/Kolkata", "Asia/Colombo"]),
        ("UTC-3:30", ["UTC-03:30"]),
    ],
)
def test_an_offset_is_found_fixed_before_the_places_that_share_it_now(
    query: str, zones: list[str]
) -> None:
    found = zonesearch.search(query)

    assert [match.zone for match in found.matches[: len(zones)]] == zones
    assert found.note is not None
    assert "same all year" in found.note


def test_the_zones_with_the_opposite_sign_say_so() -> None:
    found = zonesearch.search("Etc/GMT+1")

    assert found.matches[0].zone == "Etc/GMT+1"
    assert found.note is not None
    assert "Etc/GMT+1 is UTC-1" in found.note


def test_a_place_that_is_unknown_in_its_country_gets_the_zones_of_both() -> None:
    found = zonesearch.search("Paris, Texas")

    assert [match.zone for match in found.matches] == [
        "America/Chicago",
        "America/Denver",
        "Europe/Paris",
    ]
    assert found.exact is False
    assert found.note is not None
    assert "No 'Paris' is known in Texas" in found.note


@pytest.mark.parametrize(
    ("query", "zone"),
    [
        ("America/New_Yrok", "America/New_York"),
        ("Europe/Olso", "Europe/Oslo"),
        ("kolkatta", "Asia/Kolkata"),
        ("munchn", "Europe/Berlin"),
        ("seatle", "America/Los_Angeles"),
    ],
)
def test_a_misspelt_name_suggests_the_nearest_alone(query: str, zone: str) -> None:
    found = zonesearch.search(query)

    assert found.exact is False
    assert found.note is not None
    assert "spelt alike" in found.note
    assert zonesearch.suggest(query) == [zone]


def test_a_part_of_a_name_is_no_name() -> None:
    found = zonesearch.search("Deutschl")

    assert (found.matches[0].zone, found.matches[0].place) == ("Europe/Berlin", "Germany")
    assert found.exact is False
    assert found.note == "Nothing is called 'Deutschl'; these names contain it"


@pytest.mark.parametrize("query", ["EST5EDT", "Navajo", "Hongkong"])
def test_old_names_of_zones_are_found(query: str) -> None:
    assert zonesearch.search(query).exact is True


@pytest.mark.parametrize("query", ["", " ", "xyzzyq", "+15", "\0", "a" * 5000, "\ud800", ",,,"])
def test_what_is_like_nothing_finds_nothing(query: str) -> None:
    assert zonesearch.search(query).matches == ()
    with pytest.raises(ToolError, match="Use an IANA name such as 'Europe/Oslo'"):
        zonesearch.resolve(query)


def test_completion_puts_cities_that_begin_so_first() -> None:
    assert zonesearch.complete("osl") == ["Europe/Oslo"]
    assert zonesearch.complete("york") == ["America/New_York"]
    assert len(zonesearch.complete("")) > 400


def test_every_zone_of_the_gazetteer_exists() -> None:
    known = gazetteer()
    named = {zone for area in known.areas.values() for zone in area.zones}

    assert len(known.areas) > 280
    for zone in named | set(known.people):
        assert str(zonesearch.resolve(zone)) == zone


def test_names_that_differ_in_case_accents_and_punctuation_are_equal() -> None:
    assert fold("  SÃO   Paulo ") == fold("sao paulo")
    assert fold("Xi\N{RIGHT SINGLE QUOTATION MARK}an") == fold("Xian")
    assert fold("Saint-Denis") == fold("saint denis")
    assert fold("Łódź") == "lodz"
    assert fold("パリ") != fold("バリ")
