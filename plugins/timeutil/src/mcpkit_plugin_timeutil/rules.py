"""Recurrence rules (RFC 5545, section 3.3.10): their text read and checked.

In: the text of an RRULE. Out: a `Rule` whose parts are in range, or an error that names the part.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from mcpkit import ToolError

from .occurrences import MAX_LENGTH

MAX_TIMES = 1440
"""Most times of day that BYHOUR, BYMINUTE and BYSECOND may make: every minute."""

MAX_EXPANSION = 50_000
"""Most moments that a rule may make of one of its periods, such as a year."""

FREQUENCIES = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY")
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")

_RANGES: Mapping[str, tuple[int, int, bool]] = {
    "BYSECOND": (0, 59, False),
    "BYMINUTE": (0, 59, False),
    "BYHOUR": (0, 23, False),
    "BYMONTHDAY": (1, 31, True),
    "BYYEARDAY": (1, 366, True),
    "BYWEEKNO": (1, 53, True),
    "BYMONTH": (1, 12, False),
    "BYSETPOS": (1, 366, True),
}
"""Least and greatest number of each list, and whether it may be negative: from the end."""

_OTHERS = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY"}
_TIMES = ("BYHOUR", "BYMINUTE", "BYSECOND")
_DAYS = {"YEARLY": 366, "MONTHLY": 31, "WEEKLY": 7}

_RULE = re.compile(r"(RRULE:)?([A-Z]+=[A-Z0-9,:+\-]+)(;[A-Z]+=[A-Z0-9,:+\-]+)*;?", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d{1,3}", re.ASCII)
_COUNT = re.compile(r"\d{1,6}", re.ASCII)
_BYDAY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule whose parts are in range.

    Attributes:
        text: As it was written, in capitals and without blanks.
        frequency: One of `FREQUENCIES`.
        interval: Every how many periods it occurs.
        count: How often it occurs; None for no end.
        until: The end as it was written; None for no end.
        week_start: First day of the week; Monday is 0.
        lists: The numbers of each BY part but BYDAY.
        weekdays: BYDAY as pairs of an ordinal, or None for each, and a day; Monday is 0.
    """

    text: str
    frequency: str
    interval: int
    count: int | None
    until: str | None
    week_start: int
    lists: Mapping[str, tuple[int, ...]]
    weekdays: tuple[tuple[int | None, int], ...]

    @property
    def is_finer_than_daily(self) -> bool:
        """Whether its periods are hours or less."""
        return self.frequency in {"HOURLY", "MINUTELY", "SECONDLY"}

    @property
    def times(self) -> int:
        """How many times its lists make of one day, or of one period that is shorter."""
        finer = FREQUENCIES.index(self.frequency) - FREQUENCIES.index("DAILY")
        return prod(len(self.lists.get(name, (0,))) for name in _TIMES[max(0, finer) :])


def parse(expression: str) -> Rule:
    """Read a rule.

    Raises:
        ToolError: It is no rule; the message names the part that is wrong.
    """
    if len(expression) > MAX_LENGTH:
        raise ToolError(f"The rule is longer than {MAX_LENGTH} characters. Simplify it")
    text = "".join(expression.upper().split())
    parts = _parts(text)
    frequency = parts.pop("FREQ", "")
    if frequency not in FREQUENCIES:
        raise not_a_rule(text, f"FREQ is one of {', '.join(FREQUENCIES)}")
    if "COUNT" in parts and "UNTIL" in parts:
        raise not_a_rule(text, "COUNT and UNTIL exclude each other")
    rule = Rule(
        text=text,
        frequency=frequency,
        interval=_number(parts.pop("INTERVAL", "1"), "INTERVAL", text),
        count=_number(parts.pop("COUNT"), "COUNT", text) if "COUNT" in parts else None,
        until=parts.pop("UNTIL", None),
        week_start=_week_start(parts.pop("WKST", "MO"), text),
        weekdays=_weekdays(parts.pop("BYDAY", None), text),
        lists={name: _numbers(name, value, text) for name, value in parts.items()},
    )
    if rule.times > MAX_TIMES or rule.times * _DAYS.get(frequency, 1) > MAX_EXPANSION:
        raise not_a_rule(
            text, f"its BYHOUR, BYMINUTE and BYSECOND make {rule.times} times; use a finer FREQ"
        )
    return rule


def not_a_rule(text: str, reason: str) -> ToolError:
    """Say that a text is no rule, why, and how one looks."""
    return ToolError(
        f"{text[:64]!r} is not a recurrence rule: {reason}. Write one RRULE of RFC 5545 such "
        "as 'FREQ=MONTHLY;BYDAY=-1FR;COUNT=6'; the start is a parameter of its own"
    )


def _parts(text: str) -> dict[str, str]:
    if not _RULE.fullmatch(text):
        raise not_a_rule(text, "it is not a list of NAME=value separated by semicolons")
    pairs = [pair.split("=", 1) for pair in text.removeprefix("RRULE:").split(";") if pair]
    parts = {pair[0]: pair[1] for pair in pairs}
    if len(parts) != len(pairs):
        raise not_a_rule(text, "a part is given twice")
    unknown = parts.keys() - _RANGES.keys() - _OTHERS
    if unknown:
        raise not_a_rule(text, f"there is no part {min(unknown)}")
    return parts


def _number(value: str, name: str, text: str) -> int:
    if not _COUNT.fullmatch(value) or int(value) < 1:
        raise not_a_rule(text, f"{name} is a number from 1 to 999999")
    return int(value)


def _numbers(name: str, value: str, text: str) -> tuple[int, ...]:
    least, greatest, signed = _RANGES[name]
    found = []
    for item in value.split(","):
        number = int(item) if _NUMBER.fullmatch(item) else greatest + 1
        if not least <= (abs(number) if signed else number) <= greatest:
            ends = f", or -{least} to -{greatest} from the end" if signed else ""
            raise not_a_rule(text, f"{name} takes numbers from {least} to {greatest}{ends}")
        found.append(number)
    return tuple(dict.fromkeys(found))


def _weekdays(value: str | None, text: str) -> tuple[tuple[int | None, int], ...]:
    found = []
    for item in value.split(",") if value is not None else ():
        match = _BYDAY.fullmatch(item)
        ordinal = int(match[1]) if match and match[1] else None
        if match is None or ordinal == 0:
            raise not_a_rule(text, "BYDAY takes days such as MO, 2MO (second) or -1FR (last)")
        found.append((ordinal, WEEKDAYS.index(match[2])))
    return tuple(dict.fromkeys(found))


def _week_start(value: str, text: str) -> int:
    if value not in WEEKDAYS:
        raise not_a_rule(text, f"WKST is one of {', '.join(WEEKDAYS)}")
    return WEEKDAYS.index(value)
