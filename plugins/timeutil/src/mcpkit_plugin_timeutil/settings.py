"""What the operator may set under `[plugins.timeutil]`."""

from datetime import date
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field

from mcpkit import PluginSettings

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


def _check_timezone(name: str) -> str:
    """Return the name if it is an IANA time zone."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise ValueError(f"{name!r} is not an IANA time zone such as Europe/Oslo") from exc
    return name


class TimeutilSettings(PluginSettings):
    """Settings of the timeutil plugin. All have defaults; nothing needs the network."""

    default_timezone: Annotated[str, AfterValidator(_check_timezone)] = Field(
        "UTC", description="IANA time zone that a call means when it names none."
    )
    weekend: tuple[Weekday, ...] = Field(
        ("saturday", "sunday"),
        max_length=6,
        description="Days of the week on which nobody works, in lower-case English.",
    )
    holidays: tuple[date, ...] = Field(
        (), description="Dates on which nobody works, as YYYY-MM-DD, beside those of `country`."
    )
    country: str | None = Field(
        None,
        pattern=r"^[A-Z]{2}$",
        description="ISO 3166 code of the country whose public holidays are days off, such as NO; "
        "needs the extra mcpkit-plugin-timeutil[holidays].",
    )
