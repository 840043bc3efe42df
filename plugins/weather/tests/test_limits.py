"""Limits: of time, whatever Open-Meteo does, and of sizes, whoever sends them."""

import json
import threading
import time
from typing import Any

import anyio
import pytest
from mcpkit_plugin_weather import plugin
from mcpkit_plugin_weather.places import MAX_LENGTH

from mcpkit import MCPError
from mcpkit.testing import Client, connect

pytestmark = pytest.mark.anyio

HUGE = "x" * 1_000_000

FOUND = {"name": "Oslo", "latitude": 1, "longitude": 1}
NOW = {"latitude": 1, "longitude": 1, "timezone": "UTC", "current": {"time": "2026-01-01T00:00"}}


def text_of(result: Any) -> str:
    return str(result.content[0].text)


def body(answer: Any) -> Any:
    return 200, {}, json.dumps(answer).encode()


async def timed(client: Client, tool: str, arguments: dict[str, Any]) -> tuple[Any, float]:
    begun = time.monotonic()
    with anyio.fail_after(20):
        result = await client.call_tool(f"weather_{tool}", arguments)
    return result, time.monotonic() - begun


@pytest.mark.parametrize("tool", ["current", "forecast", "hourly_forecast", "air_quality"])
async def test_the_deadline_covers_all_tries_of_a_server_that_drips(
    open_meteo: Any, settings: Any, tool: str
) -> None:
    open_meteo.scripted += [open_meteo.drip] * 8
    section = {**settings, "deadline": 1.2, "retries": 3}
    async with connect(weather=plugin, settings={"weather": section}) as client:
        result, seconds = await timed(client, tool, {"city": "Oslo"})

    assert "did not answer" in text_of(result)
    assert 1.2 <= seconds < 2.5


async def test_the_deadline_covers_the_search_of_the_place_and_its_weather(
    open_meteo: Any, settings: Any
) -> None:
    wait = threading.Event()

    def slow() -> Any:
        wait.wait(0.7)
        return body({"results": [FOUND]})

    open_meteo.scripted += [slow, open_meteo.drip]
    section = {**settings, "timeout": 0.9, "deadline": 1.0, "retries": 0}
    async with connect(weather=plugin, settings={"weather": section}) as client:
        result, seconds = await timed(client, "current", {"city": "Oslo"})

    assert "did not answer within 1 seconds" in text_of(result)
    assert 1.0 <= seconds < 2.5
    assert [path for path, _ in open_meteo.requests] == ["/v1/search", "/v1/forecast"]


async def test_the_deadline_covers_the_waits_between_tries(open_meteo: Any, settings: Any) -> None:
    open_meteo.scripted += [(503, {}, b"")] * 20
    section = {**settings, "deadline": 1.0, "retries": 10}
    async with connect(weather=plugin, settings={"weather": section}) as client:
        result, seconds = await timed(client, "find_city", {"name": "Oslo"})

    assert result.is_error
    assert seconds < 3


async def test_the_deadline_covers_a_read_of_the_resource(open_meteo: Any, settings: Any) -> None:
    open_meteo.scripted += [open_meteo.drip] * 4
    section = {**settings, "deadline": 0.5}
    async with connect(weather=plugin, settings={"weather": section}) as client:
        begun = time.monotonic()
        with pytest.raises(MCPError, match="did not answer"):
            await client.read_resource("weather://Oslo/current")

    assert time.monotonic() - begun < 1.5


async def test_who_still_waits_gets_the_answer_when_another_gives_up(
    open_meteo: Any, settings: Any
) -> None:
    release = threading.Event()

    def slow() -> Any:
        release.wait(5)
        return body({"results": [FOUND]})

    open_meteo.scripted.append(slow)
    answered: list[Any] = []
    async with connect(weather=plugin, settings={"weather": settings}) as client:

        async def stay() -> None:
            answered.append(await client.call_tool("weather_find_city", {"name": "Oslo"}))

        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                with anyio.move_on_after(0.3):
                    tasks.start_soon(stay)
                    await client.call_tool("weather_find_city", {"name": "Oslo"})
                release.set()

    assert not answered[0].is_error
    assert len(open_meteo.requests) == 1


async def test_a_request_that_nobody_waits_for_any_more_is_ended(
    open_meteo: Any, settings: Any
) -> None:
    open_meteo.scripted.append(open_meteo.drip)
    section = {**settings, "timeout": 60, "deadline": 0.3}
    async with connect(weather=plugin, settings={"weather": section}) as client:
        await client.call_tool("weather_find_city", {"name": "Oslo"})

        assert await anyio.to_thread.run_sync(open_meteo.left.wait, 10)


@pytest.mark.parametrize(
    ("tool", "name"),
    [
        ("find_city", "name"),
        ("current", "city"),
        ("forecast", "city"),
        ("hourly_forecast", "city"),
        ("air_quality", "city"),
    ],
)
async def test_a_name_that_is_too_long_is_refused_by_name_and_asked_of_nobody(
    open_meteo: Any, settings: Any, tool: str, name: str
) -> None:
    async with connect(weather=plugin, settings={"weather": settings}) as client:
        for city in (HUGE, "x" * (MAX_LENGTH + 1)):
            result = await client.call_tool(f"weather_{tool}", {name: city})

            assert result.is_error
            assert f": {name} " in text_of(result)
            assert f"at most {MAX_LENGTH} characters" in text_of(result)
            assert len(text_of(result)) < 300
        longest = await client.call_tool(f"weather_{tool}", {name: "x" * MAX_LENGTH})

    assert "No place called" in text_of(longest)
    assert len(open_meteo.requests) == 1


async def test_a_long_name_in_the_resource_or_the_prompt_is_refused(
    open_meteo: Any, settings: Any
) -> None:
    async with connect(weather=plugin, settings={"weather": settings}) as client:
        with pytest.raises(MCPError, match="too long for a place"):
            await client.read_resource(f"weather://{'x' * 5000}/current")
        with pytest.raises(MCPError, match=r"city .*at most"):
            await client.get_prompt("weather_packing", {"city": HUGE})

    assert open_meteo.requests == []


@pytest.mark.parametrize("city", ["\0\0", "\n\t\v", "a\ud800b", "%00%2e%2e/", "??&name=Oslo#"])
async def test_odd_characters_are_no_internal_error(settings: Any, city: str) -> None:
    async with connect(weather=plugin, settings={"weather": settings}) as client:
        result = await client.call_tool("weather_current", {"city": city})

    assert result.is_error
    assert "Internal error" not in text_of(result)


@pytest.mark.parametrize(
    "answer",
    [
        {"results": [{**FOUND, "name": "x" * 1000}]},
        {"results": [{**FOUND, "timezone": "x" * 1000}]},
        {"results": [{**FOUND, "population": -1}]},
        {"results": [FOUND] * 101},
    ],
)
async def test_places_larger_than_life_are_not_kept(
    open_meteo: Any, settings: Any, answer: Any
) -> None:
    open_meteo.scripted.append(body(answer))
    async with connect(weather=plugin, settings={"weather": settings}) as client:
        result = await client.call_tool("weather_find_city", {"name": "Oslo"})

    assert "cannot be understood" in text_of(result)


async def test_numbers_that_json_does_not_know_are_nonsense(open_meteo: Any, settings: Any) -> None:
    answer = {**NOW, "current": {**NOW["current"], "temperature_2m": float("nan")}}  # type: ignore[dict-item]
    open_meteo.scripted.append(body(answer))
    async with connect(weather=plugin, settings={"weather": settings}) as client:
        result = await client.call_tool("weather_current", {"city": "1,1"})

    assert "cannot be understood" in text_of(result)


@pytest.mark.parametrize("zone", ["Europe", "../../etc/passwd", "Mars/Base", ""])
async def test_a_zone_that_is_none_leaves_times_without_offset(
    open_meteo: Any, settings: Any, zone: str
) -> None:
    current = {"time": "2026-01-01T00:00", "temperature_2m": 1}
    open_meteo.scripted.append(body({**NOW, "timezone": zone, "current": current}))
    async with connect(weather=plugin, settings={"weather": settings}) as client:
        result = await client.call_tool("weather_current", {"city": "1,1"})

    assert result.structured_content is not None
    assert result.structured_content["time"] == "2026-01-01T00:00:00"
