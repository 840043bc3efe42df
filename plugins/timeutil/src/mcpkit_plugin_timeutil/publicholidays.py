"""Public holidays by country, year by year, from the optional library `holidays`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from importlib import import_module

from mcpkit import ToolError


@dataclass(frozen=True, slots=True, kw_only=True)
class HolidayYear:
    """Public holidays of one country in one year.

    Attributes:
        names: Name of each holiday; empty for a year that the library does not know.
        first_known: First year that the library knows.
        last_known: Last year that it knows.
    """

    names: Mapping[date, str]
    first_known: int
    last_known: int


@lru_cache(maxsize=512)  # the library takes up to 3 ms to work out a year
def public_holidays(country: str, year: int) -> HolidayYear:
    """Look up the public holidays of a country.

    Args:
        country: ISO 3166 code.
        year: Of the Gregorian calendar.

    Raises:
        ToolError: The country is not known, or the extra is not installed.
    """
    try:
        library = import_module("holidays")  # an extra: most servers do without it
    except ImportError as exc:
        raise ToolError(
            "Public holidays by country are not installed on this server. Pass the dates as "
            "holidays instead"
        ) from exc
    try:
        found = library.country_holidays(country.upper(), years=year)
    except NotImplementedError as exc:
        raise ToolError(
            f"No public holidays are known for country {country!r}. Pass an ISO 3166 code such as "
            "'NO', or the dates as holidays"
        ) from exc
    return HolidayYear(
        names={day: str(name) for day, name in found.items() if day.year == year},
        first_known=found.start_year,
        last_known=found.end_year,
    )
