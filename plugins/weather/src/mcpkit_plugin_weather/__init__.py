"""Weather for mcpkit: places, current conditions, forecasts and air quality from Open-Meteo."""

from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

from mcp_types import CompletionArgument, ToolAnnotations
from pydantic import Field

from mcpkit import Context, Plugin, ResourceError, ResourceNotFoundError, ToolError
from mcpkit.core.contributions import Health

from . import weather
from .client import OpenMeteo, open_client
from .errors import PlaceError, WeatherError
from .places import WELL_KNOWN, describe, find_place, search, suggestions
from .reports import AirQuality, Current, DailyForecast, HourlyForecast, Place, Places
from .settings import UnitSystem, WeatherSettings

__all__ = ["plugin"]

ResultT = TypeVar("ResultT")

REMEMBERED = 100
"""Cities that completion offers: those asked for last."""

City = Annotated[
    str,
    Field(
        description="City, if needed with region or country after commas, such as "
        "'Springfield, Illinois'; or 'latitude,longitude' in degrees"
    ),
]
UnitsChoice = Annotated[
    UnitSystem | None,
    Field(description="metric (°C, km/h, mm) or imperial (°F, mph, inch); the operator's default"),
]
Language = Annotated[
    str | None,
    Field(description="Language of place names, ISO 639 code such as en", pattern="^[a-z]{2,3}$"),
]

READ_ONLY = ToolAnnotations(read_only_hint=True, open_world_hint=True)


@dataclass
class State:
    """What lives as long as the server: the client, and the cities that were asked for."""

    client: OpenMeteo
    recent: OrderedDict[str, None] = field(default_factory=OrderedDict)

    def remember(self, city: str) -> None:
        """Keep a city for completion."""
        self.recent[city] = None
        self.recent.move_to_end(city, last=False)
        while len(self.recent) > REMEMBERED:
            self.recent.popitem()


WeatherContext = Context[WeatherSettings, State]

plugin = Plugin(
    settings=WeatherSettings,
    instructions="Weather by city name. When a name is ambiguous, the error lists places to "
    "choose from; pass one of them as city. Times are local to the place.",
)


@plugin.lifespan
@asynccontextmanager
async def lifespan(settings: WeatherSettings) -> AsyncIterator[State]:
    """One HTTP client for all calls; nothing is sent before the first."""
    async with open_client(settings) as client:
        yield State(client)


@plugin.tool(title="Find a place", annotations=READ_ONLY)
async def find_city(
    ctx: WeatherContext,
    name: Annotated[str, Field(description="Name, or its beginning; region after a comma")],
    count: Annotated[int, Field(description="Most places to return", ge=1, le=20)] = 5,
    language: Language = None,
) -> Places:
    """Find cities and other places by name, with coordinates, time zone and population."""
    found = await _told(
        search(ctx.state.client, name, language=language or ctx.settings.language, count=count)
    )
    if not found:
        near = suggestions(name)
        hint = f"Did you mean {' or '.join(map(repr, near))}?" if near else "Check the spelling"
        raise ToolError(f"No place called {name!r} was found. {hint}")
    return Places(places=[describe(place) for place in found])


@plugin.tool(title="Weather now", annotations=READ_ONLY)
async def current(
    ctx: WeatherContext, city: City, units: UnitsChoice = None, language: Language = None
) -> Current:
    """Tell the weather in a city now: temperature, wind, precipitation, clouds, pressure."""
    place = await _place(ctx, city, language)
    return await _told(weather.current(ctx.state.client, place, units or ctx.settings.units))


@plugin.tool(title="Weather forecast by day", annotations=READ_ONLY)
async def forecast(
    ctx: WeatherContext,
    city: City,
    days: Annotated[int, Field(description="Days, today included", ge=1, le=16)] = 7,
    units: UnitsChoice = None,
    language: Language = None,
) -> DailyForecast:
    """Forecast the weather in a city day by day, for up to 16 days."""
    place = await _place(ctx, city, language)
    return await _told(weather.daily(ctx.state.client, place, units or ctx.settings.units, days))


@plugin.tool(title="Weather forecast by hour", annotations=READ_ONLY)
async def hourly_forecast(
    ctx: WeatherContext,
    city: City,
    hours: Annotated[int, Field(description="Hours, the current one included", ge=1, le=168)] = 24,
    units: UnitsChoice = None,
    language: Language = None,
) -> HourlyForecast:
    """Forecast the weather in a city hour by hour, for up to a week."""
    place = await _place(ctx, city, language)
    return await _told(weather.hourly(ctx.state.client, place, units or ctx.settings.units, hours))


@plugin.tool(title="Air quality now", annotations=READ_ONLY)
async def air_quality(ctx: WeatherContext, city: City, language: Language = None) -> AirQuality:
    """Tell the air quality in a city now: European and US index, particles and gases."""
    place = await _place(ctx, city, language)
    return await _told(weather.air_quality(ctx.state.client, place))


@plugin.resource(
    "weather://{city}/current", title="Weather in a city now", mime_type="application/json"
)
async def current_resource(city: str, ctx: WeatherContext) -> Current:
    """The weather in a city now, as JSON, in the operator's units."""
    try:
        place = await find_place(ctx.state.client, city, language=ctx.settings.language)
        return await weather.current(ctx.state.client, place, ctx.settings.units)
    except PlaceError as exc:
        raise ResourceNotFoundError(str(exc)) from exc
    except WeatherError as exc:
        raise ResourceError(str(exc)) from exc


@plugin.prompt(title="Packing list for a journey")
def packing(
    city: Annotated[str, Field(description="Where the journey goes")],
    days: Annotated[str, Field(description="How many days it takes, such as 5")] = "5",
    purpose: Annotated[str, Field(description="What for, such as hiking or a conference")] = "",
) -> str:
    """Make a packing list for a journey from the forecast."""
    reason = f" for {purpose}" if purpose else ""
    return (
        f"I travel to {city} for {days} days{reason}. Get the daily forecast for that time and, "
        "if people with asthma travel, the air quality. Then write a packing list: clothes for "
        "the coldest and the warmest hour, rain and sun protection only if needed, and say which "
        "day asks for what. Name what the forecast does not cover."
    )


@plugin.completion()
def complete(
    ref: Any, argument: CompletionArgument, context: Any, ctx: WeatherContext
) -> list[str]:
    """Complete city names: those asked for lately first, then well-known ones."""
    if argument.name != "city":
        return []
    start = argument.value.casefold()
    names = dict.fromkeys([*ctx.state.recent, *WELL_KNOWN])
    return [name for name in names if name.casefold().startswith(start)]


@plugin.hookimpl
def mcpkit_health(state: State) -> Health:
    """Whether Open-Meteo answered lately; nothing is sent."""
    tally = state.client.tally
    data = {"requests": tally.requests, "failures_in_a_row": tally.failures}
    if tally.failures < 3:
        return Health(data=data)
    return Health(ready=False, message=f"Open-Meteo fails: {tally.last_error}", data=data)


async def _place(ctx: WeatherContext, city: str, language: str | None) -> Place:
    place = await _told(
        find_place(ctx.state.client, city, language=language or ctx.settings.language)
    )
    ctx.state.remember(place.city)
    return place


async def _told(work: Awaitable[ResultT]) -> ResultT:
    """Wait for work, and tell the model what went wrong in it."""
    try:
        return await work
    except WeatherError as exc:
        raise ToolError(str(exc)) from exc
