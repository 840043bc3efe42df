"""Gazetteer: countries, states of the USA and large cities by any of their names.

In: a name. Out: records with time zones. `gazetteer.tsv` has one line a place, with its folded
names between bars. It is searched as it stands: reading the names into a dictionary takes longer
than a hundred searches.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files

from .folding import fold

MOST = 40
"""Most places of one name; the file has the largest cities first."""


LARGEST = 2000
"""Cities whose names are compared with misspelt ones."""

REMOTE = 20
"""Thousandths of a country's inhabitants below which hardly anybody lives in one of its zones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """A country, or a state of the USA.

    Attributes:
        code: ISO 3166 code, such as NO or US-CA.
        name: English name.
        zones: Its time zones, the one with most inhabitants first.
        remote: Those of them in which hardly anybody lives.
    """

    code: str
    name: str
    zones: tuple[str, ...]
    remote: frozenset[str]

    @property
    def is_country(self) -> bool:
        """Whether it is a country, and no state."""
        return "-" not in self.code


@dataclass(frozen=True, slots=True, kw_only=True)
class City:
    """A city.

    Attributes:
        name: English name.
        area: Code of its country, or of its state in the USA.
        zone: Its time zone.
        people: Inhabitants.
    """

    name: str
    area: str
    zone: str
    people: int


class Gazetteer:
    """All places, searchable by name; see `gazetteer`."""

    def __init__(self, data: bytes) -> None:
        head, _, cities = data.partition(b"\nC\t")
        self._cities = b"\nC\t" + cities
        self._areas = head + b"\n"

    @cached_property
    def people(self) -> dict[str, int]:
        """Inhabitants of the cities in each time zone."""
        lines = (line.split("\t") for line in self._areas.decode().split("\n") if line[:1] == "Z")
        return {zone: int(people) for _, zone, people in lines}

    @cached_property
    def areas(self) -> dict[str, Area]:
        """Areas by code."""
        lines = (line for line in self._areas.decode().split("\n") if line[:1] == "A")
        found = map(_area, lines)
        return {area.code: area for area in found}

    @cached_property
    def largest(self) -> dict[str, City]:
        """The largest cities by folded English name."""
        lines = self._cities.decode().split("\n", LARGEST + 1)[1:-1]
        return {fold(city.name): city for city in reversed([_city(line) for line in lines])}

    def areas_called(self, name: str) -> list[Area]:
        """List the countries and states of a name, which is folded."""
        return [_area(line) for line in _lines(self._areas, f"|{name}|")]

    def areas_beginning(self, name: str) -> list[Area]:
        """List the countries and states of which one name begins so."""
        return [_area(line) for line in _lines(self._areas, f"|{name}")]

    def cities_called(self, name: str) -> list[City]:
        """List the cities of a folded name, the largest first."""
        return [_city(line) for line in _lines(self._cities, f"|{name}|")]

    def cities_beginning(self, name: str) -> list[City]:
        """List the cities of which one name begins so, the largest first."""
        return [_city(line) for line in _lines(self._cities, f"|{name}")]

    def label(self, city: City) -> str:
        """Name a city with its state and country."""
        where = self.areas.get(city.area)
        if where is None or where.name == city.name:
            return city.name
        return f"{city.name}, {where.name}"


@cache
def gazetteer() -> Gazetteer:
    """Read the gazetteer, once."""
    return Gazetteer((files(__package__) / "gazetteer.tsv").read_bytes())


def _lines(data: bytes, wanted: str) -> Iterator[str]:
    """Find the lines that hold a text, at most `MOST`."""
    needle, position = wanted.encode(errors="replace"), 0
    for _ in range(MOST):
        found = data.find(needle, position)
        if found < 0:
            return
        position = data.find(b"\n", found)
        yield data[data.rfind(b"\n", 0, found) + 1 : position].decode()


def _area(line: str) -> Area:
    _, code, name, shares, _ = line.split("\t")
    zones = dict(pair.split("=") for pair in shares.split(","))
    remote = frozenset(zone for zone, share in zones.items() if int(share) < REMOTE)
    return Area(code=code, name=name, zones=tuple(zones), remote=remote - {next(iter(zones))})


def _city(line: str) -> City:
    _, name, area, zone, people, _ = line.split("\t")
    return City(name=name, area=area, zone=zone, people=int(people))
