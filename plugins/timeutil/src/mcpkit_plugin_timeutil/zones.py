"""Time zones by name: IANA zones and fixed offsets, their clocks and next clock changes.

In: the exact name of a zone, or an offset such as UTC+05:30. Out: a zone. What people call zones
otherwise is looked up by `zonesearch`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache, lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo, available_timezones

from . import offsets

NOT_ZONES = frozenset({"localtime", "Factory", "posixrules"})
"""Files among the zones that name no place."""

MAX_LENGTH = 64
"""Longest name that is looked up, in characters; what is longer is no zone and like none."""

STEP = timedelta(days=7)
"""Shorter than any period between two clock changes of today's zones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """A change of the clock.

    Attributes:
        moment: The first moment after the change, in the zone.
        before: Offset from UTC until then.
        after: Offset from UTC from then on.
    """

    moment: datetime
    before: timedelta
    after: timedelta


@cache
def zone_names() -> tuple[str, ...]:
    """All IANA names of zones, sorted."""
    return tuple(sorted(available_timezones() - NOT_ZONES))


def find(name: str) -> tzinfo | None:
    """Return the zone of an IANA name, whatever its case, or of an offset; None if there is none.

    The name of what is found, `str(zone)`, finds it again.
    """
    if len(name) > MAX_LENGTH:
        return None
    known = by_folded_name().get(fold(name))
    return ZoneInfo(known) if known is not None else offsets.parse(name)


@cache
def by_folded_name() -> dict[str, str]:
    """Names of zones by their folded names."""
    return {fold(name): name for name in zone_names()}


def fold(name: str) -> str:
    """Reduce the name of a zone to what spellings of it share."""
    return "_".join(name.strip().casefold().split())


@cache
def _place_zones() -> dict[str, ZoneInfo]:
    """The zones of places. ZoneInfo itself remembers eight and reads the others again."""
    return {name: ZoneInfo(name) for name in places()}


def showing(offset: timedelta) -> list[str]:
    """Names of the places whose clocks are so far from UTC now."""
    now = datetime.now(UTC)
    return [name for name, zone in _place_zones().items() if _offset(zone, now) == offset]


@dataclass(frozen=True, slots=True)
class Clock:
    """Clock of a zone in one year; zones with equal offsets show equal times.

    Attributes:
        offsets: From UTC, month by month.
        abbreviations: In use in any month.
    """

    offsets: tuple[timedelta, ...]
    abbreviations: frozenset[str]


def clock(name: str) -> Clock:
    """Return the clock of a zone in this year."""
    return _clock(name, datetime.now(UTC).year)


@lru_cache(maxsize=2048)
def _clock(name: str, year: int) -> Clock:
    zone = _place_zones().get(name) or find(name)
    days = [datetime(year, month, 15, tzinfo=UTC).astimezone(zone) for month in range(1, 13)]
    return Clock(
        offsets=tuple(_offset(zone, day) for day in days),
        abbreviations=frozenset(day.tzname() or "" for day in days),
    )


def countries(name: str) -> tuple[str, ...]:
    """English names of the countries that a zone is used in, perhaps none."""
    return _countries().get(name, ())


def places() -> tuple[str, ...]:
    """Names of the zones that stand for a place; the others are old links and fixed offsets."""
    return tuple(_countries())


def transitions(zone: tzinfo, start: datetime, count: int) -> list[Transition]:
    """List the next changes of a zone's offset from UTC.

    Args:
        zone: The zone.
        start: An aware moment.
        count: How many at most; those in the two years after `start` are found.
    """
    found: list[Transition] = []
    low = start.astimezone(UTC).replace(microsecond=0)
    end = low + timedelta(days=731)
    while low < end and len(found) < count:
        high = low + STEP
        if _offset(zone, low) != _offset(zone, high):
            change = _bisect(zone, low, high)
            found.append(
                Transition(
                    moment=change.astimezone(zone),
                    before=_offset(zone, low),
                    after=_offset(zone, change),
                )
            )
        low = high
    return found


def is_dst(moment: datetime) -> bool:
    """Tell whether an aware moment's clock is ahead of the zone's winter clock.

    The time zone database has zones with negative daylight saving (Europe/Dublin: standard time in
    summer); there, the time that is not negative is the one ahead.
    """
    zone, saving = moment.tzinfo, moment.dst() or timedelta()
    if saving or zone is None:
        return saving > timedelta()
    others = (datetime(moment.year, month, 1, tzinfo=zone).dst() for month in (1, 4, 7, 10))
    return any(other is not None and other < timedelta() for other in others)


def _bisect(zone: tzinfo, low: datetime, high: datetime) -> datetime:
    before = _offset(zone, low)
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
        if _offset(zone, middle) == before:
            low = middle
        else:
            high = middle
    return high


def _offset(zone: tzinfo | None, moment: datetime) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()


@cache
def _countries() -> dict[str, tuple[str, ...]]:
    """Country names of each zone, from the tables that come with the database."""
    root = files("tzdata") / "zoneinfo"
    lands = dict(line.split("\t")[:2] for line in _lines((root / "iso3166.tab").read_text("utf-8")))
    found: dict[str, list[str]] = {}
    for line in _lines((root / "zone.tab").read_text("utf-8")):
        code, _, name = line.split("\t")[:3]
        found.setdefault(name, []).append(lands.get(code, code))
    return {name: tuple(lands_of) for name, lands_of in found.items()}


def _lines(table: str) -> list[str]:
    return [line for line in table.splitlines() if line and not line.startswith("#")]
