"""Tools of the calendar: parse, next_occurrences, business_days."""

from datetime import date, datetime
from typing import Annotated

from pydantic import Field

from mcpkit import ToolError

from . import answers, businessdays, cron, humandates, occurrences, recurrence
from .plugin import (
    READ_ONLY,
    Ambiguity,
    TimeContext,
    Timezone,
    business_days_elsewhere,
    plugin,
    read_time,
    zone,
)
from .settings import Weekday

MAX_DATE = 32
"""Longest date, in characters."""

Day = Annotated[str, Field(description="Date as YYYY-MM-DD", max_length=MAX_DATE)]


@plugin.tool(title="Read a human date", annotations=READ_ONLY)
def parse(
    ctx: TimeContext,
    text: Annotated[
        str,
        Field(
            description="English words such as 'next friday 3pm', 'in 2 weeks', 'tomorrow at noon' "
            "or '3 March 14:30'",
            max_length=humandates.MAX_LENGTH,
        ),
    ],
    timezone: Timezone = None,
    reference: Annotated[
        str | None,
        Field(
            description="ISO 8601 time that the words are relative to; now when left out",
            max_length=100,
        ),
    ] = None,
    disambiguation: Ambiguity = "compatible",
) -> answers.ParsedDate:
    """Turn a date written by a person into an exact moment in a time zone."""
    where = zone(timezone, ctx)
    start = read_time(reference, where, ctx).moment if reference else datetime.now(where)
    with business_days_elsewhere(ctx):
        read = humandates.parse(text, start.replace(microsecond=0), where, disambiguation)
    return answers.ParsedDate(
        moment=answers.moment(read.moment), has_time=read.has_time, notes=list(read.notes)
    )


@plugin.tool(title="Next occurrences of a cron expression or RRULE", annotations=READ_ONLY)
async def next_occurrences(
    ctx: TimeContext,
    expression: Annotated[
        str,
        Field(
            description="Cron such as '30 9 * * MON-FRI' (five fields, six with seconds) "
            "or an RFC 5545 rule such as 'FREQ=MONTHLY;BYDAY=-1FR'",
            max_length=occurrences.MAX_LENGTH,
        ),
    ],
    timezone: Timezone = None,
    start: Annotated[
        str | None,
        Field(
            description="ISO 8601 time from which to look: cron strictly after it; for a rule it "
            "is the DTSTART and may occur itself. Now when left out",
            max_length=100,
        ),
    ] = None,
    count: Annotated[
        int, Field(ge=1, le=occurrences.MAX_COUNT, description="How many occurrences to list")
    ] = 5,
) -> answers.OccurrencesAnswer:
    """List the next moments of a cron expression or recurrence rule, exactly over clock changes."""

    def search() -> answers.OccurrencesAnswer:
        where = zone(timezone, ctx)
        read = read_time(start, where, ctx) if start else None
        begin = read.moment if read else datetime.now(where).replace(microsecond=0)
        is_rule = recurrence.is_rrule(expression)
        found = (recurrence if is_rule else cron).search(expression, begin, where, count)
        return answers.OccurrencesAnswer(
            kind="rrule" if is_rule else "cron",
            occurrences=[answers.moment(each) for each in found.moments],
            notes=[*([read.note] if read and read.note else []), *found.notes],
        )

    return await ctx.state.searches.run(search)


@plugin.tool(title="Count or add business days", annotations=READ_ONLY)
async def business_days(
    ctx: TimeContext,
    start: Annotated[
        str | None,
        Field(
            description="Date as YYYY-MM-DD; today in the default zone when left out",
            max_length=MAX_DATE,
        ),
    ] = None,
    end: Annotated[
        str | None,
        Field(
            description="Date as YYYY-MM-DD up to which to count; excludes `add`",
            max_length=MAX_DATE,
        ),
    ] = None,
    add: Annotated[
        int | None,
        Field(
            ge=-businessdays.MAX_DAYS,
            le=businessdays.MAX_DAYS,
            description="Business days to go from start, negative for back; excludes `end`",
        ),
    ] = None,
    weekend: Annotated[
        list[Weekday] | None,
        Field(
            description="Days of the week off; the operator's setting when left out", max_length=7
        ),
    ] = None,
    holidays: Annotated[
        list[Day] | None,
        Field(description="Further dates off, as YYYY-MM-DD", max_length=1000),
    ] = None,
    country: Annotated[
        str | None,
        Field(
            pattern=r"^[A-Za-z]{2}$",
            description="ISO 3166 code whose public holidays are off; the operator's when left out",
        ),
    ] = None,
) -> answers.BusinessDaysAnswer:
    """Count the business days between two dates, or find the date some business days away.

    The start date itself does not count; the end date does when it is a business day.
    """
    if (end is None) == (add is None):
        raise ToolError("Pass either end, to count up to it, or add, to go that many business days")

    def walk() -> answers.BusinessDaysAnswer:
        settings = ctx.settings
        first = _day(start, ctx) if start else datetime.now(zone(None, ctx)).date()
        calendar = businessdays.work_calendar(
            settings.weekend if weekend is None else weekend,
            [*settings.holidays, *(_day(day, ctx) for day in holidays or ())],
            country or settings.country,
        )
        if end is not None:
            return _described(first, businessdays.count(first, _day(end, ctx), calendar), calendar)
        return _described(first, businessdays.add(first, add or 0, calendar), calendar)

    return await ctx.state.searches.run(walk)


def _described(
    start: date, walk: businessdays.Walk, calendar: businessdays.WorkCalendar
) -> answers.BusinessDaysAnswer:
    unknown = calendar.unknown_years(*sorted((start, walk.end)))
    return answers.BusinessDaysAnswer(
        start=start.isoformat(),
        end=walk.end.isoformat(),
        business_days=walk.business_days,
        calendar_days=(walk.end - start).days,
        holidays=[f"{day} {calendar.name(day)}" for day in walk.holidays],
        weekend=[businessdays.WEEKDAYS[index] for index in sorted(calendar.weekend)],
        notes=[unknown] if unknown else [],
    )


def _day(text: str, ctx: TimeContext) -> date:
    try:
        return date.fromisoformat(text.strip())
    except ValueError as exc:
        raise ToolError(
            f"{text[:32]!r} is not a date. Write it as YYYY-MM-DD; {ctx.exposed_name('parse')} "
            "reads words"
        ) from exc
