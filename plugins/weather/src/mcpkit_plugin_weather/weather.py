"""Weather of a place: asks the client and turns its lists into reports."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel

from .answers import (
    AirAnswer,
    AirValues,
    CurrentAnswer,
    CurrentValues,
    DailyAnswer,
    DailyValues,
    HourlyAnswer,
    HourlyValues,
    variables,
)
from .client import OpenMeteo
from .errors import NoDataError, NonsenseError
from .reports import (
    UNITS,
    AirQuality,
    Current,
    DailyForecast,
    Day,
    Hour,
    HourlyForecast,
    Place,
    condition,
)
from .settings import UnitSystem

UNIT_PARAMETERS: dict[UnitSystem, dict[str, str]] = {
    "metric": {},
    "imperial": {
        "temperature_unit": "fahrenheit",
        "wind_speed_unit": "mph",
        "precipitation_unit": "inch",
    },
}


async def current(client: OpenMeteo, place: Place, units: UnitSystem) -> Current:
    """Ask for the conditions now.

    Raises:
        UpstreamError: There is no answer, or no value in it.
    """
    answer = await client.get(
        "forecast",
        {**_at(place), **UNIT_PARAMETERS[units], "current": variables(CurrentValues)},
        CurrentAnswer,
    )
    now = answer.current
    if now.temperature_2m is None:
        raise NoDataError("forecast")
    return Current(
        place=_with_zone(place, answer.timezone),
        time=_local(now.time, answer.timezone),
        condition=condition(now.weather_code),
        is_day=None if now.is_day is None else bool(now.is_day),
        temperature=now.temperature_2m,
        feels_like=now.apparent_temperature,
        humidity=now.relative_humidity_2m,
        precipitation=now.precipitation,
        cloud_cover=now.cloud_cover,
        wind_speed=now.wind_speed_10m,
        wind_gusts=now.wind_gusts_10m,
        wind_direction=now.wind_direction_10m,
        pressure=now.pressure_msl,
        units=UNITS[units],
    )


async def hourly(client: OpenMeteo, place: Place, units: UnitSystem, hours: int) -> HourlyForecast:
    """Ask for a forecast hour by hour, from the current hour on.

    Raises:
        UpstreamError: There is no answer, or no value in it.
    """
    answer = await client.get(
        "forecast",
        {
            **_at(place),
            **UNIT_PARAMETERS[units],
            "hourly": variables(HourlyValues),
            "forecast_hours": hours,
        },
        HourlyAnswer,
    )
    found = [
        Hour(
            time=_local(row["time"], answer.timezone),
            condition=condition(row["weather_code"]),
            temperature=row["temperature_2m"],
            precipitation=row["precipitation"],
            precipitation_probability=row["precipitation_probability"],
            wind_speed=row["wind_speed_10m"],
        )
        for row in _rows(answer.hourly)
    ]
    if all(hour.temperature is None for hour in found):
        raise NoDataError("forecast")
    return HourlyForecast(place=_with_zone(place, answer.timezone), hours=found, units=UNITS[units])


async def daily(client: OpenMeteo, place: Place, units: UnitSystem, days: int) -> DailyForecast:
    """Ask for a forecast day by day, from today on.

    Raises:
        UpstreamError: There is no answer, or no value in it.
    """
    answer = await client.get(
        "forecast",
        {
            **_at(place),
            **UNIT_PARAMETERS[units],
            "daily": variables(DailyValues),
            "forecast_days": days,
        },
        DailyAnswer,
    )
    zone = answer.timezone
    found = [
        Day(
            date=row["time"],
            condition=condition(row["weather_code"]),
            temperature_min=row["temperature_2m_min"],
            temperature_max=row["temperature_2m_max"],
            precipitation=row["precipitation_sum"],
            precipitation_probability=row["precipitation_probability_max"],
            wind_speed_max=row["wind_speed_10m_max"],
            uv_index_max=row["uv_index_max"],
            sunrise=row["sunrise"] and _local(row["sunrise"], zone),
            sunset=row["sunset"] and _local(row["sunset"], zone),
        )
        for row in _rows(answer.daily)
    ]
    if all(day.temperature_max is None for day in found):
        raise NoDataError("forecast")
    return DailyForecast(place=_with_zone(place, zone), days=found, units=UNITS[units])


async def air_quality(client: OpenMeteo, place: Place) -> AirQuality:
    """Ask for air quality now.

    Raises:
        UpstreamError: There is no answer, or no value in it.
    """
    answer = await client.get(
        "air_quality", {**_at(place), "current": variables(AirValues)}, AirAnswer
    )
    air = answer.current
    if air.european_aqi is None and air.pm2_5 is None:
        raise NoDataError("air_quality")
    return AirQuality(
        place=_with_zone(place, answer.timezone),
        time=_local(air.time, answer.timezone),
        **air.model_dump(exclude={"time"}),
    )


def _rows(values: BaseModel) -> list[dict[str, Any]]:
    """Turn one list per variable into one mapping per moment.

    Raises:
        NonsenseError: The lists are not equally long.
    """
    columns = {name: getattr(values, name) for name in type(values).model_fields}
    if len({len(column) for column in columns.values()}) > 1:
        raise NonsenseError("forecast", "lists of different lengths")
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _at(place: Place) -> dict[str, str | float]:
    # Four decimals are eleven metres: finer would only miss the cache.
    return {
        "latitude": round(place.latitude, 4),
        "longitude": round(place.longitude, 4),
        "timezone": "auto",
    }


def _local(time: datetime, timezone: str) -> datetime:
    """A local time of Open-Meteo, which has no offset, with the offset of its zone."""
    try:
        return time.replace(tzinfo=ZoneInfo(timezone))
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a folder
        return time


def _with_zone(place: Place, timezone: str) -> Place:
    return place if place.timezone else place.model_copy(update={"timezone": timezone})
