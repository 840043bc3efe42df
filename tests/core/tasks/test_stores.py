"""Task stores, in memory and in a file: changes, outcomes, expiry and limits."""

import os
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from mcpkit.core.errors import TaskStoreError, UnreadableTaskError
from mcpkit.core.settings import TaskSettings
from mcpkit.core.tasks.changes import LOST, cancel, ended, touched
from mcpkit.core.tasks.memory import MemoryTaskStore
from mcpkit.core.tasks.records import TaskRecord, TaskStore
from mcpkit.core.tasks.sqlite import SqliteTaskStore

pytestmark = pytest.mark.anyio

KIB = 1024


class Clock:
    """A wall clock that tests set."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


Open = Callable[..., Any]


@pytest.fixture
async def open_sqlite(tmp_path: Path, clock: Clock) -> AsyncIterator[Open]:
    """Open stores on one file."""
    opened: list[SqliteTaskStore] = []

    async def open_one(**settings: Any) -> SqliteTaskStore:
        path = tmp_path / "tasks.sqlite"
        store = SqliteTaskStore(TaskSettings(path=path, **settings), clock=clock)
        opened.append(store)
        await store.open()
        return store

    yield open_one
    for store in opened:
        await store.aclose()


@pytest.fixture(params=["memory", "sqlite"])
def open_store(request: pytest.FixtureRequest, open_sqlite: Open, clock: Clock) -> Open:
    """Open a store of each kind."""

    async def open_memory(**settings: Any) -> MemoryTaskStore:
        return MemoryTaskStore(TaskSettings(**settings), clock=clock)

    return open_memory if request.param == "memory" else open_sqlite


def record(task_id: str, owner: str = "kari", worker: str = "here", ttl: float = 60) -> TaskRecord:
    now = time.time()
    return TaskRecord(
        id=task_id, owner=owner, tool="t", worker=worker, created=now, updated=now, ttl=ttl
    )


async def finish(store: TaskStore, task_id: str, size: int, owner: str = "kari") -> None:
    await store.put(record(task_id, owner))
    await store.change(task_id, lambda old: ended(old, "completed"), b"x" * size)


async def test_a_task_is_kept_and_changes(open_store: Open) -> None:
    store = await open_store()
    begun = record("a")

    await store.put(begun)
    found = await store.get("a")
    changed = await store.change("a", lambda old: touched(old, message="half \ud800 way"))
    unchanged = await store.change("a", lambda old: None, b"ignored")
    early = await store.outcome("a")
    done = await store.change("a", lambda old: ended(old, "completed"), b"[1]")

    assert found == begun
    assert changed is not None
    assert unchanged is not None
    assert changed.updated == unchanged.updated >= begun.updated
    assert early is None
    assert done is not None
    assert done.is_over
    assert await store.get("a") == replace(done, message=unchanged.message)
    assert await store.outcome("a") == b"[1]"
    assert await store.change("a", cancel) == await store.get("a")
    assert set(await store.get_all(["a", "none"])) == {"a"}
    assert await store.get("none") is None
    assert await store.outcome("none") is None
    assert await store.change("none", cancel) is None


async def test_what_a_change_raises_leaves_the_task_as_it_was(open_store: Open) -> None:
    store = await open_store()
    await store.put(record("a"))

    def refuse(old: TaskRecord) -> TaskRecord:
        raise ValueError(old.id)

    with pytest.raises(ValueError, match="a"):
        await store.change("a", refuse)
    assert await store.get("a") is not None
    assert (await store.change("a", cancel)).status == "cancelled"


async def test_a_task_expires_after_it_is_over_only(open_store: Open, clock: Clock) -> None:
    store = await open_store()
    await finish(store, "done", 1)
    await store.put(record("running"))

    clock.now += 59
    assert await store.sweep() == 0
    clock.now += 2  # or a wall clock that was set, or a laptop that slept
    assert await store.get("done") is None
    assert await store.sweep() == 1
    clock.now += 1_000_000
    assert await store.sweep() == 0
    assert (await store.get("running")).status == "working"


async def test_a_task_is_there_until_the_moment_at_which_it_expires(
    open_store: Open, clock: Clock
) -> None:
    store = await open_store()
    await finish(store, "done", 1)

    clock.now = (await store.get("done")).expires
    assert await store.sweep() == 0
    assert await store.get("done") is not None
    clock.now += 0.001
    assert await store.get("done") is None


async def test_a_finished_task_that_is_kept_again_costs_no_other(open_store: Open) -> None:
    store = await open_store(max_kept_per_client=2)
    await finish(store, "other", 1)
    await finish(store, "again", 1)

    await store.put(await store.get("again"), b"2")

    assert set(await store.get_all(["other", "again"])) == {"other", "again"}
    assert await store.outcome("again") == b"2"


async def test_the_oldest_results_of_an_owner_go_first(open_store: Open) -> None:
    store = await open_store(max_size_per_client=10 * KIB, max_kept_per_client=3)
    for number in range(5):
        await finish(store, f"small{number}", 1)
    await finish(store, "other", 9 * KIB, owner="ola")
    small = sorted(await store.get_all([f"small{number}" for number in range(5)]))
    await finish(store, "large", 9 * KIB)
    left = sorted(await store.get_all([*small, "large", "other"]))

    assert small == ["small2", "small3", "small4"]
    assert left[0] == "large"
    assert "other" in left
    assert len(left) == 4


async def test_whoever_has_most_gives_when_all_have_too_much(open_store: Open) -> None:
    store = await open_store(max_size=20 * KIB)
    for number in range(3):
        await finish(store, f"large{number}", 5 * KIB)
    await finish(store, "modest", KIB, owner="ola")
    await finish(store, "new", 6 * KIB, owner="per")

    left = await store.get_all(["large0", "large1", "large2", "modest", "new"])
    assert sorted(left) == ["large1", "large2", "modest", "new"]


async def test_the_tasks_of_a_process_that_is_gone_fail(open_store: Open) -> None:
    store = await open_store()
    await store.put(record("a", worker="gone"))
    await store.put(record("b", worker="here"))
    await store.put(record("c", worker="gone"))
    await store.change("c", lambda old: ended(old, "completed"), b"{}")

    before = set(await store.beats())
    await store.abandon("gone")

    assert before == {"gone", "here"}
    assert set(await store.beats()) == {"here"}
    assert [(await store.get(task_id)).status for task_id in "abc"] == [
        "failed", "working", "completed",
    ]  # fmt: skip
    assert await store.outcome("a") == LOST


async def test_signs_of_life_change(open_store: Open, clock: Clock) -> None:
    store = await open_store()
    await store.put(record("a"))
    await store.beat("here")
    before = await store.beats()
    clock.now += 5
    await store.beat("here")

    assert before.keys() == (await store.beats()).keys()
    assert before != await store.beats()


async def test_two_stores_share_a_file(open_sqlite: Open) -> None:
    one, other = await open_sqlite(), await open_sqlite()
    await one.put(record("a"))
    await other.change("a", cancel)

    assert (await one.get("a")).status == "cancelled"


async def test_many_processes_may_make_the_file_at_once(tmp_path: Path) -> None:
    stores = [SqliteTaskStore(TaskSettings(path=tmp_path / "tasks.sqlite")) for _ in range(12)]
    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            for number, store in enumerate(stores):
                group.start_soon(_open_and_put, store, str(number))

    assert len(await stores[0].get_all([str(number) for number in range(12)])) == 12
    for store in stores:
        await store.aclose()


async def _open_and_put(store: SqliteTaskStore, task_id: str) -> None:
    await store.open()
    await store.put(record(task_id))


async def test_results_that_expire_leave_no_large_file(
    open_sqlite: Open, tmp_path: Path, clock: Clock
) -> None:
    store = await open_sqlite()
    for number in range(8):
        await finish(store, str(number), 3 * KIB * KIB)
    clock.now += 100
    full = used(tmp_path)
    await store.sweep()
    await store.aclose()

    assert full > 24 * KIB * KIB
    assert used(tmp_path) < KIB * KIB


async def test_the_file_stays_within_its_limit(open_sqlite: Open, tmp_path: Path) -> None:
    store = await open_sqlite(max_size=8 * KIB * KIB)
    for number in range(30):
        await finish(store, str(number), 2 * KIB * KIB, owner=f"owner{number % 4}")

    assert used(tmp_path) < 16 * KIB * KIB


def used(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


async def finish_many(store: TaskStore, count: int) -> None:
    for number in range(count):
        await finish(store, str(number), KIB * KIB)


async def test_a_reader_that_never_ends_does_not_let_the_log_grow(
    open_sqlite: Open, tmp_path: Path
) -> None:
    store = await open_sqlite(max_size=2 * KIB * KIB, max_result_size=KIB * KIB)
    await store.put(record("first"))
    with closing(sqlite3.connect(tmp_path / "tasks.sqlite", isolation_level=None)) as reading:
        reading.execute("BEGIN")
        reading.execute("SELECT count(*) FROM tasks_v2").fetchone()
        with pytest.raises(TaskStoreError, match="some process still reads"):
            await finish_many(store, 40)
        grown = used(tmp_path)
        reading.execute("COMMIT")

    assert grown < 30 * KIB * KIB


async def test_a_record_that_cannot_be_read_tells_its_owner(
    open_sqlite: Open, tmp_path: Path, clock: Clock
) -> None:
    store = await open_sqlite()
    for task_id in "abc":
        await store.put(record(task_id, worker="gone"))
    with closing(sqlite3.connect(tmp_path / "tasks.sqlite", isolation_level=None)) as database:
        database.execute("UPDATE tasks_v2 SET record = x'ff' WHERE id = 'a'")
        database.execute("UPDATE tasks_v2 SET record = 7, owner = x'ff' WHERE id = 'b'")

    for task_id, owner in (("a", "kari"), ("b", "\ufffd")):
        for asking in (store.get(task_id), store.change(task_id, cancel)):
            with pytest.raises(UnreadableTaskError) as caught:
                await asking
            assert caught.value.owner == owner
    assert set(await store.get_all("abc")) == {"c"}
    await store.abandon("gone")
    clock.now += 10_000
    assert await store.sweep() == 3


async def test_a_file_that_is_replaced_is_prepared_anew(open_sqlite: Open, tmp_path: Path) -> None:
    store = await open_sqlite()
    await store.put(record("a"))
    for path in tmp_path.iterdir():
        path.unlink()

    assert await store.get("a") is None
    await store.put(record("b"))
    with closing(sqlite3.connect(tmp_path / "tasks.sqlite")) as database:
        assert database.execute("SELECT id FROM tasks_v2").fetchall() == [("b",)]
    assert (tmp_path / "tasks.sqlite").stat().st_mode & 0o777 == 0o600


async def test_the_store_has_threads_of_its_own(
    open_sqlite: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await open_sqlite()
    async with anyio.create_task_group() as group:
        everybodys = anyio.to_thread.current_default_thread_limiter()
        borrowers = [object() for _ in range(int(everybodys.total_tokens))]
        for borrower in borrowers:
            group.start_soon(everybodys.acquire_on_behalf_of, borrower)
        await anyio.wait_all_tasks_blocked()
        with anyio.fail_after(5):
            await store.put(record("a"))
            found = await store.get("a")
        for borrower in borrowers:
            everybodys.release_on_behalf_of(borrower)

    assert found is not None


async def test_a_disk_that_never_answers_is_given_up(
    open_sqlite: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("mcpkit.core.tasks.sqlite.PATIENCE", 0.1)
    release = os.pipe()
    store = await open_sqlite()

    def hang(old: TaskRecord) -> None:
        os.read(release[0], 1)

    await store.put(record("a"))
    with anyio.fail_after(5):
        with pytest.raises(TaskStoreError, match="did not answer"):
            await store.change("a", hang)
        assert await store.get("a") is not None  # readers have threads of their own
    os.write(release[1], b"x")
    for descriptor in release:
        os.close(descriptor)
