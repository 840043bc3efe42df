"""One conversation, over every transport, in both eras, with real processes."""

from pathlib import Path
from typing import Any

import anyio
import mcp
import mcp_types as types
import pytest
from mcp.shared.exceptions import MCPError

pytestmark = [pytest.mark.anyio, pytest.mark.contract]


@pytest.fixture(params=["auto", "legacy"])
def mode(request: pytest.FixtureRequest) -> Any:
    """The era in which the client opens."""
    return request.param


async def test_the_whole_conversation(target: Any, mode: Any, journal: Path) -> None:
    progress: list[float] = []

    async def on_progress(done: float, total: float | None, message: str | None) -> None:
        progress.append(done)

    path = anyio.Path(journal)
    await path.unlink(missing_ok=True)
    with anyio.fail_after(40):
        async with mcp.Client(target, mode=mode) as client:
            assert client.protocol_version == ("2026-07-28" if mode == "auto" else "2025-11-25")
            assert client.server_info.name == "mcpkit"

            tools = {tool.name for tool in (await client.list_tools()).tools}
            assert {"conversation_echo", "timeutil_now"} <= tools

            echoed = await client.call_tool("conversation_echo", {"text": "Hei 👋\n"})
            assert echoed.structured_content == {"result": "Hei 👋\n"}

            text = (await client.read_resource("conversation://people/Kari")).contents[0].text  # type: ignore[union-attr]
            assert '"Kari"' in text

            prompt = await client.get_prompt("conversation_discuss", {"subject": "snow"})
            assert prompt.messages[0].content.text == "Let us discuss snow"  # type: ignore[union-attr]

            reference = types.PromptReference(name="conversation_discuss")
            completed = await client.complete(reference, {"name": "subject", "value": "x"})
            assert completed.completion.values == ["xa", "xb"]

            waited = await client.call_tool(
                "conversation_wait", {"seconds": 0.05}, progress_callback=on_progress
            )
            assert waited.structured_content == {"result": "waited 0.05 s"}
            assert progress == [0, 2]

            failed = await client.call_tool("conversation_fail", {})
            assert failed.is_error
            assert failed.content[0].text == "Try echo instead"  # type: ignore[union-attr]
            with pytest.raises(MCPError, match="Did you mean 'conversation_echo'"):
                await client.call_tool("conversation_ecko", {})
            with pytest.raises(MCPError, match="Ask less often") as limited:
                await client.call_tool("conversation_limit", {"seconds": 2})
            assert (limited.value.code, limited.value.data) == (429, {"retryAfter": 2})

            with anyio.move_on_after(0.3):
                await client.call_tool("conversation_wait", {"seconds": 30})
            while "cancelled" not in await path.read_text("utf-8"):
                await anyio.sleep(0.05)

            again = await client.call_tool("conversation_echo", {"text": "still here"})
            assert again.structured_content == {"result": "still here"}


@pytest.mark.filterwarnings("ignore:resources/subscribe is removed")
async def test_changes_reach_connections_of_the_2025_protocols(target: Any) -> None:
    seen: set[str] = set()
    complete = anyio.Event()

    async def on_message(message: Any) -> None:
        seen.add(getattr(message, "method", ""))
        if {"notifications/tools/list_changed", "notifications/resources/updated"} <= seen:
            complete.set()

    with anyio.fail_after(30):
        async with mcp.Client(target, mode="legacy", message_handler=on_message) as client:
            await client.subscribe_resource("conversation://topic")
            await client.call_tool("conversation_rename", {})
            await complete.wait()


async def test_changes_reach_subscriptions_of_the_modern_protocol(target: Any) -> None:
    with anyio.fail_after(30):
        async with (
            mcp.Client(target) as client,
            client.listen(
                tools_list_changed=True, resource_subscriptions=["conversation://topic"]
            ) as subscription,
        ):
            await client.call_tool("conversation_rename", {})
            events = iter([await anext(subscription), await anext(subscription)])

    assert {type(event).__name__ for event in events} == {"ToolsListChanged", "ResourceUpdated"}
