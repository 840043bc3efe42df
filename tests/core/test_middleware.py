"""Requests on their way in and out: what a plugin answers can always be sent."""

import json

import mcp_types as types
import pytest
from mcp.shared.exceptions import MCPError
from mcp.shared.message import SessionMessage

from mcpkit import Plugin, PromptError, ToolError
from mcpkit.core.transports.messages import write_message
from mcpkit.testing import connect

pytestmark = pytest.mark.anyio

NAME = "caf\udce9.txt"
"""The name of a file, as Python reads it when its bytes are no UTF-8."""


@pytest.fixture
def plugin() -> Plugin:
    """A plugin that tells names of files."""
    plugin = Plugin()

    @plugin.tool("name")
    def name() -> str:
        """Tell the name."""
        return NAME

    @plugin.tool("refuse")
    def refuse() -> str:
        """Refuse the name."""
        raise ToolError(f"Not {NAME}")

    @plugin.prompt("ask")
    def ask() -> str:
        """Ask for another name."""
        raise PromptError(f"Not {NAME}")

    return plugin


async def test_results_that_utf8_cannot_say_are_sent_with_question_marks(plugin: Plugin) -> None:
    async with connect(files=plugin) as client:
        told = await client.call_tool("files_name", {})
        refused = await client.call_tool("files_refuse", {})
        with pytest.raises(MCPError, match=r"Not caf\?\.txt"):
            await client.get_prompt("files_ask")

    assert told.structured_content == {"result": "caf?.txt"}
    assert refused.content == [types.TextContent(text="Not caf?.txt")]


def test_notifications_that_utf8_cannot_say_are_sent_with_question_marks() -> None:
    message = types.JSONRPCNotification(jsonrpc="2.0", method="x", params={"data": NAME})

    text = write_message(SessionMessage(message))

    assert json.loads(text) == {"jsonrpc": "2.0", "method": "x", "params": {"data": "caf?.txt"}}
