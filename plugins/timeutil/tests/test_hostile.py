"""Hostile arguments: they cost no more than their size, and other plugins do not wait for them."""

import difflib
import sys
import time
from collections.abc import Iterator
from types import FrameType, ModuleType
from typing import Any

import anyio
import pytest
from mcpkit_plugin_timeutil import occurrences, plugin, recurrence, zonesearch

from mcpkit import MCPError, Plugin, ToolError
from mcpkit.testing import Client, connect

pytestmark = pytest.mark.anyio

HUGE = "x" * 1_000_000

RARE = {"expression": "FREQ=HOURLY;INTERVAL=168;BYDAY=TU", "start": "2026-03-28"}
"""A rule that never occurs, for a reason that only a search could find: it uses up its budget."""


def make_neighbour() -> Plugin:
    neighbour = Plugin()

    @neighbour.tool()
    async def ping() -> str:
        """Answer at once."""
        return "pong"

    return neighbour


async def search(client: Client) -> None:
    result = await client.call_tool("timeutil_next_occurrences", RARE)
    assert "matches are too rare" in str(result.content)


async def test_a_neighbour_answers_while_twenty_hostile_searches_run() -> None:
    answered = 0
    with anyio.fail_after(60):
        async with connect(timeutil=plugin, neighbour=make_neighbour()) as client:
            await search(client)
            begun = time.process_time()
            async with anyio.create_task_group() as tasks:
                for _ in range(20):
                    tasks.start_soon(search, client)
                while time.process_time() - begun < 10 * occurrences.SEARCH_SECONDS:
                    answered += not (await client.call_tool("neighbour_ping")).is_error
            spent = time.process_time() - begun

    assert answered > 10
    assert spent < 2 * 20 * occurrences.SEARCH_SECONDS


@pytest.fixture
def often() -> Iterator[None]:
    """Let threads take turns much more often, so that a look finds them at work."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.parametrize(
    ("tool", "arguments", "module"),
    [
        ("next_occurrences", RARE, recurrence),
        ("find_zone", {"query": "zzyzzyqzzyzzyqzzyzzyq"}, difflib),
        ("now", {"timezone": "zzyzzyqzzyzzyqzzyzzyq"}, difflib),
    ],
)
async def test_searches_run_one_at_a_time(
    often: None, tool: str, arguments: dict[str, Any], module: ModuleType
) -> None:
    left, most = 5, 0
    with anyio.fail_after(60):
        async with connect(timeutil=plugin) as client, anyio.create_task_group() as tasks:

            async def run() -> None:
                nonlocal left
                assert (await client.call_tool(f"timeutil_{tool}", arguments)).is_error
                left -= 1

            for _ in range(left):
                tasks.start_soon(run)
            while left:
                await anyio.lowlevel.checkpoint()
                frames = sys._current_frames().values()
                most = max(most, sum(runs(frame, module) for frame in frames))

    assert most == 1


def runs(frame: FrameType | None, module: ModuleType) -> bool:
    """Whether a thread is in a function of a module."""
    while frame is not None and frame.f_code.co_filename != module.__file__:
        frame = frame.f_back
    return frame is not None


@pytest.mark.parametrize(
    ("tool", "arguments", "name"),
    [
        ("now", {"timezone": HUGE}, "timezone"),
        ("convert", {"time": HUGE, "to_timezone": "UTC"}, "time"),
        ("convert", {"time": "2026-01-01", "to_timezone": HUGE}, "to_timezone"),
        ("convert", {"time": "2026-01-01", "to_timezone": "UTC", "from_timezone": HUGE}, "from_"),
        ("difference", {"start": HUGE, "end": "2026-01-01"}, "start"),
        ("difference", {"start": "2026-01-01", "end": "2026-01-01", "end_timezone": HUGE}, "end_"),
        ("add", {"time": "2026-01-01", "duration": HUGE}, "duration"),
        ("parse", {"text": HUGE}, "text"),
        ("parse", {"text": "tomorrow", "reference": HUGE}, "reference"),
        ("next_occurrences", {"expression": HUGE}, "expression"),
        ("next_occurrences", {"expression": "@daily", "start": HUGE}, "start"),
        ("business_days", {"start": HUGE, "add": 1}, "start"),
        ("business_days", {"end": HUGE}, "end"),
        ("business_days", {"add": 1, "holidays": ["2026-01-01"] * 100_000}, "holidays"),
        ("business_days", {"add": 1, "weekend": ["monday"] * 100_000}, "weekend"),
        ("business_days", {"add": 1, "country": HUGE}, "country"),
        ("find_zone", {"query": HUGE}, "query"),
    ],
)
async def test_an_argument_that_is_too_long_is_refused_by_name_at_once(
    tool: str, arguments: dict[str, Any], name: str
) -> None:
    with anyio.fail_after(20):
        async with connect(timeutil=plugin) as client:
            begun = time.process_time()
            result = await client.call_tool(f"timeutil_{tool}", arguments)
            spent = time.process_time() - begun

    said = str(result.content)
    assert result.is_error
    assert "Invalid arguments" in said
    assert name in said
    assert len(said) < 500
    assert spent < 0.3


@pytest.mark.parametrize("name", ["timezones", "duration", "when", "working_hours"])
async def test_an_argument_of_the_prompt_that_is_too_long_is_refused_by_name(name: str) -> None:
    with anyio.fail_after(20):
        async with connect(timeutil=plugin) as client:
            with pytest.raises(MCPError, match=f"{name} .*at most") as refused:
                await client.get_prompt(
                    "timeutil_schedule_meeting", {"timezones": "Europe/Oslo", name: HUGE}
                )

    assert len(str(refused.value)) < 500


@pytest.mark.parametrize(
    "query",
    [
        HUGE,
        "x" * 64,
        "\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}" * 64,
        "a" * 64,
        "|" * 64,
        "a, " * 21,
    ],
)
def test_a_search_for_a_zone_costs_little_whatever_it_is_for(query: str) -> None:
    zonesearch.search("warm up")  # reads the zones and the gazetteer
    begun = time.thread_time()

    zonesearch.search(query)
    zonesearch.suggest(query)
    zonesearch.complete(query)
    with pytest.raises(ToolError) as unknown:
        zonesearch.resolve(query)

    assert time.thread_time() - begun < 0.2
    assert len(str(unknown.value)) < 300
