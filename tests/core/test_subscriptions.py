"""Subscriptions: to what is served, and not to too much."""

import base64
import tracemalloc
from typing import Any, Literal

import mcp
import pytest
from mcp.shared.exceptions import MCPError

from mcpkit import Plugin
from mcpkit.testing import connect

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("ignore:resources/subscribe is removed"),
]

Mode = Literal["auto", "legacy"]


@pytest.fixture
def plugin() -> Plugin:
    made = Plugin()
    made.resource("own://all", name="all", description="All.")(lambda: "all")
    made.resource("own://items/{name}", name="item", description="One.")(lambda name: name)
    made.tool(name="a", description="A.")(lambda: "a")
    made.tool(name="b", description="B.")(lambda: "b")
    return made


async def subscribe(client: mcp.Client, mode: Mode, *uris: str) -> None:
    if mode == "legacy":
        for uri in uris:
            await client.subscribe_resource(uri)
        return
    async with client.listen(resource_subscriptions=list(uris)):
        return


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_what_no_component_serves_cannot_be_subscribed_to(plugin: Plugin, mode: Any) -> None:
    async with connect(mode=mode, own=plugin) as client:
        await subscribe(client, mode, "own://all", "own://items/one")
        with pytest.raises(MCPError) as caught:
            await subscribe(client, mode, "own://al")

    assert caught.value.error.code == -32602
    assert "own://al'" in caught.value.error.message
    assert "Did you mean 'own://all'" in caught.value.error.message


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize(
    "uris", [["own://items/" + "x" * 2000], [f"own://items/{i}" for i in range(14)]]
)
async def test_subscriptions_of_one_connection_have_a_size(
    plugin: Plugin, mode: Any, uris: list[str]
) -> None:
    lists = {"lists": {"max_subscribed_size": 1024}}
    async with connect(mode=mode, own=plugin, server=lists) as client:
        await subscribe(client, mode, *uris[:12][:-1])
        with pytest.raises(MCPError) as caught:
            await subscribe(client, mode, *uris)

    assert caught.value.error.code == -32602
    assert "Too many subscriptions" in caught.value.error.message


async def test_pages_of_made_up_cursors_are_not_kept(plugin: Plugin) -> None:
    async with connect(own=plugin, server={"lists": {"page_size": 1}}) as client:
        await client.list_tools()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        for number in range(9):
            cursor = base64.urlsafe_b64encode(b"tools\n%d" % number + b"x" * 750_000)
            listed = await client.list_tools(cursor=cursor.decode())
        growth = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()

    assert [tool.name for tool in listed.tools] == ["own_a"]
    assert growth < 4_000_000
