"""Running tasks: how many, how large their results, and what their tools and clocks may do."""

import time
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

import anyio
import httpx2
import mcp
import mcp_types as types
import pytest
from mcp.shared.exceptions import MCPError

from mcpkit import Context, Plugin
from mcpkit.core.assembly import build
from mcpkit.core.contributions import Call, CallNext
from mcpkit.core.settings import Settings
from mcpkit.core.transports import streamable_http
from mcpkit.testing import connect
from tests.contract.tasks import TASKS, ask, begin, refused, text_of, until

pytestmark = pytest.mark.anyio


class Gates:
    """Lets the tools of a plugin go on."""

    def __init__(self) -> None:
        self.opened = anyio.Event()
        self.running = 0


def worker(gates: Gates) -> Plugin:
    plugin = Plugin()

    @plugin.tool(task="optional")
    async def wait() -> str:
        """Wait until told to go on."""
        gates.running += 1
        await gates.opened.wait()
        return "done"

    @plugin.tool(task="optional")
    async def make(size: int) -> str:
        """Make a text."""
        return "x" * size

    @plugin.tool(task="optional")
    async def fail(size: int) -> str:
        """Fail with a protocol error."""
        raise MCPError(7, "x" * size)

    @plugin.tool(task="optional")
    async def count(to: int, ctx: Context) -> str:
        """Count aloud."""
        for number in range(to):
            await ctx.report_progress(number + 1, to)
        return "counted"

    @plugin.tool(task="optional")
    async def chatter(ctx: Context) -> str:
        """Say something long."""
        await ctx.report_progress(1, 2, "x" * 1_000_000)
        await gates.opened.wait()
        return "said"

    return plugin


def serving(
    gates: Gates, *, tasks: Mapping[str, Any] | None = None, **plugins: Plugin
) -> AbstractAsyncContextManager[mcp.Client]:
    server = {"tasks": {"path": None, **(tasks or {})}} if tasks else {}
    options = {"extensions": [TASKS]}
    return connect(demo=worker(gates), server=server, client=options, **plugins)


async def begun(client: mcp.Client, tool: str, outcomes: list[Any], **arguments: Any) -> None:
    try:
        outcomes.append(await begin(client, tool, **arguments))
    except MCPError as exc:
        outcomes.append(exc.code)


@pytest.mark.parametrize("name", ["limit", "limit_per_client"])
async def test_tasks_that_are_beginning_count(name: str, tmp_path: Any) -> None:
    gates, outcomes = Gates(), []
    tasks = {"path": tmp_path / "tasks.sqlite", name: 3}
    with anyio.fail_after(20):
        async with serving(gates, tasks=tasks) as client:
            async with anyio.create_task_group() as group:
                for _ in range(12):
                    group.start_soon(begun, client, "demo_wait", outcomes)
            running = gates.running
            gates.opened.set()
            for task_id in outcomes:
                if isinstance(task_id, str):
                    await until(client, task_id, "completed")
            again = await until(client, await begin(client, "demo_make", size=1), "completed")

    assert outcomes.count(429) == 9
    assert running == 3
    assert again.result is not None


async def test_a_result_that_is_too_large_is_told_to_the_model(tmp_path: Any) -> None:
    tasks = {"path": tmp_path / "tasks.sqlite", "max_result_size": 100_000}
    with anyio.fail_after(20):
        async with serving(Gates(), tasks=tasks) as client:
            fits = await until(client, await begin(client, "demo_make", size=40_000), "completed")
            large = await until(client, await begin(client, "demo_make", size=50_000), "completed")
            error = await until(client, await begin(client, "demo_fail", size=200_000), "failed")

    assert fits.result is not None
    assert len(fits.result["content"][0]["text"]) == 40_000
    assert large.result is not None
    assert large.result["isError"] is True
    text = text_of(types.CallToolResult.model_validate(large.result))
    assert "bytes, and a task may keep 100000" in text
    assert error.error is not None
    assert "too large" in error.error.message


async def test_progress_is_written_now_and_then_and_the_newest_is_told_at_the_end() -> None:
    with anyio.fail_after(20):
        async with serving(Gates()) as client:
            task_id = await begin(client, "demo_count", to=20_000)
            done = await until(client, task_id, "completed")

    assert done.status_message == "20000 of 20000"


async def test_a_status_message_is_short() -> None:
    gates = Gates()
    with anyio.fail_after(20):
        async with serving(gates) as client:
            task_id = await begin(client, "demo_chatter")
            while not (task := await ask(client, "tasks/get", task_id)).status_message:
                await anyio.sleep(0.01)
            gates.opened.set()

    assert len(task.status_message) == 1000


@pytest.mark.parametrize("outcome", ["exit", "object", "nothing"])
async def test_a_middleware_that_misbehaves_fails_its_task_alone(outcome: str) -> None:
    bad = Plugin()

    async def spoil(call: Call, call_next: CallNext) -> Any:
        result = await call_next(call)
        if call.name != "demo_make" or call.arguments["size"]:
            return result
        if outcome == "exit":
            raise SystemExit(3)
        return object() if outcome == "object" else None

    @bad.hookimpl
    def mcpkit_middleware() -> list[Any]:
        return [spoil]

    with anyio.fail_after(20):
        async with serving(Gates(), bad=bad) as client:
            status = "completed" if outcome == "exit" else "failed"
            failed = await until(client, await begin(client, "demo_make", size=0), status)
            done = await until(client, await begin(client, "demo_make", size=1), "completed")

    if outcome == "exit":  # a crash like any other, which the model reads
        assert failed.result is not None
        assert failed.result["isError"] is True
    else:
        assert failed.error is not None
        assert "x" not in failed.error.message
    assert done.result is not None


@pytest.mark.parametrize("jump", [-1_000_000, 40, 1_000_000])
async def test_a_task_that_runs_outlives_a_jump_of_the_clock(
    jump: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcpkit.core.tasks.running.SWEEP", 0)
    monkeypatch.setattr("mcpkit.core.tasks.running.WATCH", 0.01)
    gates, now, offset = Gates(), time.time, 0.0
    monkeypatch.setattr(time, "time", lambda: now() + offset)
    with anyio.fail_after(20):
        async with serving(gates) as client:
            task_id = await begin(client, "demo_wait")
            offset = jump
            for _ in range(20):  # many sweeps pass in between
                await anyio.sleep(0.01)
                during = await ask(client, "tasks/get", task_id)
            gates.opened.set()
            done = await until(client, task_id, "completed")

    assert during.status == "working"
    assert done.result is not None


async def test_a_client_that_leaves_while_its_task_begins_leaves_nothing_behind() -> None:
    gates = Gates()
    with anyio.fail_after(20):
        async with serving(gates) as client:
            for delay in (0, 0.001, 0.005, 0.01):
                with anyio.move_on_after(delay):
                    await begin(client, "demo_wait")
            gates.opened.set()
            unknown = await refused(ask(client, "tasks/get", "x" * 1_000_000))

    assert len(unknown.message) < 200


async def test_without_keys_each_address_has_its_share_of_tasks(tmp_path: Any) -> None:
    gates, path = Gates(), tmp_path / "tasks.sqlite"
    settings = Settings.model_validate({"tasks": {"path": path, "limit_per_client": 1}})
    capabilities = {"extensions": {TASKS.identifier: {}}}
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": capabilities,
    }
    params = {"name": "demo_wait", "arguments": {}, "_meta": meta}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    headers = {
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call",
        "mcp-name": "demo_wait",
    }
    app = build(settings, plugins=False, objects={"demo": worker(gates)})
    statuses = []
    with anyio.fail_after(20):
        async with app.running() as running, streamable_http.open_routes(running) as routes:
            for address in ("10.0.0.1", "10.0.0.1", "10.0.0.2"):
                transport = httpx2.ASGITransport(app=routes[0], client=(address, 1))
                async with httpx2.AsyncClient(
                    transport=transport, base_url="http://localhost", headers=headers
                ) as client:
                    statuses.append((await client.post("/mcp", json=body)).status_code)
            gates.opened.set()

    assert statuses == [200, 429, 200]
