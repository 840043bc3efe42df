"""Prompts: whatever record of a message a function returns arrives as that message."""

from typing import Annotated, Any

import mcp_types as types
import pytest
from mcp.server.mcpserver.prompts.base import AssistantMessage
from pydantic import BaseModel, BeforeValidator, Field

from mcpkit import Context, MCPError, Plugin, PromptError
from mcpkit.testing import connect

pytestmark = pytest.mark.anyio

PICTURE = types.ImageContent(data="AAAA", mime_type="image/png")

ANSWER = types.PromptMessage(role="assistant", content=PICTURE)

WHOLE = types.GetPromptResult(description="Of this call", messages=[ANSWER], _meta={"a/b": 1})

RETURNED: dict[str, tuple[Any, list[tuple[str, Any]]]] = {
    "message": (ANSWER, [("assistant", PICTURE)]),
    "list": (
        ["Hello", ANSWER, AssistantMessage("Yes?"), {"role": "user", "content": "Go"}],
        [("user", "Hello"), ("assistant", PICTURE), ("assistant", "Yes?"), ("user", "Go")],
    ),
    "tuple": ((ANSWER,), [("assistant", PICTURE)]),
    "whole": (WHOLE, [("assistant", PICTURE)]),
    "nothing": ([], []),
}


@pytest.mark.parametrize("returned", RETURNED)
@pytest.mark.parametrize("is_async", [False, True])
async def test_a_prompt_returns_the_records_of_the_protocol(returned: str, is_async: bool) -> None:
    value, expected = RETURNED[returned]
    plugin = Plugin()

    if is_async:

        @plugin.prompt()
        async def ask(name: str, ctx: Context) -> Any:
            """Of the prompt."""
            return value

    else:

        @plugin.prompt()
        def ask(name: str) -> Any:
            """Of the prompt."""
            return value

    async with connect(demo=plugin) as client:
        result = await client.get_prompt("demo_ask", {"name": "Ada"})

    found = [
        (item.role, item.content.text if item.content.type == "text" else item.content)
        for item in result.messages
    ]
    assert found == expected
    whole = returned == "whole"
    assert result.description == ("Of this call" if whole else "Of the prompt.")
    assert ((result.meta or {}).get("a/b") == 1) is whole


async def test_what_a_prompt_raises_is_told_still() -> None:
    plugin = Plugin()

    @plugin.prompt()
    def ask() -> types.GetPromptResult:
        """Ask."""
        raise PromptError("Not today")

    async with connect(demo=plugin) as client:
        with pytest.raises(Exception, match="Not today"):
            await client.get_prompt("demo_ask")


class Place(BaseModel):
    """A place."""

    city: str


def travel() -> Plugin:
    plugin = Plugin()

    @plugin.prompt
    def plan(
        cities: Annotated[list[str], Field(description="Where to")],
        days: int,
        home: Place | None = None,
        strict: bool = False,
        note: str | list[str] = "",
    ) -> str:
        """Plan a journey."""
        return f"{cities!r} {days!r} {home!r} {strict!r} {note!r}"

    return plugin


async def test_arguments_of_prompts_are_lists_numbers_and_objects_too() -> None:
    given = {
        "cities": '["Oslo", "Bergen"]', "days": "3", "home": '{"city": "Rome"}', "strict": "true",
        "note": '["none"]',
    }  # fmt: skip

    async with connect(trip=travel()) as client:
        (prompt,) = (await client.list_prompts()).prompts
        result = await client.get_prompt("trip_plan", given)

    (message,) = result.messages
    assert message.content.text == (  # type: ignore[union-attr]
        "['Oslo', 'Bergen'] 3 Place(city='Rome') True '[\"none\"]'"
    )
    described = {item.name: item.description for item in prompt.arguments or ()}
    assert described["cities"] == "Where to (a list, as JSON)"
    assert described["home"] == "(an object, as JSON)"
    assert described["note"] is None


async def test_a_list_that_is_no_json_is_told_so() -> None:
    async with connect(trip=travel()) as client:
        with pytest.raises(MCPError, match="cities must be a list, as JSON"):
            await client.get_prompt("trip_plan", {"cities": "Oslo, Bergen", "days": "3"})


def split(value: Any) -> Any:
    return value.split(",") if isinstance(value, str) else value


class Ask:
    """A prompt that is an object."""

    async def __call__(
        self, count: int | list[int], names: Annotated[list[str], BeforeValidator(split)]
    ) -> str:
        """Ask."""
        return f"{count!r} {names!r}"


async def test_a_text_that_the_types_take_is_passed_on_as_it_is() -> None:
    plugin = Plugin()
    plugin.prompt("ask")(Ask())

    async with connect(it=plugin) as client:
        result = await client.get_prompt("it_ask", {"count": "5", "names": "a,b"})

    assert result.messages[0].content.text == "5 ['a', 'b']"  # type: ignore[union-attr]
