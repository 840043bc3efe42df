"""Lines: what is asked too fast waits, and nothing more is read."""

import json
from typing import Any

import anyio
import pytest

from mcpkit import Plugin
from mcpkit.core.assembly import build
from mcpkit.core.settings import Settings
from mcpkit.core.transports.lines import serve_lines
from tests.contract.raw_http import INITIALIZE

pytestmark = pytest.mark.anyio


async def test_above_the_limit_requests_wait_and_none_is_refused() -> None:
    plugin, running = Plugin(), [0, 0]

    @plugin.tool()
    async def work() -> str:
        """Take a moment."""
        running[0] += 1
        running[1] = max(running)
        await anyio.sleep(0.01)
        running[0] -= 1
        return "done"

    call = {"jsonrpc": "2.0", "method": "tools/call", "params": {"name": "own_work"}}
    messages: list[dict[str, Any]] = [INITIALIZE, *({**call, "id": number} for number in range(9))]
    settings = Settings.model_validate({"calls": {"limit_per_connection": 2}})
    receive: Any
    send: Any
    to_server, receive = anyio.create_memory_object_stream[bytes](1)
    send, from_server = anyio.create_memory_object_stream[bytes](100)
    app = build(settings, plugins=False, objects={"own": plugin})
    with anyio.fail_after(10):
        async with app.running() as endpoint, anyio.create_task_group() as tasks:
            tasks.start_soon(serve_lines, endpoint, receive, send)
            async with to_server:
                await to_server.send("".join(f"{json.dumps(one)}\n" for one in messages).encode())
    with send, receive, from_server:
        answers = [json.loads(from_server.receive_nowait()) for _ in messages]

    assert [answer["id"] for answer in answers[1:]] == list(range(9))
    assert all(answer["result"]["content"] for answer in answers[1:])
    assert running == [0, 2]
