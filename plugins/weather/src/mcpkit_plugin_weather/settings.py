"""Settings of the plugin: the section `[plugins.weather]`."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, HttpUrl, SecretStr, TypeAdapter

from mcpkit import PluginSettings

UnitSystem = Literal["metric", "imperial"]
Service = Literal["forecast", "geocoding", "air_quality"]

FREE_HOSTS: dict[Service, str] = {
    "forecast": "https://api.open-meteo.com",
    "geocoding": "https://geocoding-api.open-meteo.com",
    "air_quality": "https://air-quality-api.open-meteo.com",
}

_http_url = TypeAdapter(HttpUrl)


def _check_base_url(url: str) -> str:
    """Return the URL without its last slash, so that paths can be appended."""
    checked = _http_url.validate_python(url)
    if checked.query or checked.fragment:
        raise ValueError("a base URL has no query and no fragment")
    return url.rstrip("/")


BaseUrl = Annotated[str, AfterValidator(_check_base_url)]


class WeatherSettings(PluginSettings):
    """Settings of the weather plugin. All have defaults that work without a key."""

    units: UnitSystem = Field(
        "metric", description="Units when a call names none: metric (°C, km/h, mm) or imperial."
    )
    language: str = Field(
        "en",
        pattern=r"^[a-z]{2,3}$",
        description="Language of place names, as a lower-case ISO 639 code such as en or de.",
    )
    api_key: SecretStr | None = Field(
        None,
        min_length=1,
        description="Open-Meteo customer key; needed for commercial use only. Never logged.",
    )
    forecast_url: BaseUrl = Field(
        FREE_HOSTS["forecast"], description="Base URL of the forecast API, without /v1/forecast."
    )
    geocoding_url: BaseUrl = Field(
        FREE_HOSTS["geocoding"], description="Base URL of the geocoding API, without /v1/search."
    )
    air_quality_url: BaseUrl = Field(
        FREE_HOSTS["air_quality"],
        description="Base URL of the air quality API, without /v1/air-quality.",
    )
    timeout: float = Field(
        6.0,
        gt=0,
        le=60,
        description="Longest silence of Open-Meteo, in seconds, before a request is given up or "
        "sent again.",
    )
    deadline: float = Field(
        13.0,
        gt=0,
        le=300,
        description="Longest time for one call, in seconds: the search of the place, the weather, "
        "and all retries.",
    )
    retries: int = Field(
        2, ge=0, le=10, description="How often a request that failed in passing is tried again."
    )
    max_connections: int = Field(
        4,
        ge=1,
        le=100,
        description="Requests under way at once; the free API queues at most six per address.",
    )
    max_response_bytes: int = Field(
        2_000_000, ge=1_000, description="Largest answer that is read, in bytes."
    )
    cache_ttl: float = Field(
        600.0, ge=0, description="How long weather is kept in memory, in seconds; 0 keeps none."
    )
    place_cache_ttl: float = Field(
        86_400.0, ge=0, description="How long places are kept in memory, in seconds; 0 keeps none."
    )
    cache_size: int = Field(
        256,
        ge=0,
        description="How many answers are kept in memory, of weather and of places each; "
        "the one not used for longest goes first.",
    )

    def base_url(self, service: Service) -> str:
        """The base URL of a service.

        A customer key works on the hosts with the prefix `customer-` only
        (https://open-meteo.com/en/docs, parameter `apikey`), so the free hosts become those.
        """
        urls: dict[Service, str] = {
            "forecast": self.forecast_url,
            "geocoding": self.geocoding_url,
            "air_quality": self.air_quality_url,
        }
        url = urls[service]
        if self.api_key is not None and url == FREE_HOSTS[service]:
            return url.replace("https://", "https://customer-", 1)
        return url
