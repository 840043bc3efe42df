"""The checks that every plugin should pass."""

from typing import Annotated

import pytest
from pydantic import Field

from mcpkit import Plugin
from mcpkit.testing import assert_contract, check_plugin

pytestmark = pytest.mark.anyio


def make_good() -> Plugin:
    """A plugin that keeps the contract."""
    plugin = Plugin()

    @plugin.tool()
    def say(text: Annotated[str, Field(description="What to say")]) -> str:
        """Say it again."""
        return text

    return plugin


def make_bad() -> Plugin:
    """A plugin whose tool leaves its parameter, and prompt its argument, undescribed."""
    plugin = Plugin()

    @plugin.tool()
    def say(text: str) -> str:
        """Say it again."""
        return text

    @plugin.prompt()
    def ask(topic: str) -> str:
        """Ask about a topic."""
        return topic

    return plugin


async def test_a_good_plugin_has_no_findings() -> None:
    assert await check_plugin(echo=make_good()) == []


async def test_missing_descriptions_are_found_with_the_component() -> None:
    findings = await check_plugin(echo=make_bad())

    assert [(item.component, item.problem) for item in findings] == [
        ("echo_say", "Parameter 'text' has no description"),
        ("echo_ask", "Argument 'topic' has no description"),
    ]


async def test_asserting_the_contract_shows_every_finding() -> None:
    with pytest.raises(AssertionError, match=r"echo_say: .*\n.*echo_ask: "):
        await assert_contract(echo=make_bad())
