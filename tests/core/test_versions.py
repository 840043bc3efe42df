"""Versions of the protocol: what a client of each of them learns and gets."""

from typing import Any

import anyio
import mcp
import mcp_types as types
import pytest
from mcp.shared.memory import create_client_server_memory_streams
from mcp.shared.message import SessionMessage

from mcpkit import Context, Plugin
from mcpkit.core.assembly import build
from mcpkit.core.settings import Settings
from mcpkit.testing import connect

pytestmark = pytest.mark.anyio

ALL = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"]

CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
VERSION = "io.modelcontextprotocol/protocolVersion"

AUDIO = types.AudioContent(data="AAAA", mime_type="audio/wav")
LINK = types.ResourceLink(
    uri="media://song", name="song", title="A song", description="Sung by birds"
)

plugin = Plugin()


@plugin.tool(name="mixed", structured_output=False)
def mixed() -> list[Any]:
    """Return all kinds of content."""
    return ["text", AUDIO, LINK]


@plugin.prompt(name="mixed")
def mixed_prompt() -> list[types.PromptMessage]:
    """Return all kinds of content."""
    return [types.PromptMessage(role="user", content=item) for item in (AUDIO, LINK)]


@plugin.resource("media://song")
def song() -> str:
    """A song."""
    return "la la"


async def exchange(messages: list[dict[str, Any]], **settings: Any) -> list[dict[str, Any]]:
    """Send messages over a stream, as stdio does, and return the response to each request."""
    app = build(Settings.model_validate(settings), plugins=False, objects={"media": plugin})
    answers: list[dict[str, Any]] = []
    async with (
        app.running() as server,
        create_client_server_memory_streams() as (client, (read, write)),
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(server.serve_stream, read, write)
        with anyio.fail_after(5):
            for message in messages:
                parsed = types.jsonrpc_message_adapter.validate_python(message)
                await client[1].send(SessionMessage(message=parsed))
                if "id" in message:
                    item = await client[0].receive()
                    assert isinstance(item, SessionMessage)
                    answers.append(item.message.model_dump(by_alias=True, exclude_none=True))
        tasks.cancel_scope.cancel()
    return answers


def modern(method: str, version: str = ALL[-1], **params: Any) -> dict[str, Any]:
    meta = {VERSION: version, CAPABILITIES: {}}
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"_meta": meta, **params}}


def opening(version: str) -> list[dict[str, Any]]:
    info = {"name": "test", "version": "1"}
    params = {"protocolVersion": version, "capabilities": {}, "clientInfo": info}
    return [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
    ]


async def test_discovery_names_every_version_that_is_served() -> None:
    [answer] = await exchange([modern("server/discover")])

    assert answer["result"]["supportedVersions"] == ALL


async def test_a_version_that_is_not_served_is_told_every_one_that_is() -> None:
    [answer] = await exchange([modern("tools/list", version="2099-01-01")])

    assert answer["error"]["code"] == types.UNSUPPORTED_PROTOCOL_VERSION
    assert answer["error"]["data"] == {"supported": ALL, "requested": "2099-01-01"}


@pytest.mark.parametrize(
    ("version", "kinds"),
    [
        ("2024-11-05", ["text", "text", "text"]),
        ("2025-03-26", ["text", "audio", "text"]),
        ("2025-06-18", ["text", "audio", "resource_link"]),
        ("2025-11-25", ["text", "audio", "resource_link"]),
    ],
)
async def test_content_that_a_version_lacks_becomes_text(version: str, kinds: list[str]) -> None:
    call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "media_mixed"}}
    get = {"jsonrpc": "2.0", "id": 3, "method": "prompts/get", "params": {"name": "media_mixed"}}

    opened, called, got = await exchange([*opening(version), call, get])

    content = called["result"]["content"]
    assert opened["result"]["protocolVersion"] == version
    assert [item["type"] for item in content] == kinds
    assert [item["content"]["type"] for item in got["result"]["messages"]] == kinds[1:]
    if kinds[1] == "text":
        assert "audio/wav" in content[1]["text"]
    if kinds[2] == "text":
        assert content[2]["text"] == "A song: media://song\nSung by birds"


async def test_a_server_shows_who_it_is_without_any_setting() -> None:
    [opened] = await exchange(opening(ALL[-2]))
    [discovered] = await exchange([modern("server/discover")])
    [listed] = await exchange([modern("tools/list")])

    for answer, info in (
        (opened, opened["result"]["serverInfo"]),
        (discovered, discovered["result"]["_meta"]["io.modelcontextprotocol/serverInfo"]),
    ):
        assert answer["result"]["capabilities"]
        assert (info["name"], info["title"]) == ("mcpkit", "mcpkit")
        assert info["websiteUrl"].startswith("https://")
        assert info["icons"][0]["src"].startswith("data:image/svg+xml,")
    repeated = listed["result"]["_meta"]["io.modelcontextprotocol/serverInfo"]
    assert repeated.keys() == {"name", "title", "version"}


async def test_a_server_shows_what_its_operator_has_set() -> None:
    own = {"name": "acme", "website_url": "https://acme.example", "icon": "https://acme.example/i"}

    [opened] = await exchange(opening(ALL[-2]), **own)

    info = opened["result"]["serverInfo"]
    assert (info["name"], info["title"]) == ("acme", "acme")
    assert info["websiteUrl"] == "https://acme.example"
    assert info["icons"] == [{"src": "https://acme.example/i"}]


async def test_logging_is_declared_in_the_new_protocol_only_where_a_handler_may_log() -> None:
    chatty = Plugin()

    @chatty.tool()
    async def talk(ctx: Context) -> str:
        """Talk."""
        await ctx.info("talking")
        return ""

    async with connect(media=plugin) as client:
        quiet = client.server_capabilities
    async with connect(media=plugin, chatty=chatty) as client:
        loud = client.server_capabilities
    async with connect(mode="legacy", media=plugin) as client:
        old = client.server_capabilities

    assert quiet.logging is None
    assert loud.logging is not None
    assert old.logging is not None


@pytest.mark.parametrize("kind", ["tools", "resources", "resource_templates", "prompts"])
async def test_lists_are_kept_by_their_client_alone(kind: str) -> None:
    async with connect(media=plugin) as client:
        listed = await getattr(client, f"list_{kind}")()

    assert isinstance(client, mcp.Client)
    assert listed.cache_scope == "private"
