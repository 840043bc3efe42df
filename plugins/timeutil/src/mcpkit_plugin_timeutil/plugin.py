"""The plugin object, and the parameters that several tools share."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import tzinfo
from typing import Annotated

from pydantic import Field

from mcpkit import Context, Plugin, ToolAnnotations, ToolError, WorkerThreads

from . import moments, zonesearch
from .durations import BusinessDaysError
from .moments import Disambiguation, Resolved
from .settings import TimeutilSettings
from .zones import MAX_LENGTH

plugin = Plugin(
    settings=TimeutilSettings,
    instructions=(
        "Use the timeutil tools for the current time and for any calculation with dates, times or "
        "zones, instead of working them out. Zones are IANA names such as Europe/Oslo, or offsets "
        "such as UTC+05:30; pass on the notes that tell of clock changes."
    ),
)

READ_ONLY = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)


@dataclass(frozen=True, slots=True)
class State:
    """State of the plugin, as long as the server runs.

    Attributes:
        searches: Runs searches that compute for long, one at a time: they hold the interpreter's
            lock, so that several at once are no faster and slow down all other calls.
    """

    searches: WorkerThreads


TimeContext = Context[TimeutilSettings, State]


@plugin.lifespan
@asynccontextmanager
async def lifespan(settings: TimeutilSettings) -> AsyncIterator[State]:
    """Make the thread of long searches."""
    yield State(searches=WorkerThreads(1))


Timezone = Annotated[
    str | None,
    Field(
        description="IANA time zone such as Europe/Oslo, or an offset such as UTC+05:30; the "
        "operator's default when left out",
        max_length=MAX_LENGTH,
    ),
]
Time = Annotated[
    str,
    Field(
        description="ISO 8601 date and time, such as 2026-03-29T14:30; without an offset it is "
        "local to the zone",
        max_length=100,
    ),
]
Ambiguity = Annotated[
    Disambiguation,
    Field(
        description="For a local time that a clock change skips or repeats: 'earlier' or 'later' "
        "of the two readings, 'reject' for an error that names both, or 'compatible' (shift "
        "forward over a gap, first of two readings)"
    ),
]


def zone(name: str | None, ctx: TimeContext) -> tzinfo:
    """Return the zone that a call means.

    Raises:
        ToolError: There is no zone of that name.
    """
    try:
        return zonesearch.resolve(name if name is not None else ctx.settings.default_timezone)
    except zonesearch.UnknownZoneError as exc:
        if exc.suggestions:
            raise
        tool = ctx.exposed_name("find_zone")
        raise ToolError(f"{exc}; {tool} looks one up by place, abbreviation or offset") from exc


def read_time(
    text: str, where: tzinfo, ctx: TimeContext, disambiguation: Disambiguation = "compatible"
) -> Resolved:
    """Read a time that was passed to a tool.

    Raises:
        ToolError: It is not ISO 8601, or does not exist in the zone and may not be shifted.
    """
    try:
        return moments.read(text, where, disambiguation)
    except moments.NotATimeError as exc:
        tool = ctx.exposed_name("parse")
        raise ToolError(f"{exc}; {tool} reads words such as 'next friday 3pm'") from exc


@contextmanager
def business_days_elsewhere(ctx: TimeContext) -> Iterator[None]:
    """Point to the tool that counts business days, where a duration is given in them.

    Raises:
        ToolError: It is.
    """
    try:
        yield
    except BusinessDaysError as exc:
        raise ToolError(f"{exc}; {ctx.exposed_name('business_days')} adds business days") from exc
