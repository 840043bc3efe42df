"""Recurrences: the next moments of a cron expression or an RRULE, exact over clock changes.

In: an expression, a zone and a start. Out: a bounded number of moments, found in bounded time.
"""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise

from cronsim import CronSim, CronSimError
from dateutil.rrule import rrulestr  # type: ignore[import-untyped]

from mcpkit import ToolError

from . import moments

MAX_COUNT = 100
"""Most occurrences of one call."""

SEARCH_SECONDS = 2.0
"""Longest search for the occurrences of one expression."""

MAX_LENGTH = 500
"""Longest expression, in characters."""

CRON_NAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}

_RULE = re.compile(r"(RRULE:)?([A-Z]+=[A-Z0-9,:+\-]+)(;[A-Z]+=[A-Z0-9,:+\-]+)*;?", re.ASCII)
_UNTIL = re.compile(r"\d{8}(T\d{6}Z?)?", re.ASCII)
_SUB_DAILY = frozenset({"HOURLY", "MINUTELY", "SECONDLY"})
_PLAIN = frozenset({"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrences:
    """What was found.

    Attributes:
        moments: Aware, in the zone, strictly increasing.
        notes: What clock changes did, or why there are fewer than asked for.
    """

    moments: tuple[datetime, ...]
    notes: tuple[str, ...] = ()


class _SearchTooLongError(Exception):
    """The search used up its time."""


class _TimedInterval(int):
    """An interval that ends the search when its time is up.

    dateutil looks for the next match up to year 9999 in one step, which can take minutes, and
    adds the interval once for every period it looks at: here is the place to stop it.
    """

    ends: float

    def __radd__(self, other: int) -> int:
        self._check()
        return int(self) + other

    def __mul__(self, other: int) -> int:
        self._check()
        return int(self) * other

    def _check(self) -> None:
        if time.monotonic() > self.ends:
            raise _SearchTooLongError


def is_rrule(expression: str) -> bool:
    """Tell an RRULE from a cron expression."""
    return "FREQ=" in expression.upper()


def cron(expression: str, start: datetime, zone: tzinfo, count: int) -> Occurrences:
    """Find the next moments of a cron expression strictly after an aware start.

    Clock changes are treated as Debian's cron does: a job at a fixed time that the clock skips runs
    right after the gap, one that it shows twice runs the first time only; jobs with `*` in minute
    or hour run by elapsed time.

    Raises:
        ToolError: The expression is no cron expression.
    """
    text = CRON_NAMES.get(expression.strip().casefold(), expression.strip())
    begin = moments.shift_zone(start, zone)
    try:
        simulation = CronSim(text[:MAX_LENGTH], begin)
    except (CronSimError, ValueError, AssertionError) as exc:
        raise ToolError(
            f"{expression[:64]!r} is not a cron expression: {_reason(exc)}. It has five fields "
            "(minute, hour, day of month, month, day of week) such as '30 9 * * MON-FRI', or a "
            "sixth in front for seconds"
        ) from exc
    return _collect(simulation, begin, count, inclusive=False, years=50)


def rrule(expression: str, start: datetime, zone: tzinfo, count: int) -> Occurrences:
    """Find the first moments of an RFC 5545 recurrence rule from an aware start (its DTSTART).

    Local times that the clock skips or shows twice are read as RFC 5545, section 3.3.5 says. A rule
    of hours or less without BY parts runs by elapsed time.

    Raises:
        ToolError: It is no rule, or nothing was found in time.
    """
    text = "".join(expression.upper().split())
    parts = _rule_parts(text, expression)
    begin = moments.shift_zone(start, zone)
    frame = UTC if parts.get("FREQ") in _SUB_DAILY and set(parts) <= _PLAIN else zone
    local = moments.shift_zone(begin, frame).replace(tzinfo=None, fold=0, microsecond=0)
    interval = _TimedInterval(parts.get("INTERVAL", "1"))
    interval.ends = time.monotonic() + SEARCH_SECONDS
    if "UNTIL" in parts:
        parts["UNTIL"] = _local_until(parts["UNTIL"], zone, frame)
    rule_text = ";".join(f"{name}={value}" for name, value in parts.items())
    try:
        rule = rrulestr(rule_text, dtstart=local).replace(interval=interval)
        found = (moments.resolve(each, frame).moment for each in rule)
        return _collect(found, begin, count, inclusive=True, years=None)
    except (ValueError, KeyError, TypeError, IndexError) as exc:
        raise _not_a_rule(expression, _reason(exc)) from exc


def _collect(
    found: Iterator[datetime],
    begin: datetime,
    count: int,
    *,
    inclusive: bool,
    years: int | None,
) -> Occurrences:
    """Take moments until there are enough, the search ends, or its time is up."""
    ends = time.monotonic() + SEARCH_SECONDS
    taken: list[datetime] = []
    last = begin.astimezone(UTC).replace(microsecond=0)
    if inclusive:
        last -= timedelta(microseconds=1)
    try:
        for moment in found:
            exact = moment.astimezone(UTC)
            # Two local times can be one moment after a gap, and one can be seen again in a fold.
            if exact > last:
                taken.append(moments.shift_zone(exact, begin.tzinfo or UTC))
                last = exact
            if len(taken) == count:
                return Occurrences(moments=tuple(taken), notes=tuple(_offset_notes(taken)))
            if time.monotonic() > ends:
                raise _SearchTooLongError
    except (_SearchTooLongError, OverflowError):
        why = "the search was stopped: matches are too rare. Simplify the rule"
    except ToolError:
        why = moments.LIMIT.lower()
    else:
        why = f"no more within {years} years" if years else "the rule ends or never matches"
    if not taken:
        raise ToolError(f"No occurrence was found: {why}. Check day and month against each other")
    notes = [*_offset_notes(taken), f"Only {len(taken)} of {count} were found: {why}"]
    return Occurrences(moments=tuple(taken), notes=tuple(notes))


def _offset_notes(taken: list[datetime]) -> Iterator[str]:
    for before, after in pairwise(taken):
        if before.utcoffset() != after.utcoffset():
            yield (
                f"Clocks change between {before.isoformat()} and {after.isoformat()}: "
                "the offset from UTC differs"
            )


def _rule_parts(text: str, expression: str) -> dict[str, str]:
    if len(text) > MAX_LENGTH:
        raise ToolError(f"The rule is longer than {MAX_LENGTH} characters. Simplify it")
    if not _RULE.fullmatch(text):
        raise _not_a_rule(expression, "it is not a list of NAME=value separated by semicolons")
    pairs = [pair.split("=", 1) for pair in text.removeprefix("RRULE:").split(";") if pair]
    parts = {pair[0]: pair[1] for pair in pairs}
    if len(parts) != len(pairs):
        raise _not_a_rule(expression, "a part is given twice")
    if "COUNT" in parts and "UNTIL" in parts:
        raise _not_a_rule(expression, "COUNT and UNTIL exclude each other")
    for name in ("INTERVAL", "COUNT"):
        value = parts.get(name, "1")
        if not (value.isdigit() and int(value[:7]) >= 1 and len(value) <= 6):
            raise _not_a_rule(expression, f"{name} is a number from 1 to 999999")
    return parts


def _local_until(until: str, zone: tzinfo, frame: tzinfo) -> str:
    """Write the end of a rule in the frame that it is worked out in."""
    if not _UNTIL.fullmatch(until):
        raise ToolError(
            f"UNTIL={until} is not a time. Write it like 20261231, 20261231T235959 or, in UTC, "
            "20261231T225959Z"
        )
    try:
        if until.endswith("Z"):
            moment = datetime.strptime(until, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        else:
            # A bare date means that the whole day counts.
            padded = until if "T" in until else f"{until}T235959"
            naive = datetime.strptime(padded, "%Y%m%dT%H%M%S")  # noqa: DTZ007  # local by meaning
            if frame is zone:
                return padded
            moment = moments.resolve(naive, zone).moment
    except ValueError as exc:
        raise ToolError(f"UNTIL={until} is not on the calendar") from exc
    return f"{moments.shift_zone(moment, frame):%Y%m%dT%H%M%S}"


def _not_a_rule(expression: str, reason: str) -> ToolError:
    return ToolError(
        f"{expression[:64]!r} is not a recurrence rule: {reason}. Write one RRULE of RFC 5545 such "
        "as 'FREQ=MONTHLY;BYDAY=-1FR;COUNT=6'; the start is a parameter of its own"
    )


def _reason(error: BaseException) -> str:
    said = str(error).rstrip(".")
    return said[:1].lower() + said[1:] if said else "it cannot be read"
