"""Tools of the clock: now, convert, difference, add."""

from datetime import UTC, datetime, tzinfo
from typing import Annotated

from pydantic import Field

from . import answers, differences, durations, moments
from .durations import Counting
from .plugin import (
    READ_ONLY,
    Ambiguity,
    Time,
    TimeContext,
    Timezone,
    business_days_elsewhere,
    plugin,
    read_time,
    zone,
)
from .zones import MAX_LENGTH


@plugin.tool(
    title="Current time",
    annotations=READ_ONLY,
)
def now(ctx: TimeContext, timezone: Timezone = None) -> answers.Moment:
    """Tell the current date and time in a time zone."""
    return answers.moment(datetime.now(zone(timezone, ctx)).replace(microsecond=0))


@plugin.tool(title="Convert between time zones", annotations=READ_ONLY)
def convert(
    ctx: TimeContext,
    time: Time,
    to_timezone: Annotated[
        str, Field(description="IANA time zone to convert to", max_length=MAX_LENGTH)
    ],
    from_timezone: Timezone = None,
    disambiguation: Ambiguity = "compatible",
) -> answers.Conversion:
    """Convert a time from one time zone to another, exactly over clock changes."""
    source, target = zone(from_timezone, ctx), zone(to_timezone, ctx)
    read = read_time(time, source, ctx, disambiguation)
    converted = moments.shift_zone(read.moment, target)
    return answers.Conversion(
        source=answers.moment(read.moment),
        target=answers.moment(converted),
        day_shift=(converted.date() - read.moment.date()).days,
        notes=[read.note] if read.note else [],
    )


@plugin.tool(title="Difference between two moments", annotations=READ_ONLY)
def difference(
    ctx: TimeContext,
    start: Time,
    end: Time,
    timezone: Timezone = None,
    end_timezone: Annotated[
        str | None,
        Field(
            description="IANA time zone of `end` when it differs from `timezone`",
            max_length=MAX_LENGTH,
        ),
    ] = None,
    disambiguation: Ambiguity = "compatible",
) -> answers.DifferenceAnswer:
    """Measure what lies between two moments: elapsed time, and calendar months, days and hours.

    Over a clock change the two differ: from noon to noon is one calendar day, and 23 or 25 hours.
    """
    first_zone = zone(timezone, ctx)
    last_zone = first_zone if end_timezone is None else zone(end_timezone, ctx)
    first = read_time(start, first_zone, ctx, disambiguation)
    last = read_time(end, last_zone, ctx, disambiguation)
    found = differences.between(first.moment, last.moment, first_zone)
    return answers.DifferenceAnswer(
        start=answers.moment(first.moment),
        end=answers.moment(last.moment),
        elapsed_seconds=found.elapsed.total_seconds(),
        elapsed=differences.iso_duration(found.elapsed),
        elapsed_words=differences.words(found.elapsed),
        calendar=differences.iso_duration(found.rest, months=found.months, days=found.days),
        calendar_words=differences.words(found.rest, months=found.months, days=found.days),
        notes=[note for note in (first.note, last.note) if note],
    )


@plugin.tool(title="Add a duration", annotations=READ_ONLY)
def add(
    ctx: TimeContext,
    time: Time,
    duration: Annotated[
        str,
        Field(
            description="ISO 8601 such as P1DT12H or -P1M, or words such as '1 month 2 days', "
            "'90 minutes', '3 weeks ago'",
            max_length=100,
        ),
    ],
    timezone: Timezone = None,
    counting: Annotated[
        Counting,
        Field(
            description="'calendar': days and months move the date while the wall clock stays; "
            "'elapsed': a day is exactly 24 hours. Hours and less always pass exactly"
        ),
    ] = "calendar",
    disambiguation: Ambiguity = "compatible",
) -> answers.Sum:
    """Add a duration to a time, or subtract a negative one, by the calendar or the stopwatch."""
    where = zone(timezone, ctx)
    with business_days_elsewhere(ctx):
        length = durations.parse(duration)
    read = read_time(time, where, ctx, disambiguation)
    result, notes = durations.add(
        read.moment, length, where, counting=counting, disambiguation=disambiguation
    )
    if length.days and not length.months:
        notes.extend(_other_counting(read.moment, length, where, counting, result))
    return answers.Sum(
        start=answers.moment(read.moment),
        result=answers.moment(result),
        elapsed_seconds=(result.astimezone(UTC) - read.moment.astimezone(UTC)).total_seconds(),
        notes=[*([read.note] if read.note else []), *notes],
    )


def _other_counting(
    start: datetime,
    length: durations.Duration,
    where: tzinfo,
    counting: Counting,
    result: datetime,
) -> list[str]:
    """Say what the other way of counting gives, when a clock change makes a difference."""
    other: Counting = "elapsed" if counting == "calendar" else "calendar"
    rival, _ = durations.add(start, length, where, counting=other)
    if rival.astimezone(UTC) == result.astimezone(UTC):
        return []
    return [f"The clock changes on the way: with counting={other!r} it is {rival.isoformat()}"]
