"""Answers of the tools, as structured content."""

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import BaseModel, Field

from . import zones

Notes = Annotated[
    list[str], Field(description="What was special, such as a clock change; tell the user")
]


class Moment(BaseModel):
    """One moment as clocks in a zone show it."""

    iso: str = Field(description="ISO 8601 with offset, such as 2026-03-29T14:30:00+02:00")
    timezone: str = Field(description="IANA time zone, or offset such as UTC+05:30")
    utc_offset: str = Field(description="Offset from UTC as ±HH:MM")
    abbreviation: str = Field(description="Abbreviation in use at that moment, such as CEST")
    is_dst: bool = Field(description="Whether the clock is ahead of the zone's winter time")
    weekday: str = Field(description="Day of the week in English")
    unix: float = Field(description="Seconds since 1970-01-01T00:00:00Z")


class Conversion(BaseModel):
    """One moment in two zones."""

    source: Moment = Field(description="The moment in the zone it was given in")
    target: Moment = Field(description="The same moment in the zone it was converted to")
    day_shift: int = Field(description="Calendar days by which the target's date is later")
    notes: Notes


class DifferenceAnswer(BaseModel):
    """What lies between two moments."""

    start: Moment = Field(description="The first moment as it was read")
    end: Moment = Field(description="The second moment as it was read")
    elapsed_seconds: float = Field(
        description="Elapsed time in seconds; negative when end is first"
    )
    elapsed: str = Field(description="Elapsed time as ISO 8601 duration of hours and less")
    elapsed_words: str = Field(description="Elapsed time in English, without sign")
    calendar: str = Field(description="Calendar difference as ISO 8601 duration, such as P1M2DT3H")
    calendar_words: str = Field(description="Calendar difference in English, without sign")
    notes: Notes


class Sum(BaseModel):
    """A moment and what comes a duration later."""

    start: Moment = Field(description="The moment as it was read")
    result: Moment = Field(description="The moment a duration later or earlier")
    elapsed_seconds: float = Field(description="Elapsed time from start to result in seconds")
    notes: Notes


class ParsedDate(BaseModel):
    """What words were read as."""

    moment: Moment = Field(description="The moment that the words mean")
    has_time: bool = Field(description="False when no time of day was named: it is the day's start")
    notes: Notes


class OccurrencesAnswer(BaseModel):
    """The next moments of a recurrence."""

    kind: str = Field(description="cron or rrule")
    occurrences: list[Moment] = Field(description="The moments, the earliest first")
    notes: Notes


class BusinessDaysAnswer(BaseModel):
    """Business days between two dates."""

    start: str = Field(description="First date, YYYY-MM-DD; not counted itself")
    end: str = Field(description="Last date, YYYY-MM-DD; counted when it is a business day")
    business_days: int = Field(
        description="Business days after start up to end; negative backwards"
    )
    calendar_days: int = Field(description="Calendar days from start to end")
    holidays: list[str] = Field(description="Holidays on the way that fall on no weekend")
    weekend: list[str] = Field(description="Days of the week that were taken as weekend")
    notes: Notes


class ZoneMatch(BaseModel):
    """A time zone."""

    timezone: str = Field(description="Name to be passed to the other tools")
    place: str | None = Field(description="Place that the query was read as; null if it named none")
    countries: list[str] = Field(description="Countries that use it, in English")
    utc_offset: str = Field(description="Offset from UTC now, as ±HH:MM")
    abbreviation: str = Field(description="Abbreviation in use now")
    local_time: str = Field(description="Time there now, ISO 8601")


class ZoneSearch(BaseModel):
    """Time zones that fit a query, best first."""

    matches: list[ZoneMatch] = Field(description="The zones, the likeliest first")
    exact: bool = Field(
        description="False when the query is only a part of these names or spelt alike"
    )
    notes: Notes


def moment(value: datetime) -> Moment:
    """Describe an aware moment."""
    return Moment(
        iso=value.isoformat(),
        timezone=str(value.tzinfo),
        utc_offset=offset(value.utcoffset() or timedelta()),
        abbreviation=value.tzname() or "",
        is_dst=zones.is_dst(value),
        weekday=f"{value:%A}",
        unix=value.timestamp(),
    )


def offset(value: timedelta) -> str:
    """Write an offset from UTC as ±HH:MM, with seconds where old local times have them."""
    sign = "-" if value < timedelta() else "+"
    minutes, seconds = divmod(abs(value) // timedelta(seconds=1), 60)
    text = f"{sign}{minutes // 60:02}:{minutes % 60:02}"
    return f"{text}:{seconds:02}" if seconds else text


def zone_match(name: str, now: datetime, place: str | None = None) -> ZoneMatch:
    """Describe a zone as it is now."""
    local = now.astimezone(zones.find(name)).replace(microsecond=0)
    return ZoneMatch(
        timezone=name,
        place=place,
        countries=list(zones.countries(name)),
        utc_offset=offset(local.utcoffset() or timedelta()),
        abbreviation=local.tzname() or "",
        local_time=local.isoformat(),
    )
