"""Arguments of tools are checked in time that has a bound, and their problems are told."""

import time
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, BaseModel

from mcpkit import Plugin
from mcpkit.testing import connect

pytestmark = pytest.mark.anyio

MANY = 200_000
"""Wrong items of one call; a request of 4 MiB has room for more."""


class Item(BaseModel):
    """Something with a part of its own kind."""

    count: int = 0
    parts: list["Item"] = []


def plugin() -> Plugin:
    plugin = Plugin()

    @plugin.tool()
    def take(
        numbers: list[int] = [],  # noqa: B006
        named: dict[str, int | None] = {},  # noqa: B006
        items: list[Item] = [],  # noqa: B006
        short: Annotated[str, AfterValidator(str.upper)] = "none",
    ) -> str:
        """Take much."""
        return f"{sum(numbers)} {named} {[item.count for item in items]} {short}"

    return plugin


async def told(**arguments: Any) -> str:
    async with connect(own=plugin()) as client:
        result = await client.call_tool("own_take", arguments)
        return str(result.content[0].text)


@pytest.mark.parametrize(
    "arguments",
    [
        {"numbers": [""] * MANY},
        {"named": {str(number): "" for number in range(MANY)}},
        {"items": [3] * MANY},
    ],
    ids=["list", "dict", "models"],
)
async def test_very_many_wrong_items_take_no_more_time_than_right_ones(
    arguments: dict[str, Any],
) -> None:
    start = time.thread_time()
    said = await told(**arguments)
    took = time.thread_time() - start

    assert ".0" in said
    assert len(said) < 500
    assert took < 0.8


async def test_each_problem_of_a_small_call_is_told() -> None:
    said = await told(numbers=[1, "", 2, ""], items=[{"count": "x"}, {"parts": [3]}])

    for path in ("numbers.1 ", "numbers.3 ", "items.0.count ", "items.1.parts.0 "):
        assert f"{path}must be" in said


async def test_problems_beyond_a_limit_are_counted() -> None:
    said = await told(items=[{"parts": [3] * 5000}])

    assert "there are 5000 problems" in said


async def test_arguments_reach_the_function_as_its_signature_says() -> None:
    said = await told(numbers=["1", 2], named='{"a": 3}', items=[{"count": 4}], short="yes")

    assert said == "3 {'a': 3} [4] YES"
