"""Reports: what the tools return. Every field says its unit; the fields are the output schema."""

from datetime import date as Date  # noqa: N812  # a field is called date
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from .settings import UnitSystem

Temperature = Annotated[float | None, Field(description="In the unit `units.temperature`")]
Speed = Annotated[float | None, Field(description="In the unit `units.wind_speed`")]
Amount = Annotated[float | None, Field(description="In the unit `units.precipitation`")]
Percent = Annotated[float | None, Field(description="In %, 0 to 100")]
Concentration = Annotated[float | None, Field(description="In µg/m³")]
Condition = Annotated[str | None, Field(description="The weather in words (WMO code table 4677)")]


class Units(BaseModel):
    """Units of the values beside it."""

    temperature: str = Field(description="°C or °F")
    wind_speed: str = Field(description="km/h or mph")
    precipitation: str = Field(description="mm or inch")


UNITS: dict[UnitSystem, Units] = {
    "metric": Units(temperature="°C", wind_speed="km/h", precipitation="mm"),
    "imperial": Units(temperature="°F", wind_speed="mph", precipitation="inch"),
}


class Place(BaseModel):
    """A place on the map."""

    city: str = Field(description="Name, region and country: unambiguous, to be used in calls")
    latitude: float = Field(description="Degrees north, -90 to 90")
    longitude: float = Field(description="Degrees east, -180 to 180")
    timezone: str | None = Field(None, description="IANA time zone")
    population: int | None = Field(None, description="Inhabitants")


class Places(BaseModel):
    """Places found for a name, the most likely first."""

    places: list[Place] = Field(description="The most likely first; empty when nothing was found")


class Current(BaseModel):
    """Conditions now."""

    place: Place = Field(description="The place that was understood")
    time: datetime = Field(description="Local time of the measurement, with UTC offset")
    condition: Condition
    is_day: bool | None = Field(description="Whether the sun is up")
    temperature: Temperature
    feels_like: Temperature
    humidity: Percent
    precipitation: Annotated[
        float | None, Field(description="Of the last 15 minutes, in the unit `units.precipitation`")
    ]
    cloud_cover: Percent
    wind_speed: Speed
    wind_gusts: Speed
    wind_direction: float | None = Field(description="Where the wind comes from, in degrees")
    pressure: float | None = Field(description="At sea level, in hPa")
    units: Units = Field(description="Units of the values above")


class Hour(BaseModel):
    """One hour of a forecast."""

    time: datetime = Field(description="Local time at which the hour begins, with UTC offset")
    condition: Condition
    temperature: Temperature
    precipitation: Amount
    precipitation_probability: Percent
    wind_speed: Speed


class Day(BaseModel):
    """One day of a forecast."""

    date: Date = Field(description="Local calendar day")
    condition: Condition
    temperature_min: Temperature
    temperature_max: Temperature
    precipitation: Amount
    precipitation_probability: Percent
    wind_speed_max: Speed
    uv_index_max: float | None = Field(description="Ultraviolet index of the WHO, 0 to 11 and more")
    sunrise: datetime | None = Field(description="Local time, with UTC offset")
    sunset: datetime | None = Field(description="Local time, with UTC offset")


class HourlyForecast(BaseModel):
    """A forecast hour by hour."""

    place: Place = Field(description="The place that was understood")
    hours: list[Hour] = Field(description="From the current hour on")
    units: Units = Field(description="Units of the values above")


class DailyForecast(BaseModel):
    """A forecast day by day."""

    place: Place = Field(description="The place that was understood")
    days: list[Day] = Field(description="From today on")
    units: Units = Field(description="Units of the values above")


class AirQuality(BaseModel):
    """Air quality now."""

    place: Place = Field(description="The place that was understood")
    time: datetime = Field(description="Local time of the estimate, with UTC offset")
    european_aqi: float | None = Field(
        description="European air quality index: to 20 good, to 40 fair, to 60 moderate, to 80 "
        "poor, to 100 very poor, above extremely poor"
    )
    us_aqi: float | None = Field(description="Air quality index of the US EPA, 0 to 500")
    pm2_5: Concentration
    pm10: Concentration
    nitrogen_dioxide: Concentration
    ozone: Concentration
    sulphur_dioxide: Concentration
    carbon_monoxide: Concentration


CONDITIONS = {
    0: "clear sky",
    1: "mainly clear",
    2: "partly cloudy",
    3: "overcast",
    45: "fog",
    48: "fog with rime",
    51: "light drizzle",
    53: "drizzle",
    55: "dense drizzle",
    56: "light freezing drizzle",
    57: "freezing drizzle",
    61: "light rain",
    63: "rain",
    65: "heavy rain",
    66: "light freezing rain",
    67: "heavy freezing rain",
    71: "light snow",
    73: "snow",
    75: "heavy snow",
    77: "snow grains",
    80: "light rain showers",
    81: "rain showers",
    82: "violent rain showers",
    85: "light snow showers",
    86: "heavy snow showers",
    95: "thunderstorm",
    96: "thunderstorm with light hail",
    99: "thunderstorm with heavy hail",
}
"""Weather codes that Open-Meteo uses, in words."""


def condition(code: int | None) -> str | None:
    """A weather code in words; a code without words is shown as it is."""
    return None if code is None else CONDITIONS.get(code, f"weather code {code}")
