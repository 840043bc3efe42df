"""Tasks of this process go on in memory while their file fails, and are written later."""

import logging
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
import pytest

from mcpkit.core.errors import TaskStoreError
from mcpkit.core.settings import TaskSettings
from mcpkit.core.tasks.changes import answer, asking, cancel, ended, touched
from mcpkit.core.tasks.failover import LONGEST_PAUSE, FailoverTaskStore
from mcpkit.core.tasks.memory import MemoryTaskStore
from mcpkit.core.tasks.records import TaskRecord
from mcpkit.core.tasks.sqlite import SqliteTaskStore

pytestmark = pytest.mark.anyio


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TaskSettings:
    monkeypatch.setattr("mcpkit.core.tasks.database.BUSY", 0.05)
    return TaskSettings(path=tmp_path / "tasks.sqlite")


@pytest.fixture
async def store(settings: TaskSettings, clock: Clock) -> AsyncIterator[FailoverTaskStore]:
    """The store under test."""
    opened = FailoverTaskStore(SqliteTaskStore(settings), MemoryTaskStore(settings), clock=clock)
    await opened.open()
    yield opened
    await opened.aclose()


@pytest.fixture
async def other(settings: TaskSettings) -> AsyncIterator[SqliteTaskStore]:
    """The same file, as another process has it."""
    opened = SqliteTaskStore(settings)
    await opened.open()
    yield opened
    await opened.aclose()


@contextmanager
def locked(settings: TaskSettings) -> Iterator[None]:
    """Hold the write lock of the file."""
    with closing(sqlite3.connect(str(settings.path), isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        yield
        database.execute("ROLLBACK")


def record(task_id: str) -> TaskRecord:
    now = time.time()
    return TaskRecord(
        id=task_id, owner="kari", tool="t", worker="here", created=now, updated=now, ttl=60
    )


def completed(old: TaskRecord) -> TaskRecord | None:
    return ended(old, "completed")


async def test_what_cannot_be_written_is_answered_from_memory_and_written_later(
    store: FailoverTaskStore, other: SqliteTaskStore, settings: TaskSettings, clock: Clock
) -> None:
    await store.put(record("before"))
    with locked(settings):
        done = await store.change("before", completed, b"[1]")
        await store.put(record("during"))
        found = await store.get_all(["before", "during"])
        outcome = await store.outcome("before")
        elsewhere = await other.get("before")
    clock.now += 1
    await store.mend()

    assert done is not None
    assert found["before"] == done == await store.get("before") == await other.get("before")
    assert found["during"].status == "working"
    assert outcome == b"[1]" == await other.outcome("before")
    assert elsewhere is not None
    assert elsewhere.status == "working"
    assert await other.get("during") == found["during"]


class CountedStore(SqliteTaskStore):
    """Notes when it is opened."""

    def __init__(self, settings: TaskSettings, clock: Clock) -> None:
        super().__init__(settings)
        self.opened_at: list[float] = []
        self._own_clock = clock

    async def open(self) -> None:
        self.opened_at.append(self._own_clock())
        await super().open()


async def test_a_file_that_fails_is_tried_ever_less_often_and_told_of_once(
    settings: TaskSettings, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    primary = CountedStore(settings, clock)
    store = FailoverTaskStore(primary, MemoryTaskStore(settings), clock=clock)
    await store.open()
    with locked(settings):
        await store.put(record("a"))
        for _ in range(200):
            clock.now += 0.25
            await store.mend()
        await store.change("a", completed, b"1")
        tries = list(primary.opened_at)
    clock.now += LONGEST_PAUSE
    await store.mend()
    await store.aclose()

    assert tries[:7] == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 25.5]
    assert [later - earlier for earlier, later in pairwise(tries)][5:] == [LONGEST_PAUSE] * 3
    messages = [entry.message for entry in caplog.records if "failover" in entry.name]
    assert len(messages) == 2
    assert "in memory only" in messages[0]
    assert "in their file again" in messages[1]


async def test_what_others_did_meanwhile_is_kept(
    store: FailoverTaskStore, other: SqliteTaskStore, settings: TaskSettings, clock: Clock
) -> None:
    for task_id in ("answered", "cancelled"):
        await store.put(record(task_id))
        await store.change(task_id, lambda old: asking(old, {"one": {}, "two": {}}))
    with locked(settings):
        await store.change("answered", lambda old: touched(old, message="new"))
        await store.change("cancelled", completed, b"1")
    await other.change("answered", lambda old: answer(old, {"one": {"is": 1}, "no": {}}))
    await other.change("cancelled", cancel)
    clock.now += 1
    await store.mend()

    answered, cancelled = await store.get("answered"), await store.get("cancelled")
    assert answered is not None
    assert (answered.message, answered.responses) == ("new", {"one": {"is": 1}})
    assert list(answered.requests) == ["two"]
    assert cancelled is not None
    assert cancelled.status == "cancelled"


async def test_a_task_of_another_process_is_not_taken_over(
    store: FailoverTaskStore, other: SqliteTaskStore, settings: TaskSettings, clock: Clock
) -> None:
    await other.put(record("theirs"))
    with locked(settings):
        found = await store.get("theirs")
        for _ in range(2):
            with pytest.raises(TaskStoreError):
                await store.change("theirs", cancel)
    clock.now += 1
    await store.mend()

    assert found is not None
    assert (await store.change("theirs", cancel)).status == "cancelled"  # type: ignore[union-attr]


async def test_a_change_while_the_file_is_written_again_is_not_lost(
    store: FailoverTaskStore, other: SqliteTaskStore, settings: TaskSettings, clock: Clock
) -> None:
    with locked(settings):
        for number in range(20):
            await store.put(record(str(number)))
    clock.now += 1

    async def finish(task_id: str) -> None:
        await store.change(task_id, completed, task_id.encode())

    async with anyio.create_task_group() as group:
        group.start_soon(store.mend)
        for number in range(20):
            group.start_soon(finish, str(number))
    clock.now += 1
    await store.mend()

    for number in range(20):
        assert (await other.get(str(number))).status == "completed"  # type: ignore[union-attr]
        assert await other.outcome(str(number)) == str(number).encode()


async def test_what_is_in_memory_is_written_at_the_end(
    settings: TaskSettings, other: SqliteTaskStore, clock: Clock
) -> None:
    store = FailoverTaskStore(SqliteTaskStore(settings), MemoryTaskStore(settings), clock=clock)
    await store.open()
    with locked(settings):
        await store.put(record("a"))
    await store.aclose()

    assert await other.get("a") is not None


async def test_tasks_that_are_lost_are_told(
    tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    settings = TaskSettings(path=tmp_path)
    store = FailoverTaskStore(SqliteTaskStore(settings), MemoryTaskStore(settings), clock=clock)
    await store.open()
    await store.put(record("a"))
    await store.beat("here")
    await store.abandon("gone")
    beats: Any = await store.beats()
    await store.sweep()
    await store.aclose()

    assert beats == {}
    assert "end with the server: 1" in caplog.text


async def test_a_place_that_is_mended_is_used(
    tmp_path: Path, clock: Clock, other: SqliteTaskStore
) -> None:
    path = tmp_path / "state" / "tasks.sqlite"
    path.parent.write_text("in the way")
    settings = TaskSettings(path=path)
    store = FailoverTaskStore(SqliteTaskStore(settings), MemoryTaskStore(settings), clock=clock)
    await store.open()
    await store.put(record("a"))
    unknown = await store.get("none")
    path.parent.unlink()
    clock.now += 1
    await store.mend()
    await store.aclose()

    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT id FROM tasks_v2").fetchall() == [("a",)]
    assert unknown is None


async def test_what_cannot_be_written_from_the_start_can_be_read(
    store: FailoverTaskStore, settings: TaskSettings
) -> None:
    await store.put(record("a"))
    await store.change("a", completed, b"[1]")
    late = FailoverTaskStore(SqliteTaskStore(settings), MemoryTaskStore(settings))
    with locked(settings):
        await late.open()
        found, outcome = await late.get("a"), await late.outcome("a")
    await late.aclose()

    assert found is not None
    assert found.is_over
    assert outcome == b"[1]"


class Primary(MemoryTaskStore):
    """A store in memory that can be opened, fails when it is told to, and notes what is put."""

    def __init__(self) -> None:
        super().__init__(TaskSettings())
        self.is_open = True
        self.fails = False
        self.puts: list[tuple[str, bytes | None]] = []

    def check(self) -> None:
        if self.fails:
            raise TaskStoreError("No room")

    async def open(self) -> None:
        self.check()
        self.is_open = True

    async def aclose(self) -> None:
        self.is_open = False

    async def put(self, record: TaskRecord, outcome: bytes | None = None) -> None:
        self.check()
        self.puts.append((record.id, outcome))
        await super().put(record, outcome)

    async def get(self, task_id: str) -> TaskRecord | None:
        self.check()
        return await super().get(task_id)

    async def sweep(self) -> int:
        self.check()
        return await super().sweep()


@pytest.fixture
def primary() -> Primary:
    return Primary()


@pytest.fixture
def failing(primary: Primary, clock: Clock) -> FailoverTaskStore:
    """A store whose primary one can be told to fail."""
    return FailoverTaskStore(primary, MemoryTaskStore(TaskSettings()), clock=clock)


async def test_while_all_is_well_everything_goes_to_the_primary_store(
    primary: Primary, failing: FailoverTaskStore
) -> None:
    await failing.mend()
    await failing.put(record("a"))
    await failing.put(replace(record("old"), status="failed", updated=0), b"1")
    await failing.beat("here")
    beats = await failing.beats()
    found = await failing.get_all(["a", "none"])
    swept = await failing.sweep()
    await failing.abandon("here")

    assert primary.puts[:2] == [("a", None), ("old", b"1")]
    assert beats["here"] > 0
    assert (set(found), swept) == ({"a"}, 1)
    assert (await primary.get("a") or record("a")).status == "failed"


async def test_while_it_fails_outcomes_and_tasks_are_in_memory_and_others_are_refused(
    primary: Primary, failing: FailoverTaskStore, caplog: pytest.LogCaptureFixture
) -> None:
    await failing.put(record("before"))
    await primary.put(record("theirs"))
    primary.fails = True
    await failing.put(replace(record("done"), status="completed"), b"7")
    primary.is_open = False

    found = await failing.get_all(["before", "done", "theirs"])
    with pytest.raises(TaskStoreError) as caught:
        await failing.change("theirs", cancel)
    primary.is_open = True
    with pytest.raises(TaskStoreError, match="No room"):
        await failing.get("theirs")

    assert set(found) == {"done"}
    assert await failing.outcome("done") == b"7"
    assert (await failing.get("before") or record("x")).id == "before"
    assert caught.value.message == "The file of tasks cannot be written at the moment"
    told = "No room; until that works, tasks are in memory only, and lost if the server stops"
    assert caplog.messages == [told]


async def test_a_sweep_that_fails_is_a_failure_and_memory_is_swept_meanwhile(
    primary: Primary, failing: FailoverTaskStore, caplog: pytest.LogCaptureFixture
) -> None:
    primary.fails = True
    swept = [await failing.sweep()]
    await failing.put(replace(record("old"), status="failed", updated=0))
    swept.append(await failing.sweep())

    assert swept == [0, 1]
    assert len(caplog.records) == 1
    assert caplog.messages[0].startswith("No room; ")


async def test_what_is_small_is_written_first(
    primary: Primary, failing: FailoverTaskStore, clock: Clock
) -> None:
    primary.fails = True
    for name, size in (("large", 3000), ("small", 1), ("middle", 200)):
        await failing.put(replace(record(name), status="completed"), b"x" * size)
    primary.fails = False
    clock.now += 1
    await failing.mend()

    assert [name for name, _ in primary.puts] == ["small", "middle", "large"]
    assert (await failing.get_all(["small", "large"])).keys() == {"small", "large"}
