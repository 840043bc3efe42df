"""Outputs: what a tool returned and cannot be sent, and what the operator reads of it."""

import math
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from mcpkit import Image, Plugin
from mcpkit.testing import connect

pytestmark = pytest.mark.anyio


class Reading(BaseModel):
    celsius: float
    note: str | None = None


def lost(path: Path) -> Plugin:
    plugin = Plugin()

    @plugin.tool
    def picture() -> Image:
        """Show it."""
        return Image(path=path)

    return plugin


async def test_an_image_whose_file_is_missing_is_not_blamed_on_the_schema(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with connect(it=lost(tmp_path / "gone.png")) as client:
        result = await client.call_tool("it_picture")

    assert result.is_error
    (record,) = caplog.records
    assert "tool 'it_picture'" in record.getMessage()
    assert record.exc_info is not None
    told = str(record.exc_info[1])
    assert told.startswith("What it returned cannot be sent: FileNotFoundError")
    assert "gone.png" in told


def reading(returned: Any, kind: Any, **options: Any) -> Plugin:
    plugin = Plugin()

    def read() -> Any:
        """Read it."""
        return returned

    read.__annotations__["return"] = kind
    plugin.tool(read, **options)
    return plugin


NUMBERS: list[tuple[Any, Any, dict[str, Any]]] = [
    (math.nan, float, {}),
    ({"x": math.inf}, dict[str, float], {}),
    (Reading(celsius=math.nan), Reading, {}),
    (
        {"x": math.nan},
        Any,
        {"output_schema": {"type": "object", "properties": {"x": {"type": "number"}}}},
    ),
]


@pytest.mark.parametrize(("returned", "kind", "options"), NUMBERS)
async def test_a_number_that_json_does_not_have_is_told_to_the_operator(
    returned: Any, kind: Any, options: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with connect(it=reading(returned, kind, **options)) as client:
        result = await client.call_tool("it_read")

    assert result.is_error
    (record,) = caplog.records
    assert record.exc_info is not None
    assert "NaN and infinity become null in JSON" in str(record.exc_info[1])


async def test_nulls_and_words_like_nan_are_served() -> None:
    named = Reading(celsius=1, note="NaN or Infinity")
    async with connect(
        unnamed=reading(Reading(celsius=1), Reading),
        named=reading(named, Reading),
        perhaps=reading(math.nan, float | None),
    ) as client:
        results = [
            (await client.call_tool(f"{name}_read")).structured_content
            for name in ("unnamed", "named", "perhaps")
        ]

    assert results == [
        {"celsius": 1, "note": None},
        {"celsius": 1, "note": "NaN or Infinity"},
        {"result": None},
    ]
