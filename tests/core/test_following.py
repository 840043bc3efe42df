"""Following a task: what a client does with servers that answer oddly."""

from collections.abc import Iterator
from typing import Any

import anyio
import mcp
import mcp_types as types
import pytest
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError

from mcpkit.core.errors import UnavailableError
from mcpkit.core.extensions.tasks import TaskParams
from mcpkit.testing import FollowTasks

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

FORM = {"type": "object", "properties": {"name": {"type": "string"}}}
QUESTION = {
    "method": "elicitation/create",
    "params": {"mode": "form", "message": "Your name?", "requestedSchema": FORM},
}
ASKING = {"status": "input_required", "inputRequests": {"one": QUESTION}}
WORKING = {"status": "working", "pollIntervalMs": 0}
DONE = {"status": "completed", "result": {"content": [{"type": "text", "text": "done"}]}}


class Script:
    """A server whose only tool is a task that goes on as told."""

    def __init__(self, *states: dict[str, Any] | MCPError) -> None:
        self.states: Iterator[dict[str, Any] | MCPError] = iter(states)
        self.looks = 0
        self.cancelled = anyio.Event()
        self.server: Server[Any] = Server("script", on_call_tool=self.call, on_list_tools=self.list)
        for name, handler in (("get", self.get), ("update", self.update), ("cancel", self.cancel)):
            self.server.add_request_handler(f"tasks/{name}", TaskParams, handler)

    async def call(self, ctx: Any, params: Any) -> Any:
        return {"resultType": "task", "taskId": "x", "status": "working", "pollIntervalMs": 0}

    async def list(self, ctx: Any, params: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[types.Tool(name="tool", input_schema=FORM)])

    async def get(self, ctx: Any, params: Any) -> Any:
        self.looks += 1
        state = next(self.states, WORKING)
        if isinstance(state, MCPError):
            raise state
        return {"resultType": "complete", "taskId": "x", **state}

    async def update(self, ctx: Any, params: Any) -> Any:
        return {"resultType": "complete"}

    async def cancel(self, ctx: Any, params: Any) -> Any:
        self.cancelled.set()
        raise MCPError(UnavailableError.code, "not now")


async def test_a_question_is_answered_once_and_a_passing_failure_is_waited_for() -> None:
    asked: list[Any] = []

    async def answer(context: Any, params: Any) -> types.ElicitResult:
        asked.append(params)
        return types.ElicitResult(action="accept", content={"name": "Kari"})

    later = MCPError(UnavailableError.code, "not now")
    script = Script(later, WORKING, ASKING, ASKING, later, DONE)
    options: Any = {"extensions": [FollowTasks()], "elicitation_callback": answer}
    with anyio.fail_after(5):
        async with mcp.Client(script.server, **options) as client:
            result = await client.call_tool("tool", {})

    assert result.content[0].text == "done"  # type: ignore[union-attr]
    assert len(asked) == 1


async def test_another_failure_ends_it() -> None:
    script = Script(MCPError(types.INVALID_PARAMS, "Unknown task"))
    with anyio.fail_after(5):
        async with mcp.Client(script.server, extensions=[FollowTasks()]) as client:
            with pytest.raises(MCPError, match="Unknown task"):
                await client.call_tool("tool", {})


async def test_a_call_that_is_cancelled_ends_though_its_task_cannot_be_cancelled() -> None:
    script = Script()
    with anyio.fail_after(5):
        async with mcp.Client(script.server, extensions=[FollowTasks()]) as client:
            with anyio.move_on_after(0.2) as scope:
                await client.call_tool("tool", {})
            await script.cancelled.wait()

    assert scope.cancelled_caught
    assert script.looks < 25  # it pauses between looks, though the server names no pause
