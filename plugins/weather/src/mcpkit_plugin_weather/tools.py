"""Tools: places, current conditions, forecasts and air quality."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from pydantic import Field

from mcpkit import ToolAnnotations, ToolError

from . import weather
from .errors import PlaceNotFoundError, WeatherError
from .places import MAX_LENGTH, describe, find_place, search, suggestions
from .plugin import WeatherContext, plugin, within_deadline
from .reports import AirQuality, Current, DailyForecast, HourlyForecast, Place, Places
from .settings import UnitSystem

City = Annotated[
    str,
    Field(
        description="City, if needed with region or country after commas, such as "
        "'Springfield, Illinois' or 'Birmingham, UK'; or 'latitude,longitude' in degrees",
        max_length=MAX_LENGTH,
    ),
]
UnitsChoice = Annotated[
    UnitSystem | None,
    Field(description="metric (°C, km/h, mm) or imperial (°F, mph, inch); the operator's default"),
]
Language = Annotated[
    str | None,
    Field(
        description="Language of place names in the answer, ISO 639 code such as en or de; "
        "the operator's default when left out",
        pattern="^[a-z]{2,3}$",
    ),
]

READ_ONLY = ToolAnnotations(read_only_hint=True, open_world_hint=True)


@plugin.tool(title="Find a place", annotations=READ_ONLY)
async def find_city(
    ctx: WeatherContext,
    name: Annotated[
        str,
        Field(
            description="Name, or its beginning; region or country after commas",
            max_length=MAX_LENGTH,
        ),
    ],
    count: Annotated[int, Field(description="Most places to return", ge=1, le=20)] = 5,
    language: Language = None,
) -> Places:
    """Find cities and other places by name, with coordinates, time zone and population."""
    with told(ctx):
        found = await search(
            ctx.state.client, name, language=language or ctx.settings.language, count=count
        )
        if not found:
            raise PlaceNotFoundError(name, suggestions(name))
    return Places(places=[describe(place) for place in found])


@plugin.tool(title="Weather now", annotations=READ_ONLY)
async def current(
    ctx: WeatherContext, city: City, units: UnitsChoice = None, language: Language = None
) -> Current:
    """Tell the weather in a city now: temperature, wind, precipitation, clouds, pressure."""
    with told(ctx):
        place = await _place(ctx, city, language)
        return await weather.current(ctx.state.client, place, units or ctx.settings.units)


@plugin.tool(title="Weather forecast by day", annotations=READ_ONLY)
async def forecast(
    ctx: WeatherContext,
    city: City,
    days: Annotated[int, Field(description="Days, today included", ge=1, le=16)] = 7,
    units: UnitsChoice = None,
    language: Language = None,
) -> DailyForecast:
    """Forecast the weather in a city day by day, for up to 16 days."""
    with told(ctx):
        place = await _place(ctx, city, language)
        return await weather.daily(ctx.state.client, place, units or ctx.settings.units, days)


@plugin.tool(title="Weather forecast by hour", annotations=READ_ONLY)
async def hourly_forecast(
    ctx: WeatherContext,
    city: City,
    hours: Annotated[int, Field(description="Hours, the current one included", ge=1, le=168)] = 24,
    units: UnitsChoice = None,
    language: Language = None,
) -> HourlyForecast:
    """Forecast the weather in a city hour by hour, for up to a week."""
    with told(ctx):
        place = await _place(ctx, city, language)
        return await weather.hourly(ctx.state.client, place, units or ctx.settings.units, hours)


@plugin.tool(title="Air quality now", annotations=READ_ONLY)
async def air_quality(ctx: WeatherContext, city: City, language: Language = None) -> AirQuality:
    """Tell the air quality in a city now: European and US index, particles and gases."""
    with told(ctx):
        place = await _place(ctx, city, language)
        return await weather.air_quality(ctx.state.client, place)


@contextmanager
def told(ctx: WeatherContext) -> Iterator[None]:
    """Limit the time of a call, and tell the model what went wrong in it."""
    try:
        with within_deadline(ctx):
            yield
    except WeatherError as exc:
        raise ToolError(str(exc)) from exc


async def _place(ctx: WeatherContext, city: str, language: str | None) -> Place:
    place = await find_place(ctx.state.client, city, language=language or ctx.settings.language)
    ctx.state.remember(place.city)
    return place
