"""Moments: local times made exact, over the gaps and folds that clock changes make.

In: ISO 8601 text and a zone. Out: one aware moment, and a note when the clock showed that time
never or twice. The choices and their names are those of TC39 Temporal ("disambiguation").
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Literal

from mcpkit import ToolError

Disambiguation = Literal["compatible", "earlier", "later", "reject"]

LIMIT = "Times from year 2 to year 9998 can be handled"

_ISO = re.compile(r"^\d{4}-?(\d|W)", re.ASCII)


class NotATimeError(ToolError):
    """A text is not ISO 8601."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """An exact moment.

    Attributes:
        moment: Aware, in its zone.
        note: What was special about the local time, if anything.
    """

    moment: datetime
    note: str | None = None


def read(text: str, zone: tzinfo, disambiguation: Disambiguation = "compatible") -> Resolved:
    """Read an ISO 8601 date or date and time; without an offset it is local to the zone.

    Raises:
        NotATimeError: It is not ISO 8601.
        ToolError: It does not exist in the zone and may not be shifted.
    """
    stripped = text.strip()
    try:
        if not _ISO.match(stripped):
            raise ValueError(stripped)
        value = datetime.fromisoformat(stripped)
    except ValueError as exc:
        raise NotATimeError(
            f"{text[:64]!r} is not an ISO 8601 time. Write it like '2026-03-29T14:30' or "
            "'2026-03-29T14:30+02:00'"
        ) from exc
    if value.tzinfo is not None:
        return Resolved(moment=shift_zone(value, zone))
    return resolve(value, zone, disambiguation)


def resolve(
    local: datetime, zone: tzinfo, disambiguation: Disambiguation = "compatible"
) -> Resolved:
    """Find the moment at which the zone's clocks show a naive local time.

    `compatible` (as in RFC 5545, section 3.3.5) moves a time in a gap forward by the gap's length
    and takes the first of two readings.

    Raises:
        ToolError: With `reject`, the time is in a gap or fold; or it is out of range.
    """
    if not 2 <= local.year <= 9998:
        raise ToolError(LIMIT)
    # PEP 495: in a gap fold=0 has the offset before it, so it lands later than fold=1.
    first = local.replace(tzinfo=zone, fold=0)
    second = local.replace(tzinfo=zone, fold=1)
    before, after = first.utcoffset() or timedelta(), second.utcoffset() or timedelta()
    if before == after:
        return Resolved(moment=first)
    if before < after:
        return _in_gap(local, zone, (first, second), disambiguation)
    return _in_fold(local, zone, (first, second), disambiguation)


def shift_zone(moment: datetime, zone: tzinfo) -> datetime:
    """Show an aware moment in another zone.

    Raises:
        ToolError: It is too near to the ends of the calendar.
    """
    try:
        shown = moment.astimezone(UTC).astimezone(zone)
    except OverflowError as exc:
        raise ToolError(LIMIT) from exc
    if not 2 <= shown.year <= 9998:
        raise ToolError(LIMIT)
    return shown


def _in_gap(
    local: datetime,
    zone: tzinfo,
    readings: tuple[datetime, datetime],
    disambiguation: Disambiguation,
) -> Resolved:
    # Through UTC: only that normalises a time that clocks never show.
    later, earlier = (reading.astimezone(UTC).astimezone(zone) for reading in readings)
    said = f"{_clock(local)} does not exist in {zone}: clocks skip it"
    if disambiguation == "reject":
        raise ToolError(
            f"{said}. Use {earlier.isoformat()} or {later.isoformat()}, or pass "
            "disambiguation='earlier' or 'later'"
        )
    chosen, other = (earlier, later) if disambiguation == "earlier" else (later, earlier)
    return Resolved(
        moment=chosen,
        note=f"{said}. Shifted to {chosen.isoformat()}; the other choice is {other.isoformat()}",
    )


def _in_fold(
    local: datetime,
    zone: tzinfo,
    readings: tuple[datetime, datetime],
    disambiguation: Disambiguation,
) -> Resolved:
    earlier, later = readings
    said = f"{_clock(local)} occurs twice in {zone}: clocks go back over it"
    if disambiguation == "reject":
        raise ToolError(
            f"{said}. It is {earlier.isoformat()} or {later.isoformat()}; pass one of these, or "
            "disambiguation='earlier' or 'later'"
        )
    chosen, other = (later, earlier) if disambiguation == "later" else (earlier, later)
    return Resolved(
        moment=chosen,
        note=f"{said}. Read as {chosen.isoformat()}; the other reading is {other.isoformat()}",
    )


def _clock(local: datetime) -> str:
    return local.replace(tzinfo=None).isoformat(sep=" ")
