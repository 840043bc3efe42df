"""Errors, in words that a model can act on.

    WeatherError
    ├── DeadlineError           the whole call took too long
    ├── PlaceError              the caller can fix it
    │   ├── PlaceNotFoundError
    │   ├── AmbiguousPlaceError
    │   └── InvalidPlaceError
    └── UpstreamError           Open-Meteo did not deliver
        ├── UnreachableError    no connection, or it broke
        ├── TimedOutError
        ├── RateLimitedError    429
        ├── ServerFailedError   5xx
        ├── RejectedError       4xx, with Open-Meteo's reason
        ├── NonsenseError       HTML, wrong shapes, a huge body, a redirect
        └── NoDataError         an answer without a single value

`str(error)` is the message for the model. It never holds a URL, a key or a class name.
"""

from collections.abc import Sequence

from .settings import Service

SERVICE_NAMES: dict[Service, str] = {
    "forecast": "forecast",
    "geocoding": "place search",
    "air_quality": "air quality",
}


class WeatherError(Exception):
    """Something the model is told; `str(error)` says what to try instead."""


class DeadlineError(WeatherError):
    """A call, with its searches and retries, took longer than the setting `deadline`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"Open-Meteo did not answer within {seconds:g} seconds. Try again in a minute; "
            "if it persists, tell the user that weather data is unavailable"
        )


class PlaceError(WeatherError):
    """The place the caller named cannot be used as it is."""


class PlaceNotFoundError(PlaceError):
    """No place of that name.

    Attributes:
        query: What was looked for.
        suggestions: Labels of places with similar names, perhaps none.
    """

    def __init__(self, query: str, suggestions: Sequence[str] = ()) -> None:
        self.query = query
        self.suggestions = tuple(suggestions)
        if self.suggestions:
            hint = "Did you mean " + " or ".join(repr(label) for label in self.suggestions) + "?"
        else:
            hint = (
                "Check the spelling, try its English or local name or a larger town nearby, "
                "or pass coordinates as 'latitude,longitude'"
            )
        super().__init__(f"No place called {query!r} was found. {hint}")


class AmbiguousPlaceError(PlaceError):
    """Several places could be meant.

    Attributes:
        query: What was looked for.
        candidates: Pairs of what to pass as city and what tells the place from the others.
    """

    def __init__(self, query: str, candidates: Sequence[tuple[str, str]]) -> None:
        self.query = query
        self.candidates = tuple(candidates)
        lines = [f"- {city!r} ({details})" for city, details in self.candidates]
        super().__init__(
            f"{query!r} could be any of several places. If the conversation does not tell which, "
            "ask the user; then call again with one of these as city, or with "
            "'latitude,longitude':\n" + "\n".join(lines)
        )


class InvalidPlaceError(PlaceError):
    """Text that cannot be a place: empty, too short, or coordinates off the globe."""


class UpstreamError(WeatherError):
    """Open-Meteo did not deliver.

    Attributes:
        service: Which of its services.
    """

    def __init__(self, service: Service, message: str) -> None:
        self.service: Service = service
        super().__init__(message.replace("{service}", f"Open-Meteo's {SERVICE_NAMES[service]}"))


class UnreachableError(UpstreamError):
    """No connection could be made, or it broke."""

    def __init__(self, service: Service) -> None:
        super().__init__(
            service,
            "{service} service cannot be reached right now. Try again in a minute; "
            "if it persists, tell the user that weather data is unavailable",
        )


class TimedOutError(UpstreamError):
    """No answer within the time allowed."""

    def __init__(self, service: Service) -> None:
        super().__init__(
            service,
            "{service} service did not answer in time. Try again in a minute; "
            "if it persists, tell the user that weather data is unavailable",
        )


class RateLimitedError(UpstreamError):
    """Too many requests (429)."""

    def __init__(self, service: Service, wait: str) -> None:
        super().__init__(
            service,
            "{service} service is rate limited: too many requests came from this server. "
            f"Do not call again before {wait}; use what you already have",
        )


class ServerFailedError(UpstreamError):
    """Open-Meteo failed on its side (5xx).

    Attributes:
        status: HTTP status code.
    """

    def __init__(self, service: Service, status: int) -> None:
        self.status = status
        super().__init__(
            service,
            f"{{service}} service has a problem on its side (HTTP {status}). Try again in a few "
            "minutes; if it persists, tell the user that weather data is unavailable",
        )


class RejectedError(UpstreamError):
    """Open-Meteo refused the request (4xx).

    Attributes:
        status: HTTP status code.
        reason: Open-Meteo's own words, perhaps none.
    """

    def __init__(self, service: Service, status: int, reason: str | None) -> None:
        self.status = status
        self.reason = reason
        if status in {401, 403}:
            advice = "The operator has to check the weather plugin's api_key and URLs"
        else:
            advice = "Try another place or fewer days"
        said = f": {reason.rstrip('.')}" if reason else f" (HTTP {status})"
        super().__init__(service, f"{{service}} service refused the request{said}. {advice}")


class NonsenseError(UpstreamError):
    """An answer that is not what Open-Meteo documents.

    Attributes:
        detail: What was wrong with it, for the operator's log.
    """

    def __init__(self, service: Service, detail: str) -> None:
        self.detail = detail
        super().__init__(
            service,
            "{service} service gave an answer that cannot be understood. Try again in a few "
            "minutes; if it persists, tell the user that weather data is unavailable",
        )


class NoDataError(UpstreamError):
    """An answer in the right shape without a single value."""

    def __init__(self, service: Service) -> None:
        super().__init__(
            service,
            "{service} service has no data for that place and time. "
            "Try a place nearby or a shorter forecast",
        )
