"""The checks that every plugin should pass."""

from typing import Annotated

import pytest
from pydantic import BaseModel, Field

from mcpkit import Plugin
from mcpkit.testing import assert_contract, check_plugin

pytestmark = pytest.mark.anyio


class Place(BaseModel):
    """A place whose fields are described."""

    name: str = Field(description="Name of the place")


class Good(BaseModel):
    """An answer whose properties are described, at every depth."""

    place: Place = Field(description="The nearest place")
    others: list[Place] = Field(description="Other places")


class Point(BaseModel):
    """A place with a field that nobody describes, and one that leads back to it."""

    height: float
    next: "Point | None" = Field(None, description="The next point")


class Bad(BaseModel):
    """An answer that leaves properties undescribed, at every depth."""

    place: Place
    path: list[Point] = Field(description="The way")
    named: dict[str, Point] = Field(description="Points by name")


class Filter(BaseModel):
    """An argument with parts."""

    kind: str
    limit: int = Field(description="Most places")


def make_good() -> Plugin:
    """A plugin that keeps the contract."""
    plugin = Plugin()

    @plugin.tool(title="Say it again")
    def say(
        text: Annotated[str, Field(description="What to say")],
    ) -> Annotated[str, Field(description="What was said")]:
        """Say it again."""
        return text

    @plugin.tool(title="Find places")
    def find() -> Good:
        """Find places."""
        return Good(place=Place(name="Oslo"), others=[])

    @plugin.tool(title="Do something")
    def act() -> None:
        """Do something without an answer."""

    @plugin.resource("echo://last", title="Last words")
    def last() -> str:
        """What was said last."""
        return ""

    return plugin


def make_bad() -> Plugin:
    """A plugin that leaves everything untitled and undescribed that can be left so."""
    plugin = Plugin()

    @plugin.tool()
    def say(text: str, filter: Annotated[Filter, Field(description="What counts")]) -> str:  # noqa: A002
        """Say it again."""
        return text

    @plugin.tool(title="Find places")
    def find() -> Bad:
        """Find places."""
        raise NotImplementedError

    @plugin.resource("echo://{word}")
    def word(word: str) -> str:
        """A word."""
        return word

    @plugin.prompt()
    def ask(topic: str) -> str:
        """Ask about a topic."""
        return topic

    return plugin


async def test_a_good_plugin_has_no_findings() -> None:
    assert await check_plugin(echo=make_good()) == []


async def test_missing_titles_and_descriptions_are_found_with_their_component() -> None:
    findings = await check_plugin(echo=make_bad())

    assert [(item.component, item.problem) for item in findings] == [
        ("echo_find", "Output property 'place' has no description"),
        ("echo_find", "Output property 'path[].height' has no description"),
        ("echo_say", "The tool has no title"),
        ("echo_say", "Parameter 'text' has no description"),
        ("echo_say", "Parameter 'filter.kind' has no description"),
        ("echo_say", "Output property 'result' has no description"),
        ("echo://{word}", "The template has no title"),
        ("echo_ask", "The prompt has no title"),
        ("echo_ask", "Argument 'topic' has no description"),
    ]


async def test_asserting_the_contract_shows_every_finding() -> None:
    with pytest.raises(AssertionError, match=r"echo_say: .*\n(.*\n)*echo_ask: "):
        await assert_contract(echo=make_bad())
