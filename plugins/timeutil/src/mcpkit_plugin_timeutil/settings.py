"""Settings of the plugin: the section `[plugins.timeutil]`."""

from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from mcpkit import PluginSettings, ToolError

from . import zonesearch

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


def _check_timezone(name: str) -> str:
    """Return the IANA spelling of a time zone."""
    try:
        return str(zonesearch.resolve(name))
    except ToolError as exc:
        raise ValueError(str(exc)) from exc


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
