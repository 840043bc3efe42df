"""What a client sends at length comes back in part, and holds up nobody else."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

import mcp
import mcp_types as types
import pytest
from mcp.shared.exceptions import MCPError

from mcpkit import Plugin
from mcpkit.testing import connect

pytestmark = pytest.mark.anyio

LONG = "timeutil_now_" * 80_000
"""A megabyte."""

LARGEST_ANSWER = 4000
"""Characters of the longest error about it."""

CAP = 60_000
"""Characters of a URI that fits a template of the SDK (at most 65,536)."""


def plugin() -> Plugin:
    plugin = Plugin()

    @plugin.tool()
    def now(places: dict[str, int], hours: list[int] = []) -> str:  # noqa: B006
        """Tell the time."""
        return "late"

    schema = {"type": "object", "properties": {"text": {"type": "string", "maxLength": 3}}}

    @plugin.tool(input_schema=schema)
    def strict(arguments: dict[str, Any]) -> str:
        """Take little."""
        return "taken"

    @plugin.prompt()
    def ask(what: str) -> str:
        """Ask."""
        return what

    @plugin.resource("timeutil://zones/{zone}")
    def zone(zone: str) -> str:
        """Tell a zone."""
        raise RuntimeError("broken")

    @plugin.completion()
    def complete(ref: Any, argument: Any, context: Any) -> list[str]:
        return []

    return plugin


def completion(ref: Any) -> Callable[[mcp.Client], Awaitable[Any]]:
    return lambda client: client.complete(ref, {"name": "x", "value": "y"})


def tool(name: str, **arguments: Any) -> Callable[[mcp.Client], Awaitable[Any]]:
    return lambda client: client.call_tool(name, arguments)


REQUESTS: dict[str, Callable[[mcp.Client], Awaitable[Any]]] = {
    "tool": tool(LONG),
    "argument": tool("timeutil_now", **{LONG: 1}),
    "key of an argument": tool("timeutil_now", places={LONG: "no number"}),
    "items of an argument": tool("timeutil_now", places={}, hours=["x"] * 100_000),
    "value of an argument": tool("timeutil_strict", text=LONG),
    "prompt": lambda client: client.get_prompt(LONG, {}),
    "argument of a prompt": lambda client: client.get_prompt("timeutil_ask", {LONG: "x"}),
    "resource": lambda client: client.read_resource(LONG),
    "resource of a template": lambda client: client.read_resource(f"timeutil://zones/{LONG[:CAP]}"),
    "unsafe resource": lambda client: client.read_resource(f"timeutil://zones/..%2F{LONG[:CAP]}"),
    "completed prompt": completion(types.PromptReference(name=LONG)),
    "completed template": completion(types.ResourceTemplateReference(uri=LONG)),
}


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize("what", REQUESTS)
async def test_an_error_tells_of_long_input_in_part(what: str, mode: Any) -> None:
    async with connect(timeutil=plugin(), mode=mode) as client:
        start = time.thread_time()
        try:
            result = await REQUESTS[what](client)
        except MCPError as exc:
            said = f"{exc.message} {exc.error.data}"
        else:
            assert result.is_error
            said = result.content[0].text
        took = time.thread_time() - start

    assert said
    assert len(said) < LARGEST_ANSWER
    assert took < 2


@pytest.mark.parametrize("length", [2048, 2049])
async def test_the_data_of_an_error_repeats_a_uri_up_to_its_limit(length: int) -> None:
    uri = "none://".ljust(length, "x")
    async with connect(timeutil=plugin()) as client:
        with pytest.raises(MCPError) as caught:
            await client.read_resource(uri)

    assert caught.value.error.data == ({"uri": uri} if length == 2048 else None)
