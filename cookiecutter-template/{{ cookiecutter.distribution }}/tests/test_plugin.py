"""The plugin, used by the official client in memory."""

from typing import Any

import pytest
from mcpkit import TextContent, TextResourceContents
from mcpkit.testing import assert_contract, connect

from {{ cookiecutter.module }} import plugin

pytestmark = pytest.mark.anyio

NAME = "{{ cookiecutter.plugin_name }}"
PLUGIN: dict[str, Any] = {NAME: plugin}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_it_keeps_the_plugin_contract() -> None:
    await assert_contract(**PLUGIN)


async def test_greeting_uses_the_salutation_of_the_settings() -> None:
    async with connect(settings={NAME: {"salutation": "Hei"}}, **PLUGIN) as client:
        result = await client.call_tool(f"{NAME}_greet", {"name": "Kari"})

    assert result.structured_content == {"text": "Hei Kari!", "number": 1}


async def test_an_empty_name_tells_the_model_what_to_do() -> None:
    async with connect(**PLUGIN) as client:
        result = await client.call_tool(f"{NAME}_greet", {"name": " "})

    assert result.is_error
    assert isinstance(result.content[0], TextContent)
    assert "ask the user" in result.content[0].text


async def test_the_salutation_is_a_resource() -> None:
    async with connect(**PLUGIN) as client:
        result = await client.read_resource("{{ cookiecutter.__scheme }}://salutation")

    assert isinstance(result.contents[0], TextResourceContents)
    assert result.contents[0].text == "Hello"
