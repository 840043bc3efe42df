"""Search for the time zones of a place: a country, a state, or a city by any of its names.

In: a name, perhaps with country or state after a comma. Out: the zones of the places it can mean.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from . import zones
from .folding import fold
from .gazetteer import Area, City, gazetteer

CLEARLY = 5
"""How many times more inhabitants a city must have than the others to be meant without asking."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A zone, and the place that the query was read as, if it named one."""

    zone: str
    place: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Places of one name.

    Attributes:
        likely: Zones of the places that are probably meant.
        others: Zones of further places of the name.
        missing: Says that none is known where the query wants it; None if one is.
    """

    likely: tuple[Match, ...]
    others: tuple[Match, ...] = ()
    missing: str | None = None


def find(query: str) -> Places:
    """Find the places of a name.

    A country beats the cities of its name, unless the name is its code of two letters; a city beats
    others with far fewer inhabitants, and those that have the name in another language only.
    """
    name, _, rest = query.partition(",")
    within = [_areas(fold(part)) for part in rest.split(",") if fold(part)]
    wanted, known = fold(name), gazetteer()
    areas = [area for area in known.areas_called(wanted) if _fits(within, area.code)]
    found = [city for city in known.cities_called(wanted) if _fits(within, city.area)]
    if within and not areas and not found:
        return _elsewhere(name.strip(), within[0])
    cities, others = _leading(found, wanted)
    if len(wanted) > 2 and any(area.is_country for area in areas):
        cities, others = [], found
    halves = [_split(area) for area in areas]
    eponyms = () if within else (Match(zone=zone) for zone in _eponyms().get(wanted, ()))
    return Places(
        likely=(*_joined(main for main, _ in halves), *map(_match, cities), *eponyms),
        others=(*_joined(remote for _, remote in halves), *map(_match, others)),
    )


def beginning(query: str) -> list[Match]:
    """Find the countries and large cities of which a name begins so."""
    known, wanted = gazetteer(), fold(query)
    areas = [Match(zone=area.zones[0], place=area.name) for area in known.areas_beginning(wanted)]
    return areas + [_match(city) for city in known.cities_beginning(wanted)]


def spellings() -> list[tuple[str, Match]]:
    """Folded names of the largest cities."""
    return [(name, _match(city)) for name, city in gazetteer().largest.items()]


def _elsewhere(name: str, where: list[Area]) -> Places:
    """Zones of the country or state where a place is wanted, and of its namesakes elsewhere."""
    namesakes = find(name)
    if not where:
        return Places(likely=(), others=namesakes.likely, missing=f"No such {name!r} is known")
    main, remote = _split(where[0])
    land = where[0].name
    return Places(
        likely=tuple(main),
        others=(*remote, *namesakes.likely, *namesakes.others),
        missing=f"No {name!r} is known in {land}. Zones of {land} come first, then those of places "
        f"called {name!r} elsewhere",
    )


def _areas(qualifier: str) -> list[Area]:
    """Countries and states that a qualifier names; a state may be abbreviated."""
    known = gazetteer()
    state = known.areas.get(f"US-{qualifier.upper()}")
    return [*known.areas_called(qualifier), *([state] if state is not None else [])]


def _fits(within: list[list[Area]], code: str) -> bool:
    """Whether each qualifier names the area of a code, or the country of its state."""
    codes = {code, code.partition("-")[0]}
    return all(any(area.code in codes for area in areas) for areas in within)


def _split(area: Area) -> tuple[list[Match], list[Match]]:
    """Split the zones of an area: those that are probably meant, and where hardly anybody lives.

    Where a country has three clocks or more, people expect to be asked.
    """
    matches = [Match(zone=zone, place=area.name) for zone in area.zones]
    if len({zones.clock(zone).offsets for zone in area.zones}) > 2:
        return matches, []
    remote = [match for match in matches if match.zone in area.remote]
    return [match for match in matches if match not in remote], remote


def _leading(cities: list[City], name: str) -> tuple[list[City], list[City]]:
    """Split the cities of a name into those that are probably meant, and the others."""
    named = [city for city in cities if fold(city.name) == name]
    size = max((city.people for city in named), default=0)
    rivals = [city for city in cities if city in named or city.people > CLEARLY * size]
    largest = max((city.people for city in rivals), default=0)
    leading = [city for city in rivals if CLEARLY * city.people >= largest]
    return leading, [city for city in cities if city not in leading]


@cache
def _eponyms() -> dict[str, list[str]]:
    """Zones by the folded names of their own cities, of which small ones stand in no gazetteer."""
    found: dict[str, list[str]] = {}
    for zone in zones.places():
        found.setdefault(fold(zone.rsplit("/", 1)[-1]), []).append(zone)
    return found


def _match(city: City) -> Match:
    return Match(zone=city.zone, place=gazetteer().label(city))


def _joined(parts: Iterable[list[Match]]) -> list[Match]:
    return [match for part in parts for match in part]
