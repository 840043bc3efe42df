"""What outlives a request, its connection, and the server process: tasks, and state in rounds."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx2
import mcp
import mcp_types as types
import pytest
from mcp.client.extension import advertise
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from tests.conftest import ServerProcess, environment, install, start_server

pytestmark = [pytest.mark.anyio, pytest.mark.contract]

TASKS = advertise("io.modelcontextprotocol/tasks")
KEYS = ("k" * 20, "m" * 20)


class OfTask(types.RequestParams):
    task_id: str
    input_responses: dict[str, Any] | None = None


class TaskRequest(types.Request[OfTask, str]):
    name_param = "taskId"


class Task(types.Result):
    task_id: str = ""
    status: str = ""
    status_message: str | None = None
    input_requests: dict[str, Any] | None = None
    result: dict[str, Any] | None = None
    error: types.ErrorData | None = None
    ttl_ms: int = 0


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the two plugins are."""
    return install("features", tmp_path_factory)


@pytest.fixture
def start(installed: Path, tmp_path: Path) -> Any:
    """Start servers that share one file of tasks; what still runs at the end is stopped."""
    started: list[ServerProcess] = []

    def start_one(*settings: str) -> ServerProcess:
        given = [f"tasks.path={tmp_path / 'tasks.sqlite'}", 'plugins_allow=["left"]', *settings]
        assignments = [part for setting in given for part in ("--set", setting)]
        arguments = ("--transport", "streamable-http", "--port", "0", *assignments)
        server = start_server(arguments, environment(installed), tmp_path)
        started.append(server)
        return server

    yield start_one
    for server in started:
        server.close()


@asynccontextmanager
async def connected(server: ServerProcess, key: str | None = None) -> AsyncIterator[mcp.Client]:
    headers = {"X-API-Key": key} if key else {}
    with anyio.fail_after(30):
        async with (
            httpx2.AsyncClient(headers=headers, timeout=20) as http,
            mcp.Client(
                streamable_http_client(server.url(), http_client=http), extensions=[TASKS]
            ) as client,
        ):
            yield client


async def begin(client: mcp.Client, tool: str, **arguments: Any) -> str:
    """Call a tool that becomes a task, and return its id."""
    params = types.CallToolRequestParams(name=tool, arguments=arguments)
    request = types.Request[Any, str](method="tools/call", params=params)
    return (await client.session.send_request(request, Task)).task_id


async def ask(client: mcp.Client, method: str, task_id: str, **more: Any) -> Task:
    params = OfTask(task_id=task_id, **more)
    return await client.session.send_request(TaskRequest(method=method, params=params), Task)


async def until(client: mcp.Client, task_id: str, *statuses: str) -> Task:
    while (task := await ask(client, "tasks/get", task_id)).status not in statuses:
        await anyio.sleep(0.05)
    return task


def text_of(result: Any) -> str:
    return str(result.content[0].text)


async def refused(request: Any) -> MCPError:
    with pytest.raises(MCPError) as caught:
        await request
    return caught.value


async def test_a_task_outlives_its_connection_and_its_server(start: Any) -> None:
    first = start()
    async with connected(first) as client:
        task_id = await begin(client, "left_work", seconds=0.5)
    async with connected(first) as client:
        done = await until(client, task_id, "completed")
    assert first.stop() == 0
    async with connected(start()) as client:
        kept = await ask(client, "tasks/get", task_id)

    assert done.result is not None
    assert done.result["content"] == [{"type": "text", "text": "left worked"}]
    assert kept == done
    assert kept.ttl_ms == 3_600_000
    assert kept.status_message == "halfway (1 of 2)"
    assert len(task_id) >= 40


async def test_another_process_answers_and_cancels(start: Any) -> None:
    one, other = start(), start()
    async with connected(one) as here, connected(other) as there:
        asked = await begin(here, "left_ask_in_task")
        waiting = await until(there, asked, "input_required")
        assert waiting.input_requests is not None
        (key,) = waiting.input_requests
        wrong = {key: {"action": "accept", "content": {"name": {"no": "string"}}}, "other": {}}
        await ask(there, "tasks/update", asked, input_responses=wrong)
        again = await until(there, asked, "input_required")
        assert again.input_requests is not None
        (key,) = again.input_requests
        right = {key: {"action": "accept", "content": {"name": "Kari"}}}
        await ask(there, "tasks/update", asked, input_responses=right)
        done = await until(there, asked, "completed")
        long = await begin(here, "left_work", seconds=30)
        await ask(there, "tasks/cancel", long)
        cancelled = await ask(here, "tasks/get", long)
        await ask(there, "tasks/cancel", asked)
        stays = await ask(here, "tasks/get", asked)
    started = time.monotonic()

    assert one.stop() == 0
    assert time.monotonic() - started < 10  # it did not wait for the cancelled one
    assert done.result is not None
    assert done.result["content"][0]["text"] == "Hello Kari"
    assert (cancelled.status, stays.status) == ("cancelled", "completed")


async def test_a_task_is_its_owners_alone(start: Any) -> None:
    server = start(f"auth.api_keys={list(KEYS)}".replace("'", '"'))
    async with connected(server, KEYS[0]) as owner, connected(server, KEYS[1]) as stranger:
        task_id = await begin(owner, "left_work", seconds=0)
        errors = [
            await refused(ask(stranger, method, task_id))
            for method in ("tasks/get", "tasks/update", "tasks/cancel")
        ]
        unknown = await refused(ask(owner, "tasks/get", "none"))
        done = await until(owner, task_id, "completed")

    assert {error.code for error in [*errors, unknown]} == {types.INVALID_PARAMS}
    assert errors[0].message.startswith("Unknown task")
    assert done.status == "completed"


async def test_a_task_of_a_server_that_was_killed_fails(start: Any, tmp_path: Path) -> None:
    import sqlite3

    first = start()
    async with connected(first) as client:
        task_id = await begin(client, "left_work", seconds=30)
    first.process.kill()
    first.process.wait(10)
    with sqlite3.connect(tmp_path / "tasks.sqlite") as database:  # its lease runs out
        database.execute("UPDATE tasks_v1 SET lease = 1")
    database.close()
    async with connected(start()) as client:
        task = await ask(client, "tasks/get", task_id)

    assert task.status == "failed"
    assert task.error is not None
    assert "is gone" in task.error.message


async def test_sigterm_lets_a_task_finish_and_gives_up_who_waits_for_answers(start: Any) -> None:
    first = start()
    async with connected(first) as client:
        short = await begin(client, "left_work", seconds=2)
        asking = await begin(client, "left_ask_in_task")
        await until(client, asking, "input_required")
    started = time.monotonic()
    code = first.stop()
    took = time.monotonic() - started
    async with connected(start()) as client:
        done = await ask(client, "tasks/get", short)
        given_up = await ask(client, "tasks/get", asking)

    assert code == 0
    assert 1 < took < 10
    assert (done.status, given_up.status) == ("completed", "failed")


async def test_tasks_expire_and_no_more_run_than_allowed(start: Any) -> None:
    server = start("tasks.ttl=0.3", "tasks.limit=1")
    async with connected(server) as client:
        task_id = await begin(client, "left_work", seconds=0.2)
        too_many = await refused(begin(client, "left_work", seconds=0))
        await until(client, task_id, "completed")
        await anyio.sleep(0.5)
        expired = await refused(ask(client, "tasks/get", task_id))

    assert too_many.code == 429
    assert expired.code == types.INVALID_PARAMS


async def test_a_file_that_keeps_no_tasks_is_told(start: Any, tmp_path: Path) -> None:
    (tmp_path / "tasks.sqlite").write_text("my diary\n" * 100)
    server = start()

    assert server.process.wait(20) == 1
    assert "Tasks cannot be kept" in "".join(server.lines)
    assert "tasks.path" in "".join(server.lines)


@pytest.mark.parametrize(("keys", "works"), [(True, True), (False, False)])
async def test_another_process_finishes_a_conversation_with_shared_keys(
    start: Any, keys: bool, works: bool
) -> None:
    settings = ['request_state.keys=["' + "s" * 32 + '"]'] if keys else []
    first = start(*settings)
    async with connected(first) as client:
        asked = await client.session.call_tool("left_rounds", {}, allow_input_required=True)
    assert isinstance(asked, types.InputRequiredResult)
    first.close()
    content = types.TextContent(text="hi")
    reply = types.CreateMessageResult(role="assistant", content=content, model="m")
    async with connected(start(*settings)) as client:
        finish = client.session.call_tool(
            "left_rounds", {}, input_responses={"hi": reply}, request_state=asked.request_state
        )
        text = text_of(await finish) if works else (await refused(finish)).message

    assert text == "kept hi" if works else "state" in text.lower()
