"""Answers of Open-Meteo, checked: the parts of its documented shapes that are used.

https://open-meteo.com/en/docs, /geocoding-api and /air-quality-api. Unknown keys are ignored: the
API grows.
"""

from datetime import date, datetime

from pydantic import BaseModel, Field


class FoundPlace(BaseModel):
    """One result of the geocoding API."""

    name: str
    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(ge=-180, le=180)
    timezone: str | None = None
    country: str | None = None
    country_code: str | None = None
    admin1: str | None = None
    population: int | None = None


class FoundPlaces(BaseModel):
    """The geocoding API leaves `results` out when it finds nothing."""

    results: list[FoundPlace] = []


class Located(BaseModel):
    """What every answer about a point tells of the point."""

    latitude: float
    longitude: float
    timezone: str


class CurrentValues(BaseModel):
    """`current` of the forecast API; a value that a model does not have is null."""

    time: datetime
    temperature_2m: float | None = None
    apparent_temperature: float | None = None
    relative_humidity_2m: float | None = None
    precipitation: float | None = None
    cloud_cover: float | None = None
    wind_speed_10m: float | None = None
    wind_gusts_10m: float | None = None
    wind_direction_10m: float | None = None
    pressure_msl: float | None = None
    weather_code: int | None = None
    is_day: int | None = None


class CurrentAnswer(Located):
    """Answer to a question for current conditions."""

    current: CurrentValues


class HourlyValues(BaseModel):
    """`hourly`: one list per variable, all as long as `time`."""

    time: list[datetime]
    temperature_2m: list[float | None]
    precipitation_probability: list[float | None]
    precipitation: list[float | None]
    wind_speed_10m: list[float | None]
    weather_code: list[int | None]


class HourlyAnswer(Located):
    """Answer to a question for an hourly forecast."""

    hourly: HourlyValues


class DailyValues(BaseModel):
    """`daily`: one list per variable, all as long as `time`."""

    time: list[date]
    temperature_2m_min: list[float | None]
    temperature_2m_max: list[float | None]
    precipitation_sum: list[float | None]
    precipitation_probability_max: list[float | None]
    wind_speed_10m_max: list[float | None]
    uv_index_max: list[float | None]
    sunrise: list[datetime | None]
    sunset: list[datetime | None]
    weather_code: list[int | None]


class DailyAnswer(Located):
    """Answer to a question for a daily forecast."""

    daily: DailyValues


class AirValues(BaseModel):
    """`current` of the air quality API."""

    time: datetime
    european_aqi: float | None = None
    us_aqi: float | None = None
    pm10: float | None = None
    pm2_5: float | None = None
    nitrogen_dioxide: float | None = None
    ozone: float | None = None
    sulphur_dioxide: float | None = None
    carbon_monoxide: float | None = None


class AirAnswer(Located):
    """Answer to a question for air quality."""

    current: AirValues


def variables(model: type[BaseModel]) -> str:
    """The variables to ask for, as the API wants them: every field but the time."""
    return ",".join(name for name in model.model_fields if name != "time")
