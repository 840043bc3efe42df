"""The one HTTP client: asks Open-Meteo and returns checked answers, or an `UpstreamError`.

In: a service, a path, query parameters and the pydantic model of the answer. Out: that model,
perhaps from memory.
"""

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import TypeVar, cast

import httpx2
from async_lru import alru_cache
from pydantic import ValidationError

from mcpkit import FetchError, FetchLimits, fetch

from .answers import Answer
from .errors import (
    NonsenseError,
    TimedOutError,
    UnreachableError,
    UpstreamError,
    WeatherError,
)
from .refusal import refusal
from .settings import Service, WeatherSettings

logger = logging.getLogger(__name__)

ShapeT = TypeVar("ShapeT", bound=Answer)
Parameters = Mapping[str, str | int | float]
Query = tuple[tuple[str, str | int | float], ...]

PASSING = frozenset({500, 502, 503, 504})
"""HTTP statuses after which a request is sent again; not 429, which tells of a quota used up."""

PATHS: dict[Service, str] = {
    "forecast": "/v1/forecast",
    "geocoding": "/v1/search",
    "air_quality": "/v1/air-quality",
}


class _HideKey(logging.Filter):
    """Keeps the customer key out of the request lines that httpx2 logs at INFO."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                arg.copy_set_param("apikey", "…")
                if isinstance(arg, httpx2.URL) and "apikey" in arg.params
                else arg
                for arg in record.args
            )
        return True


@dataclass(slots=True)
class Tally:
    """Counts of what the client has seen of Open-Meteo since it was opened.

    Attributes:
        requests: Requests sent, retries not counted.
        failures: Requests in a row that failed for good; 0 after a success.
        last_error: Message of the last of them.
    """

    requests: int = 0
    failures: int = 0
    last_error: str = ""

    def fail(self, error: WeatherError) -> None:
        """Count a request that failed for good."""
        self.failures += 1
        self.last_error = str(error)


class OpenMeteo:
    """Asks Open-Meteo's services. Opening it sends nothing: see `open_client`.

    Equal requests share one answer, also while it is under way: it is cancelled when nobody waits
    for it any more. Failures are not kept.

    Attributes:
        settings: The plugin's settings.
        tally: Counts for the health check.
    """

    def __init__(self, settings: WeatherSettings, http: httpx2.AsyncClient) -> None:
        self.settings = settings
        self.tally = Tally()
        self._http = http
        self._limits = FetchLimits(
            seconds=settings.deadline,
            max_bytes=settings.max_response_bytes,
            retries=settings.retries,
            retry_statuses=PASSING,
        )
        size = settings.cache_size
        self._places = alru_cache(maxsize=size, ttl=settings.place_cache_ttl)(self._ask)
        self._weather = alru_cache(maxsize=size, ttl=settings.cache_ttl)(self._ask)

    async def get(self, service: Service, parameters: Parameters, shape: type[ShapeT]) -> ShapeT:
        """Ask a service, once per `cache_ttl` for equal parameters.

        Args:
            service: Which service.
            parameters: Query parameters, without the key.
            shape: Model of the answer; only what fits it is kept.

        Raises:
            UpstreamError: There is no answer that fits.
        """
        kept = self._places if service == "geocoding" else self._weather
        return cast(ShapeT, await kept(service, tuple(sorted(parameters.items())), shape))

    async def aclose(self) -> None:
        """End the requests that are under way."""
        await self._places.cache_close()
        await self._weather.cache_close()

    async def _ask(self, service: Service, query: Query, shape: type[Answer]) -> Answer:
        """Send a request, and check the answer to it."""
        try:
            answer = await self._answer(service, query, shape)
        except UpstreamError as exc:
            logger.warning("%s: %s", service, getattr(exc, "detail", exc))
            self.tally.fail(exc)
            raise
        self.tally.failures = 0
        return answer

    async def _answer(self, service: Service, query: Query, shape: type[Answer]) -> Answer:
        self.tally.requests += 1
        try:
            fetched = await fetch(self._http, self._request(service, query), self._limits)
        except FetchError as exc:
            raise _unanswered(service, exc) from exc
        if fetched.status != httpx2.codes.OK:
            raise refusal(service, fetched)
        try:
            return shape.model_validate_json(fetched.body)
        except ValidationError as exc:
            detail = f"{exc.error_count()} errors, first: {exc.errors(include_input=False)[0]}"
            raise NonsenseError(service, f"not a {shape.__name__}: {detail}") from exc

    def _request(self, service: Service, query: Query) -> httpx2.Request:
        parameters = dict(query)
        if self.settings.api_key is not None:
            parameters["apikey"] = self.settings.api_key.get_secret_value()
        url = self.settings.base_url(service) + PATHS[service]
        return self._http.build_request("GET", url, params=parameters)


def _unanswered(service: Service, error: FetchError) -> UpstreamError:
    match error.reason:
        case "timeout":
            return TimedOutError(service)
        case "connection":
            return UnreachableError(service)
    return NonsenseError(service, str(error))


@asynccontextmanager
async def open_client(settings: WeatherSettings) -> AsyncIterator[OpenMeteo]:
    """Open the client; no request is made before the first call."""
    hide_key = _HideKey()
    http_logger = logging.getLogger("httpx2")
    http_logger.addFilter(hide_key)
    try:
        async with httpx2.AsyncClient(
            timeout=settings.timeout,
            limits=httpx2.Limits(max_connections=settings.max_connections, keepalive_expiry=30.0),
            headers={
                "Accept": "application/json",
                "User-Agent": f"mcpkit-plugin-weather/{version('mcpkit-plugin-weather')}",
            },
        ) as http:
            client = OpenMeteo(settings, http)
            try:
                yield client
            finally:
                await client.aclose()
    finally:
        http_logger.removeFilter(hide_key)
