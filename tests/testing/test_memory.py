"""The in-memory client that authors test their plugins with."""

import subprocess
import sys
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from pydantic import Field

from mcpkit import Plugin, PluginSettings
from mcpkit.core.errors import MCPKitError
from mcpkit.testing import connect

pytestmark = pytest.mark.anyio


class EchoSettings(PluginSettings):
    """One setting."""

    suffix: str = Field("", description="What follows every echo")


def make_plugin() -> Plugin:
    """A plugin with one tool."""
    plugin = Plugin(settings=EchoSettings)

    @plugin.tool()
    def say(text: Annotated[str, Field(description="What to say")]) -> str:
        """Say it again."""
        return text

    return plugin


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_of_either_era_calls_the_tool(mode: Any) -> None:
    async with connect(mode=mode, echo=make_plugin()) as client:
        result = await client.call_tool("echo_say", {"text": "hi"})

    assert not result.is_error
    assert getattr(result.content[0], "text", None) == "hi"


async def test_a_setting_that_does_not_exist_raises_instead_of_serving_nothing() -> None:
    with pytest.raises(MCPKitError, match="sufix"):
        async with connect(settings={"echo": {"sufix": "!"}}, echo=make_plugin()):
            pass


WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"server": "strict"}, TypeError, "server= as a mapping"),
    ({"settings": 5}, TypeError, "settings= as a mapping"),
    ({"setings": {}}, TypeError, "Did you mean 'settings'"),
    ({"mod": "legacy"}, TypeError, "Did you mean 'mode'"),
    ({"server": {"plugins": {}}}, TypeError, "settings="),
    ({"server": {"calls": {"timeut": 1}}}, MCPKitError, "Did you mean 'calls.timeout'"),
    ({"server": {"strict": [1]}}, MCPKitError, "strict must be true or false"),
    ({"settings": {"ecko": {}}}, MCPKitError, "Did you mean 'echo'"),
    ({"settings": {"echo": 5}}, MCPKitError, "plugins.echo must be a table"),
]


@pytest.mark.parametrize(("given", "kind", "told"), WRONG)
async def test_a_wrong_argument_is_told_in_plain_words(
    given: dict[str, Any], kind: type[Exception], told: str
) -> None:
    with pytest.raises(kind) as refused:
        async with connect(**given, echo=make_plugin()):
            pass

    assert told in str(refused.value)


async def test_an_object_that_is_no_plugin_raises_with_its_name() -> None:
    with pytest.raises(MCPKitError, match="echo"):
        async with connect(echo=object()):
            pass


async def test_the_fixture_is_the_same_client(mcpkit_connect: Callable[..., Any]) -> None:
    assert mcpkit_connect is connect


def test_the_pytest_plugin_does_not_import_the_sdk() -> None:
    code = "import sys, mcpkit.testing.fixtures; sys.exit('mcp' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
