"""The whole plugin through the in-memory client."""

import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import pytest
from mcpkit_plugin_timeutil import plugin

from mcpkit import (
    MCPError,
    MCPKitError,
    PromptReference,
    ReadResourceResult,
    ResourceTemplateReference,
    TextContent,
    TextResourceContents,
)
from mcpkit.testing import Client, assert_contract, connect

pytestmark = pytest.mark.anyio

ZONE_TEMPLATE = ResourceTemplateReference(uri="timeutil://zones/{+zone}")
MEETING = PromptReference(name="timeutil_schedule_meeting")


def serve(**settings: Any) -> AbstractAsyncContextManager[Client]:
    @asynccontextmanager
    async def serving() -> AsyncIterator[Client]:
        with anyio.fail_after(20):
            async with connect(timeutil=plugin, settings={"timeutil": settings}) as client:
                yield client

    return serving()


async def call(tool: str, /, settings: dict[str, Any] | None = None, **arguments: Any) -> Any:
    async with serve(**(settings or {})) as client:
        result = await client.call_tool(f"timeutil_{tool}", arguments)
    assert not result.is_error, result.content
    return result.structured_content


async def refusal(tool: str, /, **arguments: Any) -> str:
    async with serve() as client:
        result = await client.call_tool(f"timeutil_{tool}", arguments)
    assert result.is_error
    assert isinstance(result.content[0], TextContent)
    return result.content[0].text


async def test_the_plugin_keeps_the_contract() -> None:
    with anyio.fail_after(60):
        await assert_contract(timeutil=plugin)


async def test_every_tool_is_read_only_and_describes_all_parameters() -> None:
    async with serve() as client:
        tools = (await client.list_tools()).tools

    assert [tool.name.removeprefix("timeutil_") for tool in tools] == [
        "add",
        "business_days",
        "convert",
        "difference",
        "find_zone",
        "next_occurrences",
        "now",
        "parse",
    ]
    for tool in tools:
        assert tool.annotations is not None
        assert tool.annotations.read_only_hint is True
        assert tool.annotations.open_world_hint is False
        assert tool.output_schema is not None
        for name, schema in tool.input_schema["properties"].items():
            assert schema.get("description"), f"{tool.name}.{name}"


async def test_now_is_now_in_the_zone() -> None:
    answer = await call("now", timezone="Asia/Tokyo")

    assert abs(datetime.fromisoformat(answer["iso"]) - datetime.now(UTC)) < timedelta(seconds=30)
    assert answer["utc_offset"] == "+09:00"
    assert answer["abbreviation"] == "JST"
    assert answer["is_dst"] is False


async def test_the_default_zone_is_a_setting() -> None:
    answer = await call("now", {"default_timezone": "Asia/Tokyo"})

    assert answer["timezone"] == "Asia/Tokyo"


async def test_a_default_zone_that_does_not_exist_is_refused() -> None:
    with pytest.raises(MCPKitError, match=r"Did you mean 'Europe/Oslo'\?"):
        async with serve(default_timezone="Europe/Olso"):
            pass


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("now", {"timezone": "Europe/Olso"}),
        ("convert", {"time": "2026-01-01", "to_timezone": "Europe/Olso"}),
        ("convert", {"time": "2026-01-01", "to_timezone": "UTC", "from_timezone": "Europe/Olso"}),
        ("difference", {"start": "2026-01-01", "end": "2026-01-02", "timezone": "Europe/Olso"}),
        ("difference", {"start": "2026-01-01", "end": "2026-01-02", "end_timezone": "Europe/Olso"}),
        ("add", {"time": "2026-01-01", "duration": "1 day", "timezone": "Europe/Olso"}),
        ("parse", {"text": "tomorrow", "timezone": "Europe/Olso"}),
        ("next_occurrences", {"expression": "@daily", "timezone": "Europe/Olso"}),
    ],
)
async def test_a_misspelt_zone_anywhere_gets_a_suggestion(
    tool: str, arguments: dict[str, Any]
) -> None:
    said = await refusal(tool, **arguments)

    assert said == "Unknown time zone 'Europe/Olso'. Did you mean 'Europe/Oslo'?"


@pytest.mark.parametrize(("prefix", "shown"), [(None, "timeutil_"), ("when", "when_"), ("", "")])
@pytest.mark.parametrize(
    ("tool", "arguments", "named"),
    [
        ("now", {"timezone": "xyzzyq"}, "find_zone"),
        ("convert", {"time": "noon", "to_timezone": "UTC"}, "parse"),
        ("add", {"time": "2026-01-01", "duration": "3 business days"}, "business_days"),
        ("parse", {"text": "in 3 business days"}, "business_days"),
        ("business_days", {"start": "tomorrow", "add": 1}, "parse"),
    ],
)
async def test_errors_name_tools_as_clients_see_them(
    prefix: str | None, shown: str, tool: str, arguments: dict[str, Any], named: str
) -> None:
    async with serve(**({} if prefix is None else {"prefix": prefix})) as client:
        result = await client.call_tool(f"{shown}{tool}", arguments)

    assert result.is_error
    said = str(result.content)
    assert f" {shown}{named} " in said.replace("text='", " ")


async def test_the_meeting_prompt_names_tools_as_clients_see_them() -> None:
    async with serve(prefix="when") as client:
        prompt = await client.get_prompt("when_schedule_meeting", {"timezones": "UTC"})

    said = str(prompt.messages)
    assert "Use when_now" in said
    assert "timeutil_" not in said


async def test_convert_tells_of_a_gap() -> None:
    answer = await call(
        "convert",
        time="2026-03-29T02:30",
        from_timezone="Europe/Oslo",
        to_timezone="America/New_York",
    )

    assert answer["source"]["iso"] == "2026-03-29T03:30:00+02:00"
    assert answer["target"]["iso"] == "2026-03-28T21:30:00-04:00"
    assert answer["day_shift"] == -1
    assert "does not exist in Europe/Oslo" in answer["notes"][0]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [("earlier", "2026-10-25T00:30:00+00:00"), ("later", "2026-10-25T01:30:00+00:00")],
)
async def test_convert_offers_both_readings_of_a_fold(choice: str, expected: str) -> None:
    answer = await call(
        "convert",
        time="2026-10-25T02:30",
        from_timezone="Europe/Oslo",
        to_timezone="UTC",
        disambiguation=choice,
    )

    assert answer["target"]["iso"] == expected


async def test_convert_rejects_a_gap_when_told_to() -> None:
    said = await refusal(
        "convert",
        time="2026-03-08T02:30",
        from_timezone="America/New_York",
        to_timezone="UTC",
        disambiguation="reject",
    )

    assert "does not exist in America/New_York" in said
    assert "2026-03-08T03:30:00-04:00" in said


async def test_difference_tells_elapsed_from_calendar() -> None:
    answer = await call(
        "difference", start="2026-03-28T12:00", end="2026-03-29T12:00", timezone="Europe/Oslo"
    )

    assert (answer["elapsed_seconds"], answer["elapsed"]) == (82_800, "PT23H")
    assert (answer["calendar"], answer["calendar_words"]) == ("P1D", "1 day")


async def test_difference_between_zones_is_elapsed_time() -> None:
    answer = await call(
        "difference",
        start="2026-06-01T12:00",
        end="2026-06-01T12:00",
        timezone="Europe/Oslo",
        end_timezone="America/New_York",
    )

    assert answer["elapsed_words"] == "6 hours"


async def test_add_says_what_the_other_counting_gives() -> None:
    answer = await call("add", time="2026-03-28T12:00", duration="1 day", timezone="Europe/Oslo")

    assert answer["result"]["iso"] == "2026-03-29T12:00:00+02:00"
    assert answer["elapsed_seconds"] == 82_800
    assert answer["notes"] == [
        "The clock changes on the way: with counting='elapsed' it is 2026-03-29T13:00:00+02:00"
    ]


async def test_parse_reads_words_relative_to_a_reference() -> None:
    answer = await call(
        "parse", text="next friday 3pm", timezone="Europe/Oslo", reference="2026-11-21T12:00"
    )

    assert answer["moment"]["iso"] == "2026-11-27T15:00:00+01:00"
    assert answer["has_time"] is True


@pytest.mark.parametrize("expression", ["30 9 * * MON-FRI", "FREQ=DAILY;BYHOUR=9;BYMINUTE=30"])
async def test_next_occurrences_of_cron_and_rule(expression: str) -> None:
    answer = await call(
        "next_occurrences",
        expression=expression,
        timezone="Europe/Oslo",
        start="2026-11-23T00:00",
        count=2,
    )

    assert [moment["iso"] for moment in answer["occurrences"]] == [
        "2026-11-23T09:30:00+01:00",
        "2026-11-24T09:30:00+01:00",
    ]


@pytest.mark.parametrize("count", [0, -1, 101, 10**30])
async def test_the_count_of_occurrences_is_bounded(count: int) -> None:
    said = await refusal("next_occurrences", expression="* * * * *", count=count)

    assert "count" in said


async def test_business_days_are_counted_and_added() -> None:
    counted = await call("business_days", start="2026-11-20", end="2026-11-27")
    added = await call("business_days", start="2026-11-20", add=5)

    assert counted == added
    assert counted["business_days"] == 5
    assert counted["calendar_days"] == 7


async def test_weekend_and_holidays_are_settings_and_parameters() -> None:
    settings = {"weekend": ["friday", "saturday"], "holidays": ["2026-11-22"]}
    answer = await call("business_days", settings, start="2026-11-19", add=1)
    own = await call(
        "business_days", settings, start="2026-11-19", add=1, weekend=[], holidays=["2026-11-20"]
    )

    assert answer["end"] == "2026-11-23"
    assert answer["weekend"] == ["friday", "saturday"]
    assert own["end"] == "2026-11-21"


@pytest.mark.parametrize("arguments", [{}, {"end": "2026-01-01", "add": 1}])
async def test_business_days_wants_either_end_or_add(arguments: dict[str, Any]) -> None:
    assert "either end" in await refusal("business_days", **arguments)


async def test_business_days_wants_dates() -> None:
    said = await refusal("business_days", start="tomorrow", add=1)

    assert said.startswith("'tomorrow' is not a date")


async def test_find_zone_finds_by_city_and_forgives_misspelling() -> None:
    exact = await call("find_zone", query="new york")
    similar = await call("find_zone", query="olso")

    assert exact["matches"][0]["timezone"] == "America/New_York"
    assert exact["exact"] is True
    assert similar["matches"][0]["timezone"] == "Europe/Oslo"
    assert similar["matches"][0]["countries"] == ["Norway"]
    assert similar["exact"] is False


async def test_find_zone_asks_when_the_query_can_mean_several_clocks() -> None:
    answer = await call("find_zone", query="USA", limit=3)

    assert [match["timezone"] for match in answer["matches"]] == [
        "America/New_York",
        "America/Chicago",
        "America/Los_Angeles",
    ]
    assert answer["matches"][0]["place"] == "United States"
    assert "ask the user for the city" in answer["notes"][0]


async def test_a_fixed_offset_that_was_found_can_be_passed_on() -> None:
    found = await call("find_zone", query="GMT+1")
    zone = found["matches"][0]["timezone"]
    answer = await call("convert", time="2026-07-01T12:00Z", to_timezone=zone)

    assert (zone, found["matches"][0]["utc_offset"]) == ("UTC+01:00", "+01:00")
    assert answer["target"]["iso"] == "2026-07-01T13:00:00+01:00"
    assert answer["target"]["timezone"] == "UTC+01:00"
    assert answer["target"]["is_dst"] is False


async def test_find_zone_says_what_to_try_when_nothing_is_near() -> None:
    assert "largest city nearby" in await refusal("find_zone", query="xyzzyq")


async def test_zones_are_resources() -> None:
    async with serve() as client:
        listed = await client.read_resource("timeutil://zones")
        one = await client.read_resource("timeutil://zones/America/Argentina/Ushuaia")
        oslo = await client.read_resource("timeutil://zones/Europe/Oslo")

    assert "Europe/Oslo" in _json(listed)
    assert _json(one)["utc_offset"] == "-03:00"
    assert len(_json(oslo)["transitions"]) == 4
    assert oslo.contents[0].mime_type == "application/json"


@pytest.mark.parametrize("zone", ["Europe/Olso", "../../etc/passwd"])
async def test_a_zone_that_does_not_exist_is_not_found(zone: str) -> None:
    async with serve() as client:
        with pytest.raises(MCPError):
            await client.read_resource(f"timeutil://zones/{zone}")


async def test_zone_arguments_are_completed() -> None:
    async with serve() as client:
        one = await client.complete(ZONE_TEMPLATE, {"name": "zone", "value": "osl"})
        more = await client.complete(MEETING, {"name": "timezones", "value": "Europe/Oslo, toky"})
        every = await client.complete(ZONE_TEMPLATE, {"name": "zone", "value": ""})
        other = await client.complete(MEETING, {"name": "duration", "value": "1"})

    assert one.completion.values == ["Europe/Oslo"]
    assert more.completion.values == ["Europe/Oslo, Asia/Tokyo"]
    assert len(every.completion.values) == 100
    assert every.completion.has_more is True
    assert other.completion.values == []


async def test_the_meeting_prompt_names_the_zones_in_full() -> None:
    async with serve() as client:
        prompt = await client.get_prompt(
            "timeutil_schedule_meeting",
            {"timezones": "europe/oslo, Asia/Tokyo", "duration": "45 minutes"},
        )

    content = prompt.messages[0].content
    assert isinstance(content, TextContent)
    assert "- Europe/Oslo\n- Asia/Tokyo" in content.text
    assert "45 minutes" in content.text


@pytest.mark.parametrize("timezones", ["Europe/Olso", " , "])
async def test_the_meeting_prompt_refuses_unknown_zones(timezones: str) -> None:
    async with serve() as client:
        with pytest.raises(MCPError, match="Europe/Oslo"):
            await client.get_prompt("timeutil_schedule_meeting", {"timezones": timezones})


def _json(result: ReadResourceResult) -> Any:
    content = result.contents[0]
    assert isinstance(content, TextResourceContents)
    return json.loads(content.text)
