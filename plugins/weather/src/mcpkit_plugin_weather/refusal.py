"""Answers with another status than 200, put into words.

Open-Meteo answers mistakes with 400 and `{"error": true, "reason": "…"}`
(https://open-meteo.com/en/docs, section Errors), and its limits with 429 and a reason that names
the period: "Minutely API request limit exceeded. Please try again in one minute."
"""

import httpx2
from pydantic import BaseModel, ValidationError

from mcpkit import Fetched

from .errors import (
    NonsenseError,
    RateLimitedError,
    RejectedError,
    ServerFailedError,
    UpstreamError,
)
from .settings import Service

PERIODS = {"minutely": "one minute", "hourly": "the next hour", "daily": "tomorrow (UTC)"}
MAX_REASON = 200


class _Refusal(BaseModel):
    reason: str


def refusal(service: Service, fetched: Fetched) -> UpstreamError:
    """Make the error that an answer stands for.

    Args:
        service: Who answered.
        fetched: The answer; its status is not 200.
    """
    status, reason = fetched.status, _reason(fetched.body)
    if status == httpx2.codes.TOO_MANY_REQUESTS:
        return RateLimitedError(service, _wait(reason, fetched.retry_after))
    if status >= httpx2.codes.INTERNAL_SERVER_ERROR:
        return ServerFailedError(service, status)
    if status >= httpx2.codes.BAD_REQUEST:
        return RejectedError(service, status, reason)
    return NonsenseError(service, f"unexpected HTTP status {status}")


def _wait(reason: str | None, retry_after: float | None) -> str:
    """Say until when nobody should ask again."""
    if retry_after is not None:
        return f"{max(1, round(retry_after))} seconds have passed"
    words = (reason or "").lower()
    period = next((text for word, text in PERIODS.items() if word in words), "one minute")
    return period if period == "tomorrow (UTC)" else f"{period} has passed"


def _reason(body: bytes) -> str | None:
    """Open-Meteo's own words on one line, cut to a bearable length."""
    try:
        words = " ".join(_Refusal.model_validate_json(body).reason.split())
    except ValidationError:
        return None
    return words if len(words) <= MAX_REASON else words[: MAX_REASON - 1] + "…"
