"""When to try again, and after how long."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

import anyio

from .errors import UpstreamError

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Exponential back-off with full jitter, within a budget.

    Attributes:
        retries: How often to try again.
        backoff: Upper bound of the first wait, in seconds; it doubles with each retry.
        deadline: Seconds for all tries and waits together.
    """

    retries: int
    backoff: float
    deadline: float

    def wait(self, retry: int, retry_after: float | None) -> float:
        """Seconds to wait before a retry, which counts from 0.

        What the server asks for (`Retry-After`) is the least; jitter on top keeps clients apart
        (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
        """
        jitter = random.uniform(0, self.backoff * 2**retry)  # noqa: S311 - not for secrets
        return jitter if retry_after is None else retry_after + jitter

    async def run(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Run an idempotent attempt until it succeeds, fails for good, or the budget is spent.

        Raises:
            UpstreamError: The last one, when it is not passing, or no retry or time is left.
        """
        give_up = anyio.current_time() + self.deadline
        for retry in range(self.retries):
            try:
                return await attempt()
            except UpstreamError as exc:
                wait = self.wait(retry, exc.retry_after)
                if not exc.passing or anyio.current_time() + wait >= give_up:
                    raise
            await anyio.sleep(wait)
        return await attempt()


def parse_retry_after(
    header: str | None, now: Callable[[], datetime] | None = None
) -> float | None:
    """Seconds from a `Retry-After` header (RFC 9110, section 10.2.3), or None when it has none.

    It is a number of seconds or an HTTP date; a date in the past means 0.
    """
    if header is None:
        return None
    if header.strip().isdecimal():
        return float(header[:9])
    try:
        when = parsedate_to_datetime(header)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    moment = now() if now is not None else datetime.now(UTC)
    return max(0.0, (when - moment).total_seconds())
