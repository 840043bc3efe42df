"""The plugin object, and the parameters that several tools share."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated
from zoneinfo import ZoneInfo

import mcp_types as types
from pydantic import Field

from mcpkit import Context, Plugin, WorkerThreads

from . import zones
from .moments import Disambiguation
from .settings import TimeutilSettings

plugin = Plugin(
    settings=TimeutilSettings,
    instructions=(
        "Use the timeutil tools for the current time and for any calculation with dates, times or "
        "zones, instead of working them out. Zones are IANA names such as Europe/Oslo; pass on the "
        "notes that tell of clock changes."
    ),
)

READ_ONLY = types.ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)

MAX_NAME = 64
"""Longest name of a zone or place that is looked up, in characters."""


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
        description="IANA time zone such as Europe/Oslo; the operator's default when left out",
        max_length=MAX_NAME,
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


def zone(name: str | None, settings: TimeutilSettings) -> ZoneInfo:
    """Return the zone that a call means.

    Raises:
        ToolError: There is no zone of that name.
    """
    return zones.find(name if name is not None else settings.default_timezone)
