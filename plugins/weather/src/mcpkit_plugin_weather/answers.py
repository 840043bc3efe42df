"""Answers of Open-Meteo, checked: the parts of its documented shapes that are used.

https://open-meteo.com/en/docs, /geocoding-api and /air-quality-api. Unknown keys are ignored: the
API grows. Texts and lists have limits, because answers are kept in memory and shown to models.
"""

from datetime import date, datetime
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Text = Annotated[str, Field(max_length=200)]
ZoneName = Annotated[str, Field(max_length=64)]

T = TypeVar("T")
Hours = Annotated[list[T], Field(max_length=168)]
Days = Annotated[list[T], Field(max_length=16)]


class Answer(BaseModel):
    """Any part of an answer; numbers are finite, as JSON wants them."""

    model_config = ConfigDict(allow_inf_nan=False, frozen=True)


class FoundPlace(Answer):
    """One result of the geocoding API."""

    name: Text
    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(ge=-180, le=180)
    timezone: ZoneName | None = None
    country: Text | None = None
    country_code: Text | None = None
    admin1: Text | None = None
    population: int | None = Field(None, ge=0)


class FoundPlaces(Answer):
    """The geocoding API leaves `results` out when it finds nothing."""

    results: Annotated[list[FoundPlace], Field(max_length=100)] = []


class Located(Answer):
    """Point that an answer is about."""

    latitude: float
    longitude: float
    timezone: ZoneName


class CurrentValues(Answer):
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


class HourlyValues(Answer):
    """`hourly`: one list per variable, all as long as `time`."""

    time: Hours[datetime]
    temperature_2m: Hours[float | None]
    precipitation_probability: Hours[float | None]
    precipitation: Hours[float | None]
    wind_speed_10m: Hours[float | None]
    weather_code: Hours[int | None]


class HourlyAnswer(Located):
    """Answer to a question for an hourly forecast."""

    hourly: HourlyValues


class DailyValues(Answer):
    """`daily`: one list per variable, all as long as `time`."""

    time: Days[date]
    temperature_2m_min: Days[float | None]
    temperature_2m_max: Days[float | None]
    precipitation_sum: Days[float | None]
    precipitation_probability_max: Days[float | None]
    wind_speed_10m_max: Days[float | None]
    uv_index_max: Days[float | None]
    sunrise: Days[datetime | None]
    sunset: Days[datetime | None]
    weather_code: Days[int | None]


class DailyAnswer(Located):
    """Answer to a question for a daily forecast."""

    daily: DailyValues


class AirValues(Answer):
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
