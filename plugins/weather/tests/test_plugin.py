"""The weather plugin, used by the official client, against a local Open-Meteo."""

import json
import threading
from typing import Any

import anyio
import pytest
from mcpkit_plugin_weather import plugin, weather
from mcpkit_plugin_weather.errors import UpstreamError
from mcpkit_plugin_weather.places import find_place
from mcpkit_plugin_weather.plugin import lifespan, mcpkit_health
from mcpkit_plugin_weather.settings import WeatherSettings

from mcpkit import MCPError, ResourceTemplateReference
from mcpkit.testing import assert_contract, connect

pytestmark = pytest.mark.anyio


def text_of(result: Any) -> str:
    return str(result.content[0].text)


@pytest.fixture(params=["auto", "legacy"])
def mode(request: pytest.FixtureRequest) -> Any:
    return request.param


async def test_it_keeps_the_plugin_contract(settings: Any) -> None:
    await assert_contract(weather=plugin, settings={"weather": settings})


async def test_current_conditions_have_words_units_and_a_local_time(
    settings: Any, mode: Any
) -> None:
    async with connect(weather=plugin, settings={"weather": settings}, mode=mode) as client:
        result = await client.call_tool("weather_current", {"city": "Oslo"})

    current = result.structured_content
    assert current is not None
    assert current["place"]["city"] == "Oslo, Norway"
    assert current["time"] == "2026-01-15T12:45:00+01:00"
    assert current["condition"] == "light rain"
    assert current["temperature"] == 3.4
    assert current["is_day"] is False
    assert current["units"] == {"temperature": "°C", "wind_speed": "km/h", "precipitation": "mm"}


async def test_units_are_asked_for_and_said(open_meteo: Any, settings: Any) -> None:
    async with connect(
        weather=plugin, settings={"weather": {**settings, "units": "imperial"}}
    ) as client:
        default = await client.call_tool("weather_current", {"city": "Oslo"})
        metric = await client.call_tool("weather_current", {"city": "Oslo", "units": "metric"})

    assert default.structured_content is not None
    assert default.structured_content["units"]["temperature"] == "°F"
    asked = [query for path, query in open_meteo.requests if path == "/v1/forecast"]
    assert asked[0]["temperature_unit"] == "fahrenheit"
    assert asked[0]["wind_speed_unit"] == "mph"
    assert "temperature_unit" not in asked[1]
    assert metric.structured_content is not None
    assert metric.structured_content["units"]["temperature"] == "°C"


async def test_forecasts_come_by_day_and_by_hour(settings: Any, mode: Any) -> None:
    async with connect(weather=plugin, settings={"weather": settings}, mode=mode) as client:
        daily = await client.call_tool("weather_forecast", {"city": "Oslo", "days": 3})
        hourly = await client.call_tool("weather_hourly_forecast", {"city": "Oslo", "hours": 5})

    assert daily.structured_content is not None
    assert [day["date"] for day in daily.structured_content["days"]] == [
        "2026-01-15",
        "2026-01-16",
        "2026-01-17",
    ]
    assert daily.structured_content["days"][0]["sunrise"] == "2026-01-15T09:01:00+01:00"
    assert hourly.structured_content is not None
    assert len(hourly.structured_content["hours"]) == 5
    assert hourly.structured_content["hours"][0]["time"] == "2026-01-15T12:00:00+01:00"


async def test_air_quality_is_told(settings: Any) -> None:
    async with connect(weather=plugin, settings={"weather": settings}) as client:
        result = await client.call_tool("weather_air_quality", {"city": "59.91,10.75"})

    air = result.structured_content
    assert air is not None
    assert air["european_aqi"] == 21
    assert air["place"]["timezone"] == "Europe/Oslo"


async def test_an_ambiguous_city_is_offered_back_and_can_be_chosen(settings: Any) -> None:
    async with connect(weather=plugin, settings={"weather": settings}) as client:
        ambiguous = await client.call_tool("weather_current", {"city": "Springfield"})
        offered = [line.split("'")[1] for line in text_of(ambiguous).splitlines()[1:]]
        chosen = await client.call_tool("weather_current", {"city": offered[2]})
        short = await client.call_tool("weather_current", {"city": "Springfield, MA, US"})

    assert ambiguous.is_error
    assert offered[0] == "Springfield, Missouri, United States"
    assert "154,341 inhabitants" in text_of(ambiguous)
    assert chosen.structured_content is not None
    assert chosen.structured_content["place"]["latitude"] == 39.8
    assert short.structured_content is not None
    assert "Massachusetts" in short.structured_content["place"]["city"]


async def test_a_far_bigger_city_of_the_name_is_meant(settings: Any) -> None:
    async with connect(weather=plugin, settings={"weather": settings}) as client:
        big = await client.call_tool("weather_current", {"city": "oslo"})
        small = await client.call_tool("weather_current", {"city": "Oslo, Minnesota"})

    assert big.structured_content is not None
    assert big.structured_content["place"]["city"] == "Oslo, Norway"
    assert small.structured_content is not None
    assert small.structured_content["place"]["population"] == 330


@pytest.mark.parametrize(
    ("city", "said"),
    [
        ("Olso", "Did you mean 'Oslo'"),
        ("Xyzzyville", "Check the spelling"),
        ("x", "too short"),
        ("91,10", "off the globe"),
        ("Oslo, Japan", "No place called"),
    ],
)
async def test_a_place_that_is_none_says_what_to_try(settings: Any, city: str, said: str) -> None:
    async with connect(weather=plugin, settings={"weather": settings}) as client:
        result = await client.call_tool("weather_forecast", {"city": city})

    assert result.is_error
    assert said in text_of(result)


async def test_places_are_found_with_coordinates(settings: Any) -> None:
    async with connect(weather=plugin, settings={"weather": settings}) as client:
        result = await client.call_tool("weather_find_city", {"name": "Spring", "count": 2})

    assert result.structured_content is not None
    places = result.structured_content["places"]
    assert [place["city"] for place in places] == [
        "Springfield, Missouri, United States",
        "Springfield, Massachusetts, United States",
    ]


async def test_the_resource_and_the_prompt_and_completion(settings: Any, mode: Any) -> None:
    async with connect(weather=plugin, settings={"weather": settings}, mode=mode) as client:
        resource = await client.read_resource("weather://Oslo/current")
        prompt = await client.get_prompt("weather_packing", {"city": "Oslo", "days": "3"})
        reference = ResourceTemplateReference(uri="weather://{city}/current")
        await client.call_tool("weather_current", {"city": "Honolulu"})
        completed = await client.complete(reference, {"name": "city", "value": "ho"})
        with pytest.raises(MCPError, match="Did you mean 'Oslo'"):
            await client.read_resource("weather://Olso/current")

    content = resource.contents[0]
    assert content.mime_type == "application/json"
    assert json.loads(content.text)["temperature"] == 3.4  # type: ignore[union-attr]
    assert "Oslo for 3 days" in prompt.messages[0].content.text  # type: ignore[union-attr]
    assert completed.completion.values[:2] == ["Honolulu, Hawaii, United States", "Hong Kong"]


async def test_equal_requests_are_sent_once(open_meteo: Any, settings: Any) -> None:
    release = threading.Event()
    body = json.dumps({"results": [], "generationtime_ms": 1}).encode()
    slow: Any = lambda: (release.wait(5), (200, {}, body))[1]  # noqa: E731
    open_meteo.scripted.append(slow)

    async with connect(weather=plugin, settings={"weather": settings}) as client:
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(client.call_tool, "weather_find_city", {"name": "Nowhere"})
            await anyio.sleep(0.2)
            release.set()
        await client.call_tool("weather_current", {"city": "Oslo"})
        await client.call_tool("weather_current", {"city": "Oslo"})

    paths = [path for path, _ in open_meteo.requests]
    assert paths == ["/v1/search", "/v1/search", "/v1/forecast"]


@pytest.mark.parametrize(
    "passing",
    [
        (503, {}, b"down"),
        (500, {}, b"oops"),
        (503, {"Retry-After": "1"}, b"soon"),
    ],
)
async def test_a_failure_in_passing_is_retried(
    open_meteo: Any, settings: Any, passing: Any
) -> None:
    open_meteo.scripted += [passing, passing]
    async with connect(weather=plugin, settings={"weather": settings}) as client:
        result = await client.call_tool("weather_current", {"city": "59.91,10.75"})

    assert not result.is_error
    assert len(open_meteo.requests) == 3


BAD: dict[str, tuple[Any, str, int]] = {
    "down": ((503, {}, b""), "has a problem on its side (HTTP 503)", 3),
    "quota": (
        (429, {}, b'{"error":true,"reason":"Daily API request limit exceeded."}'),
        "rate limited",
        1,
    ),
    "minutely": (
        (429, {}, b'{"error":true,"reason":"Minutely API request limit exceeded."}'),
        "before one minute has passed",
        1,
    ),
    "long wait": ((429, {"Retry-After": "3600"}, b""), "before 3600 seconds", 1),
    "refused": (
        (400, {}, b'{"error":true,"reason":"Latitude must be in range."}'),
        "Latitude must be in range",
        1,
    ),
    "garbage": ((200, {}, b"<html>hello"), "cannot be understood", 1),
    "wrong shape": ((200, {}, b'{"current": 3}'), "cannot be understood", 1),
    "empty": (
        (
            200,
            {},
            b'{"latitude":1,"longitude":1,"timezone":"UTC","current":{"time":"2026-01-01T00:00"}}',
        ),
        "no data for that place",
        1,
    ),
    "redirect": ((302, {"Location": "http://127.0.0.1:1/"}, b""), "cannot be understood", 1),
    "huge": ((200, {}, b"x" * 3_000_000), "cannot be understood", 1),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_failing_upstream_gives_the_model_a_usable_error(
    open_meteo: Any, settings: Any, name: str
) -> None:
    answer, said, requests = BAD[name]
    open_meteo.scripted += [answer] * 3
    async with connect(weather=plugin, settings={"weather": settings}) as client:
        result = await client.call_tool("weather_current", {"city": "59.91,10.75"})

    assert result.is_error
    assert said in text_of(result)
    assert "http" not in text_of(result).lower().replace("(http 503)", "")
    assert len(open_meteo.requests) == requests


async def test_lists_of_different_lengths_are_nonsense(open_meteo: Any, settings: Any) -> None:
    names = ["temperature_2m", "precipitation_probability", "precipitation", "wind_speed_10m"]
    hourly = {"time": ["2026-01-01T00:00"], "weather_code": [1, 2], **{n: [1] for n in names}}
    body = {"latitude": 1, "longitude": 1, "timezone": "UTC", "hourly": hourly}
    open_meteo.scripted.append((200, {}, json.dumps(body).encode()))
    async with connect(weather=plugin, settings={"weather": settings}) as client:
        result = await client.call_tool("weather_hourly_forecast", {"city": "1,1"})

    assert "cannot be understood" in text_of(result)


async def test_an_upstream_that_is_not_there_or_hangs_is_told(
    open_meteo: Any, settings: Any
) -> None:
    release = threading.Event()
    hang: Any = lambda: (release.wait(5), (200, {}, b"{}"))[1]  # noqa: E731
    open_meteo.scripted += [hang]
    hasty = {**settings, "timeout": 0.2, "retries": 0}
    nowhere = {**settings, "forecast_url": "http://127.0.0.1:1", "retries": 1}
    async with connect(weather=plugin, settings={"weather": hasty}) as client:
        slow = await client.call_tool("weather_current", {"city": "1,1"})
        release.set()
    async with connect(weather=plugin, settings={"weather": nowhere}) as client:
        gone = await client.call_tool("weather_current", {"city": "1,1"})

    assert "did not answer in time" in text_of(slow)
    assert "cannot be reached" in text_of(gone)


@pytest.mark.parametrize(
    ("answer", "said"), [("down", "has a problem on its side"), ("drip", "did not answer")]
)
async def test_three_failures_in_a_row_make_it_not_ready(
    open_meteo: Any, settings: Any, answer: str, said: str
) -> None:
    open_meteo.scripted += [open_meteo.drip if answer == "drip" else (503, {}, b"")] * 3
    section = WeatherSettings(**{**settings, "retries": 0, "deadline": 1.0})
    async with lifespan(section) as state:
        place = await find_place(state.client, "1,1", language="en")
        before = mcpkit_health(state)
        for _ in range(3):
            with pytest.raises(UpstreamError):
                await weather.current(state.client, place, "metric")
        failing = mcpkit_health(state)
        await weather.current(state.client, place, "metric")
        after = mcpkit_health(state)

    assert before.ready is True
    assert failing.ready is False
    assert said in failing.message
    assert after.ready is True


async def test_a_customer_key_is_sent_and_never_told(
    open_meteo: Any, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    section = {**settings, "api_key": "top-secret-key"}
    open_meteo.scripted.append((403, {}, b'{"error":true,"reason":"The API key is wrong"}'))
    async with connect(weather=plugin, settings={"weather": section}) as client:
        result = await client.call_tool("weather_current", {"city": "1,1"})

    assert open_meteo.requests[0][1]["apikey"] == "top-secret-key"
    assert "The operator has to check" in text_of(result)
    told = caplog.text.replace("open_meteo", "")
    ours = [r.getMessage() for r in caplog.records if not r.name.startswith("httpcore2")]
    assert told
    assert not any("top-secret-key" in message for message in ours)
