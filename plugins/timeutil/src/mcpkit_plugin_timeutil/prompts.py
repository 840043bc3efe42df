"""Prompts: scheduling a meeting across zones."""

from typing import Annotated

from pydantic import Field

from mcpkit import PromptError, ToolError

from . import zonesearch
from .plugin import TimeContext, plugin


@plugin.prompt(title="Schedule a meeting across time zones")
def schedule_meeting(
    ctx: TimeContext,
    timezones: Annotated[
        str,
        Field(
            description="IANA time zones of the participants, separated by commas", max_length=2000
        ),
    ],
    duration: Annotated[
        str, Field(description="Length, such as '45 minutes'", max_length=100)
    ] = "1 hour",
    when: Annotated[
        str, Field(description="Days to consider, such as 'next week'", max_length=200)
    ] = "next week",
    working_hours: Annotated[
        str,
        Field(
            description="Local hours in which people can meet, such as 09:00-17:00", max_length=100
        ),
    ] = "09:00-17:00",
) -> str:
    """Find times for a meeting that suit the working hours of people in several time zones."""
    try:
        names = [str(zonesearch.resolve(name)) for name in timezones.split(",") if name.strip()]
    except ToolError as exc:
        raise PromptError(str(exc)) from exc
    if not names:
        raise PromptError("Name at least one time zone, such as 'Europe/Oslo, America/New_York'")
    people = "\n".join(f"- {name}" for name in names)
    now, parse, convert, business_days = map(
        ctx.exposed_name, ("now", "parse", "convert", "business_days")
    )
    return f"""Find up to three times for a meeting of {duration}, {when}.

The participants are in these time zones:
{people}

Work like this:
1. Use {now} for the current date in {names[0]}, and {parse} for the first and last \
day of "{when}".
2. For each day use {convert} to bring {working_hours} of every zone to {names[0]}, and \
keep what all of them share. Do not work out offsets yourself: they can change within these days.
3. Use {business_days} to leave out weekends and holidays.
4. If nobody's hours overlap, propose the times that are least early or late, and say for whom.

Answer with a table: one row a proposal, one column a time zone with local date, time and \
abbreviation. Mention every note about clock changes that a tool gave."""
