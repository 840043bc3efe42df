"""The README tells what is there."""

import re
from pathlib import Path

import anyio
import pytest
from mcpkit_plugin_timeutil import plugin
from mcpkit_plugin_timeutil.settings import TimeutilSettings

from mcpkit.testing import connect

pytestmark = pytest.mark.anyio

README = (Path(__file__).parent.parent / "README.md").read_text("utf-8")


async def test_the_table_of_tools_is_complete() -> None:
    with anyio.fail_after(20):
        async with connect(timeutil=plugin) as client:
            names = {tool.name for tool in (await client.list_tools()).tools}

    assert set(re.findall(r"^\| `(timeutil_\w+)` \|", README, re.MULTILINE)) == names


async def test_every_setting_is_documented() -> None:
    section = README.split("[plugins.timeutil]")[1].split("```")[0]

    assert set(re.findall(r"^(\w+) = ", section, re.MULTILINE)) == set(
        TimeutilSettings.model_fields
    )


async def test_the_example_conversation_is_true() -> None:
    with anyio.fail_after(20):
        async with connect(timeutil=plugin) as client:
            landing = await client.call_tool(
                "timeutil_add",
                {"time": "2026-03-07T22:00", "duration": "7h30m", "timezone": "America/New_York"},
            )
            oslo = await client.call_tool(
                "timeutil_convert",
                {"time": "2026-03-08T06:30:00-04:00", "to_timezone": "Europe/Oslo"},
            )

    assert landing.structured_content is not None
    assert oslo.structured_content is not None
    assert landing.structured_content["result"]["iso"] == "2026-03-08T06:30:00-04:00"
    assert oslo.structured_content["target"]["iso"] == "2026-03-08T11:30:00+01:00"
    for moment in ("2026-03-08T06:30:00-04:00", "2026-03-08T11:30:00+01:00"):
        assert moment in README
