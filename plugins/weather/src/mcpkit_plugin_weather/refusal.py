"""An answer with another status than 200, put into words.

Open-Meteo answers mistakes with 400 and `{"error": true, "reason": "…"}`
(https://open-meteo.com/en/docs, section Errors), and its limits with 429 and a reason that names
the period: "Minutely API request limit exceeded. Please try again in one minute."
"""

import httpx2
from pydantic import BaseModel, ValidationError

from .errors import (
    NonsenseError,
    RateLimitedError,
    RejectedError,
    ServerFailedError,
    UpstreamError,
)
from .retry import parse_retry_after
from .settings import Service

PERIODS = {"minutely": "one minute", "hourly": "the next hour", "daily": "tomorrow (UTC)"}
MAX_REASON = 200


class _Refusal(BaseModel):
    reason: str


def refusal(service: Service, response: httpx2.Response, body: bytes) -> UpstreamError:
    """The error an answer stands for.

    Args:
        service: Who answered.
        response: Its status and headers; the status is not 200.
        body: Its body.
    """
    status = response.status_code
    retry_after = parse_retry_after(response.headers.get("Retry-After"))
    reason = _reason(body)
    if status == httpx2.codes.TOO_MANY_REQUESTS:
        return _rate_limited(service, reason, retry_after)
    if status >= httpx2.codes.INTERNAL_SERVER_ERROR:
        return ServerFailedError(service, status, retry_after)
    if status >= httpx2.codes.BAD_REQUEST:
        return RejectedError(service, status, reason)
    return NonsenseError(service, f"unexpected HTTP status {status}")


def _rate_limited(
    service: Service, reason: str | None, retry_after: float | None
) -> RateLimitedError:
    """A used-up quota is not tried again before its time; a full queue is."""
    words = (reason or "").lower()
    period = next((text for word, text in PERIODS.items() if word in words), None)
    if retry_after is not None:
        wait = f"{max(1, round(retry_after))} seconds have passed"
    else:
        wait = f"{period or 'one minute'}{'' if period == 'tomorrow (UTC)' else ' has passed'}"
    return RateLimitedError(
        service,
        retry_after=retry_after,
        wait=wait,
        passing=retry_after is not None or period is None,
    )


def _reason(body: bytes) -> str | None:
    """Open-Meteo's own words on one line, cut to a bearable length."""
    try:
        words = " ".join(_Refusal.model_validate_json(body).reason.split())
    except ValidationError:
        return None
    return words if len(words) <= MAX_REASON else words[: MAX_REASON - 1] + "…"
