"""The tasks of one process on a store in memory: limits, looks at the store, and the end."""

import asyncio
import itertools
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import mcp_types as types
import pytest
from mcp.shared.exceptions import MCPError

from mcpkit.core.errors import RETRY_AFTER, TaskStoreError
from mcpkit.core.handlers import body_begins
from mcpkit.core.middleware import Gate
from mcpkit.core.settings import AuthSettings, Settings, TaskSettings
from mcpkit.core.tasks import running
from mcpkit.core.tasks.changes import LOST, answer, cancel
from mcpkit.core.tasks.jobs import STOPPED
from mcpkit.core.tasks.memory import MemoryTaskStore
from mcpkit.core.tasks.owners import Owners
from mcpkit.core.tasks.records import Change, TaskRecord
from mcpkit.core.tasks.running import HEARTBEAT, SWEEP, Tasks, open_tasks

pytestmark = pytest.mark.anyio

SESSION: Any = SimpleNamespace(client_capabilities="what the client can do")


class Store(MemoryTaskStore):
    """A store in memory that notes what is done with it, and can fail."""

    def __init__(self, settings: TaskSettings) -> None:
        moments = itertools.count()
        super().__init__(settings, clock=lambda: float(next(moments)))
        self.done: list[str] = []
        self.beaten: set[str] = set()
        self.alive: set[str] = set()
        """Workers elsewhere that give signs of life."""
        self.fails = False

    async def mend(self) -> None:
        self.done.append("mend")
        for worker in self.alive:
            await super().beat(worker)

    async def beat(self, worker: str) -> None:
        self.done.append("beat")
        self.beaten.add(worker)
        await super().beat(worker)

    async def sweep(self) -> int:
        self.done.append("sweep")
        return await super().sweep()

    async def change(
        self, task_id: str, change: Change, outcome: bytes | None = None
    ) -> TaskRecord | None:
        if self.fails:
            raise TaskStoreError("no room")
        return await super().change(task_id, change, outcome)


@dataclass(slots=True)
class Trial:
    """Running tasks, their store, and what lets their tools go on."""

    tasks: Tasks
    store: Store
    gate: Gate
    release: anyio.Event
    ended: list[str]

    async def work(self, session: Any, given: Any) -> Any:
        """A tool that begins, and waits."""
        assert session.client_capabilities == SESSION.client_capabilities
        await begin()
        try:
            await self.release.wait()
        except BaseException:
            self.ended.append("cancelled")
            raise
        return "done"

    async def start(self, client: str = "one") -> TaskRecord:
        with anyio.fail_after(5):
            record = await self.tasks.call("tool", "kari", client, SESSION, self.work)
        assert isinstance(record, TaskRecord)
        return record

    async def status(self, record: TaskRecord) -> str:
        found = await self.store.get(record.id)
        assert found is not None
        return found.status


async def begin() -> None:
    begins = body_begins.get()
    assert begins is not None
    await begins()


@asynccontextmanager
async def trying(**settings: Any) -> AsyncIterator[Trial]:
    given = TaskSettings(**settings)
    store: Any = Store(given)
    gate, owners = Gate(), Owners("server", AuthSettings())
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            tasks = Tasks(store, given, owners, gate, group)
            trial = Trial(tasks, store, gate, anyio.Event(), [])
            yield trial
            group.cancel_scope.cancel()


async def test_what_ends_before_its_own_code_begins_is_answered_at_once() -> None:
    async def say(session: Any, given: Any) -> str:
        return "said"

    async def fail(session: Any, given: Any) -> str:
        raise MCPError(7, "no")

    async with trying() as trial:
        said = await trial.tasks.call("tool", "kari", "one", SESSION, say)
        with pytest.raises(MCPError, match="no"):
            await trial.tasks.call("tool", "kari", "one", SESSION, fail)

    assert (said, trial.store.entries, trial.gate.in_flight) == ("said", {}, 0)


async def test_a_task_runs_on_and_counts_as_in_flight_until_it_is_kept() -> None:
    async with trying() as trial:
        record = await trial.start()
        during = (trial.gate.in_flight, await trial.tasks.get(record.id))
        trial.release.set()
        await anyio.wait_all_tasks_blocked()
        while trial.gate.in_flight:
            await anyio.lowlevel.checkpoint()
        outcome = await trial.store.outcome(record.id)

    assert (record.owner, record.tool, record.worker) == ("kari", "tool", trial.tasks.worker)
    assert during == (1, record)
    assert outcome == b'"done"'
    assert await trial.status(record) == "completed"


@pytest.mark.parametrize(
    ("name", "clients", "told"),
    [
        ("limit_per_client", ["one", "one"], "2 tasks of this client run already"),
        ("limit", ["one", "two"], "2 tasks run already"),
    ],
)
async def test_one_task_over_a_limit_is_refused_until_another_has_ended(
    name: str, clients: list[str], told: str
) -> None:
    async with trying(**{name: 2, "poll_interval": 3}) as trial:
        records = [await trial.start(client) for client in clients]
        with pytest.raises(MCPError) as caught:
            await trial.start("one")
        await trial.tasks.change(records[0].id, cancel)
        while trial.ended == [] or trial.gate.in_flight > 1:
            await anyio.lowlevel.checkpoint()
        again = await trial.start("one")
        with pytest.raises(MCPError):
            await trial.start("one")

    assert caught.value.error.code == 429
    assert caught.value.error.message == f"{told}; try again when one of them is over"
    assert caught.value.error.data == {RETRY_AFTER: 3}
    assert again.status == "working"


async def test_other_clients_have_limits_of_their_own() -> None:
    async with trying(limit_per_client=1) as trial:
        await trial.start("one")

        assert (await trial.start("two")).status == "working"


async def test_a_call_that_is_given_up_before_its_own_code_begins_ends() -> None:
    ended = anyio.Event()

    async def hang(session: Any, given: Any) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            ended.set()

    async with trying(limit=1) as trial:
        with anyio.move_on_after(0.01):
            await trial.tasks.call("tool", "kari", "one", SESSION, hang)
        await ended.wait()
        while trial.gate.in_flight:
            await anyio.lowlevel.checkpoint()

        assert (await trial.start()).status == "working"


async def test_a_change_from_here_reaches_the_job_at_once() -> None:
    async with trying() as trial:
        record = await trial.start()
        changed = await trial.tasks.change(record.id, cancel)
        while not trial.ended:
            await anyio.lowlevel.checkpoint()
        unknown = await trial.tasks.change("none", cancel)

    assert changed is not None
    assert (changed.status, unknown) == ("cancelled", None)


async def test_a_task_of_this_process_that_nobody_runs_has_failed() -> None:
    async with trying() as trial:
        record = replace(await trial.start(), id="lost")
        await trial.store.put(record)
        found = await trial.tasks.get("lost")
        outcome = await trial.store.outcome("lost")

    assert found is not None
    assert (found.status, outcome) == ("failed", LOST)
    assert await trial.tasks.get("none") is None


async def test_a_task_whose_process_gives_no_sign_of_life_has_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with trying() as trial:
        mine = await trial.start()
        await trial.store.put(replace(mine, id="theirs", worker="x:1-2:3"))
        before = await trial.tasks.get("theirs")
        monkeypatch.setattr("mcpkit.core.tasks.workers.PATIENCE", -1.0)
        after = await trial.tasks.get("theirs")
        outcome = await trial.store.outcome("theirs")

    assert before is not None
    assert after is not None
    assert (before.status, after.status, outcome) == ("working", "failed", LOST)


async def test_a_task_of_a_process_that_has_ended_here_has_failed_at_once() -> None:
    async with trying() as trial:
        mine = await trial.start()
        place = mine.worker.partition(":")[0]
        await trial.store.put(replace(mine, id="theirs", worker=f"{place}:999999999-1:x"))
        found = await trial.tasks.get("theirs")

    assert found is not None
    assert found.status == "failed"


async def test_a_task_of_another_process_can_be_changed_from_here() -> None:
    async with trying() as trial:
        mine = await trial.start()
        await trial.store.put(replace(mine, id="theirs", worker="x:1-2:3"))
        changed = await trial.tasks.change("theirs", cancel)

    assert changed is not None
    assert changed.status == "cancelled"


class Clock:
    """The clock of the event loop, which tests put forward."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        loop = asyncio.get_running_loop()
        begun, self.now = loop.time, 0.0
        monkeypatch.setattr(loop, "time", lambda: begun() + self.now)


@asynccontextmanager
async def looking(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    """Look at the store all the time; gives what waits for a number of looks."""
    monkeypatch.setattr(running, "WATCH", 0)

    async def looks(count: int) -> None:
        """Wait until the store was looked at so many times more."""
        wanted = trial.store.done.count("mend") + count
        while trial.store.done.count("mend") < wanted:
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as watching:
        watching.start_soon(trial.tasks.watch)
        yield looks
        watching.cancel_scope.cancel()


async def test_signs_of_life_are_given_while_tasks_run_and_expired_ones_are_swept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(running, "HEARTBEAT", 1.0)
    monkeypatch.setattr(running, "SWEEP", 1.5)
    assert (HEARTBEAT, SWEEP) == (10, 60)
    async with trying() as trial, looking(trial, monkeypatch) as looks:
        clock = Clock(monkeypatch)
        counts = []

        async def look(seconds: float) -> None:
            clock.now += seconds
            await looks(3)
            done = trial.store.done
            counts.append((done.count("beat"), done.count("sweep")))

        await look(0)
        await trial.start()
        await look(0)
        await look(0.5)
        await look(0.5)
        await look(0.5)
        await look(0.6)
        trial.release.set()
        while trial.gate.in_flight:
            await anyio.lowlevel.checkpoint()
        await look(1.5)

    assert trial.store.beaten == {trial.tasks.worker}
    assert counts == [(0, 1), (1, 1), (1, 1), (2, 1), (2, 2), (3, 2), (3, 3)]


async def test_a_sweep_fails_the_tasks_of_processes_without_signs_of_life(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(running, "SWEEP", 0)
    monkeypatch.setattr("mcpkit.core.tasks.workers.PATIENCE", 0.0)
    async with trying() as trial, looking(trial, monkeypatch) as looks:
        mine = await trial.start()
        for name in ("gone", "alive"):
            await trial.store.put(replace(mine, id=name, worker=f"x:1-2:{name}"))
        trial.store.alive.add("x:1-2:alive")
        while await trial.status(replace(mine, id="gone")) != "failed":
            await anyio.sleep(0.001)
        await looks(5)
        statuses = [await trial.status(replace(mine, id=name)) for name in (mine.id, "alive")]
        await trial.store.mend()
        asked = await trial.tasks.get("alive")

    assert statuses == ["working", "working"]
    assert asked is not None
    assert asked.status == "working"
    assert caplog.records == []


async def test_what_other_processes_have_done_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Any] = []

    async def ask(session: Any, given: Any) -> Any:
        await begin()
        if not given:
            params = types.ElicitRequestFormParams(message="?", requested_schema={})
            request = types.ElicitRequest(params=params)
            return types.InputRequiredResult(input_requests={"who": request})
        answers.append(given["inputResponses"])
        return "done"

    async with trying() as trial, looking(trial, monkeypatch):
        cancelled = await trial.start()
        asking = await trial.tasks.call("tool", "kari", "one", SESSION, ask)
        await trial.store.change(cancelled.id, cancel)
        while not trial.ended:
            await anyio.lowlevel.checkpoint()
        while not (found := await trial.store.get(asking.id)) or not found.requests:
            await anyio.lowlevel.checkpoint()
        await trial.store.change(asking.id, lambda old: answer(old, {"input-1": "Kari"}))
        while not answers:
            await anyio.lowlevel.checkpoint()

    assert answers == [{"who": "Kari"}]


async def test_a_server_that_stops_waits_for_no_answers_but_for_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def ask(session: Any, given: Any) -> Any:
        await begin()
        params = types.ElicitRequestFormParams(message="?", requested_schema={})
        request = types.ElicitRequest(params=params)
        return types.InputRequiredResult(input_requests={"who": request})

    async with trying() as trial, looking(trial, monkeypatch) as looks:
        working = await trial.start()
        asking = await trial.tasks.call("tool", "kari", "one", SESSION, ask)
        await looks(2)
        before = await trial.status(asking)
        trial.gate.close()
        while await trial.status(asking) != "failed":
            await anyio.lowlevel.checkpoint()
        outcome = json.loads(await trial.store.outcome(asking.id) or b"")
        still = await trial.status(working)

    assert (before, outcome["message"], still) == ("input_required", STOPPED, "working")


async def test_a_look_that_fails_is_logged_and_not_the_last(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with trying() as trial:

        async def fail() -> None:
            trial.store.done.append("mend")
            if len(trial.store.done) < 3:
                raise TaskStoreError("no room")

        monkeypatch.setattr(trial.store, "mend", fail)
        async with looking(trial, monkeypatch) as looks:
            await looks(4)

    failed = [entry for entry in caplog.records if entry.levelno == logging.ERROR]
    assert [entry.getMessage() for entry in failed] == ["Looking after tasks failed"] * 2
    assert "sweep" in trial.store.done


async def test_an_outcome_that_cannot_be_kept_is_logged_and_ends_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with trying() as trial:
        record = await trial.start()
        trial.store.fails = True
        trial.release.set()
        while trial.gate.in_flight:
            await anyio.lowlevel.checkpoint()
        trial.store.fails = False
        found = await trial.tasks.get(record.id)

    assert found is not None
    assert found.status == "failed"
    (entry,) = caplog.records
    assert entry.getMessage() == "How a task ended could not be kept"
    assert entry.exc_info is not None


async def test_the_time_to_keep_an_outcome_is_not_limited_before_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(running, "CLOSING", 0.0)
    async with trying() as trial:
        record = await trial.start()
        trial.release.set()
        while trial.gate.in_flight:
            await anyio.lowlevel.checkpoint()

        assert await trial.status(record) == "completed"


async def test_the_time_to_keep_an_outcome_is_limited_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(running, "CLOSING", 0.01)
    async with trying() as trial:
        await trial.start()

        async def hang(*_: Any) -> None:
            await anyio.sleep_forever()

        monkeypatch.setattr(trial.store, "change", hang)
        trial.tasks.close()
        trial.release.set()
        while trial.gate.in_flight:
            await anyio.lowlevel.checkpoint()


async def test_tasks_that_run_when_the_server_ends_have_failed(tmp_path: Path) -> None:
    path = tmp_path / "tasks.sqlite"
    settings = Settings.model_validate({"name": "mine", "tasks": {"path": path}})
    ended: list[str] = []
    with anyio.fail_after(5):
        async with open_tasks(settings, Gate()) as tasks:
            trial = Trial(tasks, Store(settings.tasks), Gate(), anyio.Event(), ended)
            record = await trial.start()
            alive = await tasks.get(record.id)
        async with open_tasks(settings, Gate()) as later:
            found = await later.get(record.id)
            outcome = json.loads(await later.store.outcome(record.id) or b"")

    assert alive == record
    assert ended == ["cancelled"]
    assert found is not None
    assert (found.status, outcome["message"]) == ("failed", STOPPED)
    assert tasks.owners.of(SESSION) == Owners("mine", AuthSettings()).of(SESSION)
