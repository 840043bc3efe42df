"""IANA time zones: their names, what was meant by a misspelt one, and their next clock changes.

In: what a caller calls a zone. Out: a `ZoneInfo`, or suggestions that can be passed instead.
"""

import difflib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo, available_timezones

from mcpkit import ToolError

NOT_ZONES = frozenset({"localtime", "Factory", "posixrules"})
"""Files among the zones that name no place."""

NEAR = 0.6
"""Likeness from 0 to 1 above which a zone is worth suggesting."""

MAX_LENGTH = 64
"""Longest name that is looked for, in characters; what is longer is like no zone."""

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
    """All names of zones, sorted; those of the form Area/City first among equals in a search."""
    return tuple(sorted(available_timezones() - NOT_ZONES))


@cache
def _by_folded_name() -> dict[str, str]:
    return {_fold(name): name for name in zone_names()}


def find(name: str) -> ZoneInfo:
    """Return the zone of an IANA name, whatever its case.

    Raises:
        ToolError: There is no such zone; the message suggests near ones.
    """
    known = _by_folded_name().get(_fold(name))
    if known is None:
        raise ToolError(unknown(name))
    return ZoneInfo(known)


def unknown(name: str) -> str:
    """Say that there is no such zone, and which was probably meant."""
    shown = name if len(name) <= 64 else f"{name[:61]}..."
    names = suggest(name)
    if not names:
        return (
            f"Unknown time zone {shown!r}. Use an IANA name such as 'Europe/Oslo'; "
            "the tool find_zone looks one up by city, country or abbreviation"
        )
    return f"Unknown time zone {shown!r}. Did you mean {' or '.join(map(repr, names))}?"


def suggest(name: str, limit: int = 3) -> list[str]:
    """List the zones that a name probably means, best first.

    A city, country, abbreviation or fragment gives the zones it stands for; otherwise the nearest
    spelling wins alone, unless others are as near.
    """
    found = search(name, limit=limit)
    if found:
        return found
    ranked = nearest(name)
    if not ranked:
        return []
    best = ranked[0][0]
    return [candidate for likeness, candidate in ranked if best - likeness < 0.02][:limit]


def search(query: str, limit: int = 20) -> list[str]:
    """List the zones whose city, country, abbreviation or name holds the query, best first."""
    wanted = _fold(query)
    if not wanted:
        return []
    places = _places()
    ranked: list[tuple[int, int, str]] = []
    for name in zone_names():
        rank = _rank(wanted, name, places.get(name, ()))
        if rank is not None:
            # Names of the form Area/City come first: the others are old links.
            ranked.append((rank, 0 if name in places else 1, name))
    return [name for _, _, name in sorted(ranked)[:limit]]


def nearest(query: str) -> list[tuple[float, str]]:
    """List zones with a similar spelling as (likeness from 0 to 1, name), best first."""
    matcher = difflib.SequenceMatcher(None)
    matcher.set_seq2(_fold(query))
    ranked = []
    for folded, name in _by_folded_name().items():
        rivals = {folded, folded.rsplit("/", 1)[-1]}
        likeness = max(_likeness(matcher, rival) for rival in rivals)
        if likeness >= NEAR:
            ranked.append((likeness, name))
    places = _places()
    return sorted(ranked, key=lambda pair: (-pair[0], pair[1] not in places, pair[1]))


def _likeness(matcher: difflib.SequenceMatcher[str], rival: str) -> float:
    """How like a name is; 0 when two quick upper bounds show that it is not like enough."""
    matcher.set_seq1(rival)
    if matcher.real_quick_ratio() < NEAR or matcher.quick_ratio() < NEAR:
        return 0
    return matcher.ratio()


def countries(name: str) -> tuple[str, ...]:
    """English names of the countries that a zone is used in, perhaps none."""
    return _places().get(name, ())


def transitions(zone: ZoneInfo, start: datetime, count: int) -> list[Transition]:
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


def _bisect(zone: ZoneInfo, low: datetime, high: datetime) -> datetime:
    before = _offset(zone, low)
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
        if _offset(zone, middle) == before:
            low = middle
        else:
            high = middle
    return high


def _offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()


def _rank(wanted: str, name: str, lands: tuple[str, ...]) -> int | None:
    """Order of a match: exact name, city, abbreviation, country, then fragments."""
    folded = _fold(name)
    city = folded.rsplit("/", 1)[-1]
    if wanted in (folded, city):
        return 0
    if wanted.upper() in _abbreviations().get(name, ()):
        return 1
    if any(wanted == _fold(land) for land in lands):
        return 2
    if city.startswith(wanted):
        return 3
    if wanted in folded or any(wanted in _fold(land) for land in lands):
        return 4
    return None


@cache
def _places() -> dict[str, tuple[str, ...]]:
    """Country names of each zone, from the tables that come with the database."""
    root = files("tzdata") / "zoneinfo"
    lands = dict(line.split("\t")[:2] for line in _lines((root / "iso3166.tab").read_text("utf-8")))
    places: dict[str, list[str]] = {}
    for line in _lines((root / "zone.tab").read_text("utf-8")):
        code, _, name = line.split("\t")[:3]
        places.setdefault(name, []).append(lands.get(code, code))
    return {name: tuple(found) for name, found in places.items()}


def _lines(table: str) -> list[str]:
    return [line for line in table.splitlines() if line and not line.startswith("#")]


@cache
def _abbreviations() -> dict[str, frozenset[str]]:
    """Abbreviations that each zone uses this year, such as CET and CEST."""
    year = datetime.now(UTC).year
    samples = [datetime(year, month, 15, tzinfo=UTC) for month in (1, 4, 7, 10)]
    return {
        name: frozenset(moment.astimezone(ZoneInfo(name)).tzname() or "" for moment in samples)
        for name in zone_names()
    }


def _fold(name: str) -> str:
    return "_".join(name[: MAX_LENGTH + 1].strip().casefold().split())
