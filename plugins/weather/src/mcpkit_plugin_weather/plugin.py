"""The plugin object, its state, and what its handlers share."""

from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

import anyio

from mcpkit import Context, Health, Plugin

from .client import OpenMeteo, open_client
from .errors import DeadlineError
from .settings import WeatherSettings

REMEMBERED = 100
"""Cities that completion offers: those asked for last."""

FAILING = 3
"""Failures in a row after which the plugin is not ready."""

plugin = Plugin(
    settings=WeatherSettings,
    instructions="Weather by city name. When a name is ambiguous, the error lists places to "
    "choose from; pass one of them as city. Times are local to the place.",
)


@dataclass
class State:
    """State of the plugin, as long as the server runs.

    Attributes:
        client: Asks Open-Meteo.
        recent: Cities asked for lately, the last one first.
    """

    client: OpenMeteo
    recent: OrderedDict[str, None] = field(default_factory=OrderedDict)

    def remember(self, city: str) -> None:
        """Keep a city for completion."""
        self.recent[city] = None
        self.recent.move_to_end(city, last=False)
        while len(self.recent) > REMEMBERED:
            self.recent.popitem()


WeatherContext = Context[WeatherSettings, State]


@plugin.lifespan
@asynccontextmanager
async def lifespan(settings: WeatherSettings) -> AsyncIterator[State]:
    """One HTTP client for all calls; nothing is sent before the first."""
    async with open_client(settings) as client:
        yield State(client)


@contextmanager
def within_deadline(ctx: WeatherContext) -> Iterator[None]:
    """Limit the time of a whole call: searches, requests, retries and the waits between them.

    Raises:
        DeadlineError: The time is up.
    """
    seconds = ctx.settings.deadline
    try:
        with anyio.fail_after(seconds):
            yield
    except TimeoutError as exc:
        error = DeadlineError(seconds)
        ctx.state.client.tally.fail(error)
        raise error from exc


@plugin.hookimpl
def mcpkit_health(state: State) -> Health:
    """Whether Open-Meteo answered lately; nothing is sent."""
    tally = state.client.tally
    data = {"requests": tally.requests, "failures_in_a_row": tally.failures}
    if tally.failures < FAILING:
        return Health(data=data)
    return Health(ready=False, message=f"Open-Meteo fails: {tally.last_error}", data=data)
