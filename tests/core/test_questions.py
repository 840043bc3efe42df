"""Questions of `Resolve`: what goes wrong in them is the tool's error, in plain words."""

import sys
from typing import Annotated, Any

import mcp_types as types
import pytest
from mcp.server.mcpserver import Elicit, Resolve
from pydantic import BaseModel

from mcpkit import Context, Plugin, ToolError
from mcpkit.core.assembly import build
from mcpkit.core.settings import Settings
from mcpkit.testing import connect
from mcpkit.testing.memory import Mode

pytestmark = pytest.mark.anyio

both_eras = pytest.mark.parametrize("mode", ["legacy", "auto"])


class Traveller(BaseModel):
    """What is asked."""

    name: str


def booking(who: Any) -> Plugin:
    """A plugin with a tool whose traveller a function finds out."""
    plugin = Plugin()

    @plugin.tool()
    def book(city: str, traveller: Annotated[Traveller, Resolve(who)]) -> str:
        """Book a journey."""
        return f"{traveller.name} goes to {city}"

    return plugin


def ask() -> Elicit[Traveller]:
    """Ask who travels."""
    return Elicit("Who is travelling?", Traveller)


async def error_of(mode: Mode, plugin: Plugin, answer: types.ElicitResult | None = None) -> str:
    """What the model reads when a booking fails."""

    async def respond(context: Any, params: Any) -> types.ElicitResult:
        assert answer is not None
        return answer

    async with connect(mode=mode, client={"elicitation_callback": respond}, trip=plugin) as client:
        result = await client.call_tool("trip_book", {"city": "Oslo"})

    assert result.is_error
    return str(getattr(result.content[0], "text", ""))


@both_eras
@pytest.mark.parametrize("is_async", [False, True])
async def test_a_tool_error_of_a_resolve_function_is_the_tools(mode: Mode, is_async: bool) -> None:
    def look() -> Elicit[Traveller]:
        raise ToolError("There are no journeys to that city; try Bergen")

    async def look_async(ctx: Context) -> Elicit[Traveller]:
        return look()

    text = await error_of(mode, booking(look_async if is_async else look))

    assert text == "There are no journeys to that city; try Bergen"


@both_eras
@pytest.mark.parametrize(
    ("action", "told"),
    [
        ("decline", "The user declined to answer the question about 'traveller'"),
        ("cancel", "The user dismissed the question about 'traveller'"),
    ],
)
async def test_a_question_that_is_not_answered_is_told_in_plain_words(
    mode: Mode, action: Any, told: str
) -> None:
    assert await error_of(mode, booking(ask), types.ElicitResult(action=action)) == told


@both_eras
async def test_an_answer_that_does_not_fit_is_not_blamed_on_the_arguments(mode: Mode) -> None:
    wrong = types.ElicitResult(action="accept", content={"nome": "Ada"})

    text = await error_of(mode, booking(ask), wrong)

    assert "does not fit" in text
    assert "argument" not in text


@both_eras
async def test_a_crash_in_a_resolve_function_stays_in_the_log(
    mode: Mode, caplog: pytest.LogCaptureFixture
) -> None:
    def crash() -> Elicit[Traveller]:
        raise RuntimeError("password")

    text = await error_of(mode, booking(crash))

    assert text == "Internal error in tool 'trip_book'"
    assert "password" in caplog.text


@both_eras
async def test_a_resolve_function_that_exits_ends_its_call_alone(mode: Mode) -> None:
    def leave() -> Elicit[Traveller]:
        sys.exit(3)

    assert await error_of(mode, booking(leave)) == "Internal error in tool 'trip_book'"


async def gather() -> Any:
    """Yield."""
    yield Traveller(name="Ada")


def count() -> int:
    """Count."""
    return 5


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (gather, "'gather', which yields values"),
        (count, "'count', which returns int instead of Traveller"),
        ("Ada", "Resolve('Ada'), which is no function"),
    ],
)
def test_a_resolve_function_that_gives_no_such_value_is_refused(function: Any, told: str) -> None:
    (record,) = build(Settings(), plugins=False, objects={"it": booking(function)}).records

    assert record.error is not None
    assert record.error.message.startswith("Its tool 'book' fills 'traveller' by")
    assert told in record.error.message
    assert record.error.hint


def anything() -> Any:
    return "Ada"


async def test_a_resolve_function_may_say_that_it_returns_anything() -> None:
    plugin = Plugin()

    @plugin.tool()
    def greet(name: Annotated[str, Resolve(anything)]) -> str:
        """Greet."""
        return name

    async with connect(it=plugin) as client:
        result = await client.call_tool("it_greet", {})

    assert result.structured_content == {"result": "Ada"}
