"""Places: what a caller writes as city becomes one point on the map, or an offer of several."""

import re
from collections.abc import Sequence
from difflib import get_close_matches

from .answers import FoundPlace, FoundPlaces
from .client import OpenMeteo
from .errors import AmbiguousPlaceError, InvalidPlaceError, PlaceNotFoundError
from .reports import Place

COORDINATES = re.compile(r"^\s*(-?\d+(?:\.\d+)?)\s*,\s*(-?\d+(?:\.\d+)?)\s*$")
"""Latitude and longitude in degrees, such as `59.91,10.75`."""

CLEARLY = 5
"""How many times more people one place must have than the next to be meant without a word."""

WELL_KNOWN = (
    "Abu Dhabi", "Accra", "Addis Ababa", "Amsterdam", "Ankara", "Athens", "Auckland", "Baghdad",
    "Bangkok", "Barcelona", "Beijing", "Belgrade", "Bergen", "Berlin", "Bogotá", "Boston",
    "Bratislava", "Brussels", "Bucharest", "Budapest", "Buenos Aires", "Cairo", "Canberra",
    "Cape Town", "Caracas", "Casablanca", "Chicago", "Copenhagen", "Dakar", "Delhi", "Dhaka",
    "Dubai", "Dublin", "Edinburgh", "Frankfurt", "Geneva", "Hamburg", "Hanoi", "Havana",
    "Helsinki", "Hong Kong", "Istanbul", "Jakarta", "Jerusalem", "Johannesburg", "Kampala",
    "Karachi", "Kathmandu", "Kyiv", "Kyoto", "Lagos", "Lima", "Lisbon", "Ljubljana", "London",
    "Los Angeles", "Madrid", "Manchester", "Manila", "Melbourne", "Mexico City", "Miami", "Milan",
    "Montevideo", "Montreal", "Moscow", "Mumbai", "Munich", "Nairobi", "New York", "Osaka",
    "Oslo", "Ottawa", "Paris", "Prague", "Quito", "Reykjavik", "Riga", "Rio de Janeiro",
    "Riyadh", "Rome", "San Francisco", "Santiago", "São Paulo", "Seattle", "Seoul", "Shanghai",
    "Singapore", "Sofia", "Stockholm", "Sydney", "Taipei", "Tallinn", "Tehran", "Tokyo",
    "Toronto", "Trondheim", "Tunis", "Vancouver", "Vienna", "Vilnius", "Warsaw", "Washington",
    "Wellington", "Zagreb", "Zürich",
)  # fmt: skip
"""Names to suggest for a misspelt one: the API finds what begins alike, not what sounds alike."""


async def find_place(client: OpenMeteo, city: str, *, language: str) -> Place:
    """Find the one place that is meant.

    Args:
        client: Asks the geocoding API.
        city: A name, a name with region or country after commas, or `latitude,longitude`.
        language: Of the names in the answer.

    Raises:
        InvalidPlaceError: The text cannot be a place.
        PlaceNotFoundError: There is none of that name.
        AmbiguousPlaceError: Several could be meant.
        UpstreamError: The geocoding API did not deliver.
    """
    point = _point(city)
    if point is not None:
        return point
    found = await search(client, city, language=language, count=10)
    if not found:
        raise PlaceNotFoundError(city, suggestions(city))
    name = city.split(",", maxsplit=1)[0].strip().casefold()
    exact = [place for place in found if place.name.casefold() == name] or found
    first, *others = sorted(exact, key=lambda place: -(place.population or 0))
    rival = max((place.population or 0 for place in others), default=0)
    if not others or (first.population or 0) > CLEARLY * rival:
        return describe(first)
    raise AmbiguousPlaceError(city, [(label(place), _details(place)) for place in exact])


async def search(client: OpenMeteo, city: str, *, language: str, count: int) -> list[FoundPlace]:
    """Find places by name; what stands after a comma must be in their region or country.

    Raises:
        InvalidPlaceError: The name is too short to look for.
        UpstreamError: The geocoding API did not deliver.
    """
    name, *qualifiers = [part.strip() for part in city.split(",")]
    if len(name) < 2:
        raise InvalidPlaceError(f"{city!r} is too short for a place: give the name of a city")
    answer = await client.get(
        "geocoding",
        # Qualifiers are checked here, so more is asked for than is wanted.
        {"name": name, "count": 100 if qualifiers else count, "language": language},
        FoundPlaces,
    )
    fitting = [place for place in answer.results if _fits(place, qualifiers)]
    return fitting[:count]


def suggestions(city: str) -> list[str]:
    """Well-known cities that are spelt alike."""
    folded = {name.casefold(): name for name in WELL_KNOWN}
    name = city.split(",", maxsplit=1)[0].strip().casefold()
    return [folded[match] for match in get_close_matches(name, folded, n=3, cutoff=0.6)]


def describe(place: FoundPlace) -> Place:
    """A place as the tools return it."""
    return Place(
        city=label(place),
        latitude=place.latitude,
        longitude=place.longitude,
        timezone=place.timezone,
        population=place.population,
    )


def label(place: FoundPlace) -> str:
    """Name, region and country: what can be passed as city and means this place."""
    parts = [place.name, place.admin1, place.country]
    return ", ".join(dict.fromkeys(part for part in parts if part))


def _details(place: FoundPlace) -> str:
    people = f", {place.population:,} inhabitants" if place.population else ""
    return f"{place.latitude:.2f},{place.longitude:.2f}{people}"


def _point(city: str) -> Place | None:
    match = COORDINATES.match(city)
    if match is None:
        return None
    latitude, longitude = float(match[1]), float(match[2])
    if abs(latitude) > 90 or abs(longitude) > 180:
        raise InvalidPlaceError(
            f"{city!r} is off the globe: latitude is -90 to 90, longitude -180 to 180"
        )
    return Place(city=f"{latitude:g},{longitude:g}", latitude=latitude, longitude=longitude)


def _fits(place: FoundPlace, qualifiers: Sequence[str]) -> bool:
    known = [place.country, place.country_code, place.admin1, _initials(place.country)]
    folded = {text.casefold() for text in known if text}
    return all(
        any(qualifier.casefold() in text for text in folded)
        for qualifier in qualifiers
        if qualifier
    )


def _initials(country: str | None) -> str:
    """`USA` for United States of America, and the like."""
    return "".join(word[0] for word in (country or "").split())
