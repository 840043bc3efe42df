"""Search for time zones by what people call them: offsets, abbreviations, places, misspelt names.

In: a query. Out: zones, the likeliest first, whether the query is a name of theirs, and what to ask
the user when it could mean several.
"""

import difflib
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta, tzinfo
from functools import cache

from mcpkit import ToolError

from . import offsets, placesearch, zones
from .folding import fold
from .gazetteer import gazetteer
from .placesearch import Match, Places

NEAR = 0.6
"""Likeness from 0 to 1 above which a name is worth suggesting."""

TIED = 0.02
"""Difference of likeness below which names are equally worth suggesting."""

ABBREVIATIONS = {
    "ART": "America/Argentina/Buenos_Aires",
    "BRT": "America/Sao_Paulo",
    "CLT": "America/Santiago",
    "COT": "America/Bogota",
    "CT": "America/Chicago",
    "ET": "America/New_York",
    "GST": "Asia/Dubai",
    "ICT": "Asia/Bangkok",
    "MT": "America/Denver",
    "MYT": "Asia/Kuala_Lumpur",
    "NPT": "Asia/Kathmandu",
    "PET": "America/Lima",
    "PT": "America/Los_Angeles",
    "SGT": "Asia/Singapore",
    "TRT": "Europe/Istanbul",
}
"""Abbreviations in use that the time zone database does not have."""

UNIVERSAL = frozenset({"gmt", "greenwich", "uct", "universal", "utc", "z", "zulu"})
"""Names of universal time."""

_searching = threading.Lock()
"""Held during a search. The first reads all zones, and comparing spellings computes for some ten
milliseconds: of many threads that do so, only one at a time holds up the rest of the server."""

ASK = "unless the conversation tells which is meant, ask the user for the city"


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a search found.

    Attributes:
        matches: The likeliest first, each zone once.
        exact: Whether the query is a name of them; else it is a part of their names or spelt alike.
        note: What to tell or ask the user.
        best: How many of the first are worth suggesting, at most; None for as many as fit.
    """

    matches: tuple[Match, ...] = ()
    exact: bool = True
    note: str | None = None
    best: int | None = None


class UnknownZoneError(ToolError):
    """There is no zone of that name.

    Args:
        message: What the model reads; it names the suggestions.
        suggestions: Zones that are probably meant, perhaps none.
    """

    def __init__(self, message: str, suggestions: list[str]) -> None:
        super().__init__(message)
        self.suggestions = suggestions


def resolve(name: str) -> tzinfo:
    """Return the zone of an exact name.

    Raises:
        UnknownZoneError: There is none.
    """
    zone = zones.find(name)
    if zone is not None:
        return zone
    shown = name if len(name) <= zones.MAX_LENGTH else f"{name[: zones.MAX_LENGTH - 3]}..."
    names = suggest(name)
    hint = "Use an IANA name such as 'Europe/Oslo'"
    if names:
        hint = f"Did you mean {' or '.join(map(repr, names))}?"
    raise UnknownZoneError(f"Unknown time zone {shown!r}. {hint}", names)


def suggest(name: str, limit: int = 3) -> list[str]:
    """List the zones that a name probably means, best first; one alone when that is clear."""
    found = search(name)
    return [match.zone for match in found.matches[: min(limit, found.best or limit)]]


def search(query: str) -> Findings:
    """Find zones by a name of any kind."""
    wanted = query.strip()
    if len(wanted) > zones.MAX_LENGTH:
        return Findings(exact=False)
    with _searching:
        return _search(wanted)


def _search(wanted: str) -> Findings:
    if offsets.is_offset(wanted):
        return _by_offset(wanted)
    if not fold(wanted):
        return Findings(exact=False)
    return (
        _by_zone(wanted)
        or _by_name(wanted)
        or _by_link(wanted)
        or _by_part(wanted)
        or _by_likeness(wanted)
    )


def complete(part: str) -> list[str]:
    """List the IANA names that hold a text, those of cities that begin with it first."""
    if len(part) > zones.MAX_LENGTH:
        return []
    wanted = fold(part)
    if not wanted:
        return list(zones.zone_names())
    with _searching:
        found = [(name, match.zone) for name, match in _zone_spellings() if wanted in name]
    found.sort(key=lambda pair: not pair[0].startswith(wanted))
    return list(dict.fromkeys(zone for _, zone in found))


def _by_offset(query: str) -> Findings:
    offset = offsets.parse(query)
    if offset is None:
        return Findings(exact=False)
    shared = zones.showing(offset.utcoffset(None))
    return Findings(
        matches=_unique([Match(zone=str(offset)), *_ranked(shared)]),
        note=f"{offset} is the same all year. If a place is meant, pass its zone: its clock may "
        "change",
    )


def _by_zone(query: str) -> Findings | None:
    """Find a zone by its IANA name, unless that is an old link such as `Japan` or `EST`."""
    if query.casefold() in UNIVERSAL:
        return Findings(matches=(Match(zone="UTC"),))
    return _by_link(query) if "/" in query else None


def _by_link(query: str) -> Findings | None:
    zone = zones.find(query)
    if zone is None:
        return None
    note = None
    if str(zone).startswith(("Etc/GMT+", "Etc/GMT-")):
        hours = zones.clock(str(zone)).offsets[0] // timedelta(hours=1)
        note = f"Zones of this name have the opposite sign (POSIX): {zone} is UTC{hours:+}"
    return Findings(matches=(Match(zone=str(zone)),), note=note)


def _by_name(query: str) -> Findings | None:
    """Find zones by an abbreviation, or else by the name of a place; by both if it is short."""
    likely = _ranked(_abbreviated(query.upper()))
    found = Places(likely=())
    if len(query) <= 2 or not likely:
        found = placesearch.find(query)
    likely += found.likely
    if not likely and not found.others:
        return None
    clocks = {zones.clock(match.zone).offsets for match in likely}
    note = found.missing
    if len(clocks) > 1:
        choice = f"{query!r} can mean {len(clocks)} different clocks: {ASK}"
        note = choice if note is None else f"{note}. {choice}"
    return Findings(
        matches=_unique([*_clocks_first(likely), *found.others]),
        exact=found.missing is None,
        note=note,
        best=1 if note is None else None,
    )


def _by_part(query: str) -> Findings | None:
    wanted = fold(query)
    found = [(name, match) for name, match in _zone_spellings() if wanted in name]
    found.sort(key=lambda pair: not pair[0].startswith(wanted))
    matches = _unique([*(match for _, match in found), *placesearch.beginning(query)])
    if not matches:
        return None
    return Findings(
        matches=matches, exact=False, note=f"Nothing is called {query!r}; these names contain it"
    )


def _by_likeness(query: str) -> Findings:
    alike = _alike(query)
    if not alike:
        return Findings(exact=False)
    return Findings(
        matches=_unique(match for _, match in alike),
        exact=False,
        note=f"Nothing is called {query!r}; these are spelt alike",
        best=len({match.zone for likeness, match in alike if alike[0][0] - likeness < TIED}),
    )


def _alike(query: str) -> list[tuple[float, Match]]:
    """Zones and large cities with a similar spelling, and how like they are, the likest first."""
    wanted, found = fold(query), []
    matcher = difflib.SequenceMatcher(None)
    matcher.set_seq2(wanted)
    for name, match in _all_spellings():
        if match.place is not None and name[0] != wanted[0]:  # there are many cities
            continue
        matcher.set_seq1(name)
        # The quick ratios are upper bounds; almost no name needs the slow one.
        if matcher.real_quick_ratio() >= NEAR and matcher.quick_ratio() >= NEAR:
            found.append((matcher.ratio(), match))
    alike = [(likeness, match) for likeness, match in found if likeness >= NEAR]
    return sorted(alike, key=lambda pair: -pair[0])


@cache
def _zone_spellings() -> list[tuple[str, Match]]:
    """Folded names of the zones: first of their cities, then with the area in front."""
    matches = [Match(zone=name) for name in zones.places()]
    return [
        *((fold(match.zone.rsplit("/", 1)[-1]), match) for match in matches),
        *((fold(match.zone), match) for match in matches),
    ]


@cache
def _all_spellings() -> list[tuple[str, Match]]:
    return [*_zone_spellings(), *placesearch.spellings()]


def _abbreviated(abbreviation: str) -> list[str]:
    """Zones that use an abbreviation this year."""
    if not (2 <= len(abbreviation) <= 5 and abbreviation.isascii() and abbreviation.isalpha()):
        return []
    if abbreviation in ABBREVIATIONS:
        return [ABBREVIATIONS[abbreviation]]
    return [n for n in zones.places() if abbreviation in zones.clock(n).abbreviations]


def _ranked(names: list[str]) -> list[Match]:
    """Matches of zones, the one with most inhabitants first."""
    people = gazetteer().people
    return [Match(zone=name) for name in sorted(names, key=lambda name: -people.get(name, 0))]


def _clocks_first(matches: list[Match]) -> list[Match]:
    """Put one match of each clock first: these are what there is to choose from."""
    firsts: dict[object, Match] = {}
    for match in matches:
        firsts.setdefault(zones.clock(match.zone).offsets, match)
    return [*firsts.values(), *matches]


def _unique(matches: Iterable[Match]) -> tuple[Match, ...]:
    """Keep the first match of each zone."""
    found: dict[str, Match] = {}
    for match in matches:
        found.setdefault(match.zone, match)
    return tuple(found.values())
