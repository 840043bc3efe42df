"""Cron expressions: their next moments, with clock changes as Debian's cron treats them.

In: an expression, a zone and a start. Out: a bounded number of moments, found in bounded time.
"""

from datetime import UTC, date, datetime, tzinfo

from cronsim import CronSim, CronSimError

from mcpkit import ToolError

from . import moments
from .budgets import Budget
from .occurrences import MAX_LENGTH, SEARCH_SECONDS, Occurrences, collect

NAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


class _Cron(CronSim):
    """A cron simulation that ends when its budget is spent: one step may walk 50 years."""

    budget: Budget

    def match_day(self, d: date) -> bool:
        self.budget.check()
        return super().match_day(d)


def search(expression: str, start: datetime, zone: tzinfo, count: int) -> Occurrences:
    """Find the next moments of a cron expression strictly after an aware start.

    Clock changes are treated as Debian's cron does: a job at a fixed time that the clock skips runs
    right after the gap, one that it shows twice runs the first time only; jobs with `*` in minute
    or hour run by elapsed time.

    Raises:
        ToolError: The expression is no cron expression, or no moment fits it.
    """
    if len(expression) > MAX_LENGTH:
        raise ToolError(f"The expression is longer than {MAX_LENGTH} characters. Simplify it")
    text = NAMES.get(expression.strip().casefold(), expression.strip())
    begin = moments.shift_zone(start, zone)
    try:
        simulation = _Cron(text, begin)
    except (CronSimError, ValueError, AssertionError) as exc:
        raise _not_cron(text, exc) from exc
    budget = simulation.budget = Budget(SEARCH_SECONDS)
    return collect(simulation, begin, count, budget, inclusive=False, years=50)


def _not_cron(text: str, error: BaseException) -> ToolError:
    """Say why a text is no cron expression, or that it is one which never runs."""
    if _is_day_missing(text):
        return ToolError(
            f"{text[:64]!r} never runs: none of its months has that day of the month. "
            "Change the day or the month"
        )
    said = str(error).rstrip(".")
    reason = said[:1].lower() + said[1:] if said else "it cannot be read"
    return ToolError(
        f"{text[:64]!r} is not a cron expression: {reason}. It has five fields (minute, hour, day "
        "of month, month, day of week) such as '30 9 * * MON-FRI', or a sixth in front for seconds"
    )


def _is_day_missing(text: str) -> bool:
    """Tell whether an expression would be right if it named all months."""
    fields = text.split()
    if len(fields) not in {5, 6}:
        return False
    fields[-2] = "*"
    try:
        CronSim(" ".join(fields), datetime.now(UTC))
    except (CronSimError, ValueError, AssertionError):
        return False
    return True
