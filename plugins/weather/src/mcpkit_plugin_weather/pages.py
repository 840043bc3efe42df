"""Resource, prompt and completion."""

from typing import Annotated, Any

from pydantic import Field

from mcpkit import CompletionArgument, ResourceError, ResourceNotFoundError

from . import weather
from .errors import PlaceError, WeatherError
from .places import MAX_LENGTH, WELL_KNOWN, find_place
from .plugin import WeatherContext, plugin, within_deadline
from .regions import fold
from .reports import Current


@plugin.resource(
    "weather://{city}/current", title="Weather in a city now", mime_type="application/json"
)
async def current_resource(city: str, ctx: WeatherContext) -> Current:
    """The weather in a city now, as JSON, in the operator's units."""
    try:
        with within_deadline(ctx):
            place = await find_place(ctx.state.client, city, language=ctx.settings.language)
            return await weather.current(ctx.state.client, place, ctx.settings.units)
    except PlaceError as exc:
        raise ResourceNotFoundError(str(exc)) from exc
    except WeatherError as exc:
        raise ResourceError(str(exc)) from exc


@plugin.prompt(title="Packing list for a journey")
def packing(
    city: Annotated[str, Field(description="Where the journey goes", max_length=MAX_LENGTH)],
    days: Annotated[
        str, Field(description="How many days it takes, such as 5", max_length=20)
    ] = "5",
    purpose: Annotated[
        str, Field(description="What for, such as hiking or a conference", max_length=200)
    ] = "",
) -> str:
    """Make a packing list for a journey from the forecast."""
    reason = f" for {purpose}" if purpose else ""
    return (
        f"I travel to {city} for {days} days{reason}. Get the daily forecast for that time and, "
        "if people with asthma travel, the air quality. Then write a packing list: clothes for "
        "the coldest and the warmest hour, rain and sun protection only if needed, and say which "
        "day asks for what. Name what the forecast does not cover."
    )


@plugin.completion
def complete(
    ref: Any, argument: CompletionArgument, context: Any, ctx: WeatherContext
) -> list[str]:
    """Complete city names: those asked for lately first, then well-known ones."""
    if argument.name != "city" or len(argument.value) > MAX_LENGTH:
        return []
    start = fold(argument.value)
    names = dict.fromkeys([*ctx.state.recent, *WELL_KNOWN])
    return [name for name in names if fold(name).startswith(start)]
