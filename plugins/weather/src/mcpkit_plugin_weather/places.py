"""Places: what a caller writes as city becomes one point on the map, or an offer of several."""

import re
from difflib import get_close_matches

from .answers import FoundPlace, FoundPlaces
from .client import OpenMeteo
from .errors import AmbiguousPlaceError, InvalidPlaceError, PlaceNotFoundError
from .regions import fold, is_within
from .reports import Place

MAX_LENGTH = 200
"""Longest text that is looked for, in characters: more than any name with region and country."""

COORDINATES = re.compile(
    r"\s*([+-]?\d{1,3}(?:\.\d{1,20})?)\s*,\s*([+-]?\d{1,3}(?:\.\d{1,20})?)\s*", re.ASCII
)
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
    name = fold(city.split(",", maxsplit=1)[0])
    # The first is the likeliest by any of its names: the others must have this very one.
    named = [place for place in found if fold(place.name) == name or place is found[0]]
    first, *others = sorted(named, key=lambda place: -(place.population or 0))
    rival = max((place.population or 0 for place in others), default=0)
    if not others or (first.population or 0) > CLEARLY * rival:
        return describe(first)
    raise AmbiguousPlaceError(city, [(label(place), _details(place)) for place in named])


async def search(client: OpenMeteo, city: str, *, language: str, count: int) -> list[FoundPlace]:
    """Find places by name; what stands after a comma must be in their region or country.

    Raises:
        InvalidPlaceError: The name is too short or too long to look for.
        UpstreamError: The geocoding API did not deliver.
    """
    if len(city) > MAX_LENGTH:
        raise InvalidPlaceError(
            f"{city[:32]!r}… is too long for a place: give the name of a city, at most "
            f"{MAX_LENGTH} characters"
        )
    name, *qualifiers = [part.strip() for part in city.split(",")]
    if len(name) < 2:
        raise InvalidPlaceError(f"{city!r} is too short for a place: give the name of a city")
    # Qualifiers are checked here, so more is asked for than is wanted.
    wanted = 100 if qualifiers else count
    found = await _ask(client, name, wanted, language)
    fitting = [place for place in found if _fits(place, qualifiers)]
    if found and not fitting and language != "en":  # qualifiers may be written in English
        english = await _ask(client, name, wanted, "en")
        fits = {_spot(place) for place in english if _fits(place, qualifiers)}
        fitting = [place for place in found if _spot(place) in fits]
    return fitting[:count]


async def _ask(client: OpenMeteo, name: str, count: int, language: str) -> list[FoundPlace]:
    answer = await client.get(
        "geocoding", {"name": name, "count": count, "language": language}, FoundPlaces
    )
    return answer.results


def suggestions(city: str) -> list[str]:
    """Well-known cities that are spelt alike."""
    folded = {fold(name): name for name in WELL_KNOWN}
    name = fold(city[:MAX_LENGTH].split(",", maxsplit=1)[0])
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
    match = COORDINATES.fullmatch(city)
    if match is None:
        return None
    latitude, longitude = float(match[1]), float(match[2])
    if abs(latitude) > 90 or abs(longitude) > 180:
        raise InvalidPlaceError(
            f"{city!r} is off the globe: latitude is -90 to 90, longitude -180 to 180"
        )
    return Place(city=f"{latitude:g},{longitude:g}", latitude=latitude, longitude=longitude)


def _fits(place: FoundPlace, qualifiers: list[str]) -> bool:
    return all(
        is_within(text, country=place.country, code=place.country_code, region=place.admin1)
        for text in qualifiers
        if text
    )


def _spot(place: FoundPlace) -> tuple[float, float]:
    return place.latitude, place.longitude
