"""Retries: an operation is tried again when it failed in passing, within limits.

The loop, the back-off and its jitter are tenacity's; what passes is the caller's word.
"""

from __future__ import annotations

from collections.abc import Callable

import anyio
from tenacity import (
    AsyncRetrying,
    Future,
    RetryCallState,
    stop_after_attempt,
    stop_any,
    stop_before_delay,
    wait_random_exponential,
)

BACKOFF = 0.3
"""Upper bound of the wait before the first retry, in seconds; it doubles with each retry."""

Passing = Callable[[Future], float | None]
"""Seconds to wait at least until the next attempt; None if an outcome is final."""


def retrying(retries: int, seconds: float, passing: Passing) -> AsyncRetrying:
    """Make what runs an async function until its outcome is final; the last outcome counts.

    Args:
        retries: Most attempts after the first.
        seconds: Longest time in which attempts begin.
        passing: Tells final outcomes from those that may pass.
    """
    jitter = wait_random_exponential(multiplier=BACKOFF)  # apart from others that failed together

    def wait(state: RetryCallState) -> float:
        return (passing(_outcome(state)) or 0.0) + jitter(state)

    return AsyncRetrying(
        retry=lambda state: passing(_outcome(state)) is not None,
        wait=wait,
        stop=stop_any(stop_after_attempt(retries + 1), stop_before_delay(seconds)),
        sleep=anyio.sleep,
        retry_error_callback=lambda state: _outcome(state).result(),
    )


def _outcome(state: RetryCallState) -> Future:
    assert state.outcome is not None  # it is asked after an attempt
    return state.outcome
