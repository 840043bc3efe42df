"""Tasks go on, whatever happens to the file that keeps them and to the processes that share it."""

import resource
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
import pytest

from tests.conftest import ServerProcess, environment, start_server
from tests.contract.tasks import ask, begin, connected, refused, until

pytestmark = [pytest.mark.anyio, pytest.mark.contract]

MEMORY_ONLY = "tasks are in memory only"
KEY = "k" * 20


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The file of tasks."""
    return tmp_path / "tasks.sqlite"


@pytest.fixture
def start(features: Path, tmp_path: Path, file: Path) -> Iterator[Callable[..., ServerProcess]]:
    """Start servers that share one file of tasks; what still runs at the end is stopped."""
    started: list[ServerProcess] = []

    def start_one(
        *settings: str, path: Path | None = file, env: dict[str, str] | None = None
    ) -> ServerProcess:
        given = ['plugins_allow=["left"]', *settings]
        given += [] if path is None else [f"tasks.path={path}"]
        assignments = [part for setting in given for part in ("--set", setting)]
        arguments = ("--transport", "streamable-http", "--port", "0", *assignments)
        server = start_server(arguments, environment(features, env), tmp_path)
        started.append(server)
        return server

    yield start_one
    for server in started:
        server.process.send_signal(signal.SIGCONT)
        server.close()


@contextmanager
def opened(file: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(file, isolation_level=None, timeout=10)) as database:
        yield database


def limit_files(server: ServerProcess, size: int) -> None:
    """Let a server write no file beyond a size, as on a disk that is full."""
    _, hard = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size, hard))


async def test_a_write_lock_that_is_held_stops_neither_tasks_nor_servers(
    start: Any, file: Path
) -> None:
    servers = [start(), start()]
    async with connected(servers[0]) as one, connected(servers[1]) as other:
        theirs = await begin(one, "left_work", seconds=60)
        before = [await begin(client, "left_work", seconds=0.5) for client in (one, other)]
        with opened(file) as database:
            database.execute("BEGIN IMMEDIATE")
            with anyio.fail_after(10):
                done = [
                    await until(client, task_id, "completed")
                    for client, task_id in zip((one, other), before, strict=True)
                ]
                begun = await begin(one, "left_work", seconds=0)
                made = await until(one, begun, "completed")
            asked = await begin(one, "left_ask_in_task")
            waiting = await until(one, asked, "input_required")
            assert waiting.input_requests is not None
            (key,) = waiting.input_requests
            reply = {key: {"action": "accept", "content": {"name": "Kari"}}}
            await ask(one, "tasks/update", asked, input_responses=reply)
            greeted = await until(one, asked, "completed")
            cancelled = await begin(one, "left_work", seconds=60)
            await ask(one, "tasks/cancel", cancelled)
            gone = await ask(one, "tasks/get", cancelled)
            seen = await ask(other, "tasks/get", theirs)
            not_now = await refused(ask(other, "tasks/cancel", theirs))
            database.execute("ROLLBACK")
        for server in servers:
            server.wait_for("kept in their file again")
        await ask(other, "tasks/cancel", theirs)
        later = [await until(other, task_id, "completed") for task_id in (before[0], begun, asked)]

    assert [server.stop() for server in servers] == [0, 0]
    assert all(task.result is not None for task in [*done, made, greeted])
    assert (gone.status, seen.status, not_now.code) == ("cancelled", "working", 503)
    assert [task.result for task in later] == [done[0].result, made.result, greeted.result]


async def test_what_ends_on_a_full_disk_is_written_when_there_is_room(
    start: Any, file: Path
) -> None:
    server = start()
    async with connected(server) as client:
        task_id = await begin(client, "left_work", seconds=0.5)
        limit_files(server, 4096)
        done = await until(client, task_id, "completed")
        server.wait_for(f"WARNING.*Tasks cannot be kept.*{MEMORY_ONLY}")
        begun = await begin(client, "left_work", seconds=0)
        made = await until(client, begun, "completed")
        limit_files(server, resource.RLIM_INFINITY)
        server.wait_for("kept in their file again")
    assert server.stop() == 0
    async with connected(start()) as client:
        kept = [await ask(client, "tasks/get", item) for item in (task_id, begun)]

    assert done.result is not None
    assert kept == [done, made]


async def test_a_record_that_cannot_be_read_costs_its_own_task_alone(
    start: Any, file: Path
) -> None:
    server = start()
    async with connected(server) as client:
        ended = [await begin(client, "left_work", seconds=0) for _ in range(4)]
        for task_id in ended:
            await until(client, task_id, "completed")
        running = await begin(client, "left_work", seconds=1)
        records = [
            "'{\"id\": '",
            "'no JSON'",
            "x'80ff'",
            "json_set(CAST(record AS TEXT), '$.priority', 9)",
        ]
        with opened(file) as database:
            for task_id, record in zip(ended, records, strict=True):
                database.execute(f"UPDATE tasks_v2 SET record = {record} WHERE id = ?", (task_id,))
            database.execute("UPDATE tasks_v2 SET record = '{' WHERE id = ?", (running,))
        errors = [await refused(ask(client, "tasks/get", task_id)) for task_id in ended]
        cancelling = await refused(ask(client, "tasks/cancel", ended[0]))
        done = await until(client, running, "completed")

    assert server.stop() == 0
    assert {error.code for error in [*errors, cancelling]} == {types.INTERNAL_ERROR}
    assert all("another version of mcpkit" in error.message for error in errors)
    assert done.result is not None


async def test_a_file_that_is_deleted_is_made_anew_with_what_runs(start: Any, file: Path) -> None:
    server = start()
    async with connected(server) as client:
        task_id = await begin(client, "left_work", seconds=1)
        for path in file.parent.glob("tasks.sqlite*"):
            path.unlink()
        during = await ask(client, "tasks/get", task_id)
        done = await until(client, task_id, "completed")
        with anyio.fail_after(20):
            while not kept_in(file):
                await anyio.sleep(0.05)
    assert server.stop() == 0
    async with connected(start()) as client:
        kept = await ask(client, "tasks/get", task_id)

    assert during.status == "working"
    assert kept == done


def kept_in(file: Path) -> list[Any]:
    with opened(file) as database:
        return database.execute("SELECT id FROM tasks_v2 WHERE over").fetchall()


async def test_a_process_that_is_stopped_keeps_its_tasks(start: Any, file: Path) -> None:
    one, other = start(), start()
    async with connected(one) as here, connected(other) as there:
        task_id = await begin(here, "left_work", seconds=1)
        while not (await ask(here, "tasks/get", task_id)).status_message:
            await anyio.sleep(0.01)
        with opened(file) as database:  # as if it had slept for long
            database.execute("UPDATE workers_v2 SET beat = 1")
        one.process.send_signal(signal.SIGSTOP)
        during = await ask(there, "tasks/get", task_id)
        one.process.send_signal(signal.SIGCONT)
        done = await until(there, task_id, "completed")

    assert during.status == "working"
    assert done.result is not None


async def test_servers_with_one_file_keep_clients_of_one_name_apart(start: Any, file: Path) -> None:
    one = start(f'auth.api_keys={{"alice": "{KEY}", "bob": "{KEY}3"}}', "tasks.limit_per_client=1")
    other = start(f'auth.api_keys={{"alice": "{KEY}2"}}')
    async with connected(one, KEY) as client, connected(one, f"{KEY}3") as bob:
        task_id = await begin(client, "left_work", seconds=1)
        too_many = await refused(begin(client, "left_work", seconds=0))
        await until(bob, await begin(bob, "left_work", seconds=0), "completed")
        async with connected(other, f"{KEY}2") as stranger:
            unknown = await refused(ask(stranger, "tasks/get", task_id))
        done = await until(client, task_id, "completed")
        with opened(file) as database:
            database.execute("UPDATE tasks_v2 SET record = '{'")
        damaged = [await refused(ask(who, "tasks/get", task_id)) for who in (client, bob)]

    assert [error.code for error in damaged] == [types.INTERNAL_ERROR, types.INVALID_PARAMS]
    assert (too_many.code, unknown.code) == (429, types.INVALID_PARAMS)
    assert done.result is not None
