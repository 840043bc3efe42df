"""What outlives a request, its connection, and the server process: tasks, and state in rounds."""

import time
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
import pytest

from tests.conftest import ServerProcess, environment, start_server
from tests.contract.tasks import ask, begin, connected, refused, text_of, until

pytestmark = [pytest.mark.anyio, pytest.mark.contract]

KEYS = ("k" * 20, "m" * 20)


@pytest.fixture
def start(features: Path, tmp_path: Path) -> Any:
    """Start servers that share one file of tasks; what still runs at the end is stopped."""
    started: list[ServerProcess] = []

    def start_one(*settings: str) -> ServerProcess:
        given = [f"tasks.path={tmp_path / 'tasks.sqlite'}", 'plugins_allow=["left"]', *settings]
        assignments = [part for setting in given for part in ("--set", setting)]
        arguments = ("--transport", "streamable-http", "--port", "0", *assignments)
        server = start_server(arguments, environment(features), tmp_path)
        started.append(server)
        return server

    yield start_one
    for server in started:
        server.close()


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


async def test_a_task_of_a_server_that_was_killed_fails(start: Any) -> None:
    first = start()
    async with connected(first) as client:
        task_id = await begin(client, "left_work", seconds=30)
    first.process.kill()
    first.process.wait(10)
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
