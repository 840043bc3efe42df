"""One call that becomes a task: when it begins, what it asks and tells, and what is kept of it."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from types import SimpleNamespace
from typing import Any

import anyio
import mcp_types as types
import pytest
from mcp.server.session import ServerSession
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel, ConfigDict, Field

from mcpkit.core.handlers import body_begins
from mcpkit.core.settings import TaskSettings
from mcpkit.core.tasks import jobs
from mcpkit.core.tasks.changes import answer, cancel
from mcpkit.core.tasks.jobs import Job
from mcpkit.core.tasks.memory import MemoryTaskStore
from mcpkit.core.threads import WorkerThreads

pytestmark = pytest.mark.anyio

Body = Callable[[Any, Mapping[str, Any]], Awaitable[Any]]
SESSION: Any = SimpleNamespace(
    client_capabilities=types.ClientCapabilities(elicitation=types.ElicitationCapability())
)
"""The session of the request: what its client can do is all that is asked of it."""


class Trial:
    """A job, its store, and how often it has begun."""

    def __init__(self, **settings: Any) -> None:
        self.settings = TaskSettings(**settings)
        self.store = MemoryTaskStore(self.settings)
        self.begun: list[Job] = []
        self.job = Job(
            "demo_tool", "kari",
            worker="here", store=self.store, settings=self.settings, threads=WorkerThreads(1),
        )  # fmt: skip

    async def run(self, body: Body) -> Any:
        """Run a tool whose own code begins at once, keep how it ends, and tell the outcome."""

        async def begin_and_run(session: Any, given: Mapping[str, Any]) -> Any:
            begins = body_begins.get()
            assert begins is not None
            await begins()
            return await body(session, given)

        with anyio.fail_after(5):
            await self.job.run(SESSION, begin_and_run, self.begun.append)
            await self.job.finish()
        assert self.job.record is not None
        raw = await self.store.outcome(self.job.record.id)
        return None if raw is None else json.loads(raw)

    @property
    def status(self) -> str:
        assert self.job.record is not None
        return self.job.record.status


def returning(value: Any) -> Body:
    async def run(session: Any, given: Mapping[str, Any]) -> Any:
        return value

    return run


def raising(error: Exception) -> Body:
    async def run(session: Any, given: Mapping[str, Any]) -> Any:
        raise error

    return run


class Raw(BaseModel):
    model_config = ConfigDict(ser_json_bytes="base64")

    data: bytes


class Said(BaseModel):
    said_text: str = Field(alias="saidText")
    more: str | None = None


async def test_a_call_that_ends_before_its_own_code_begins_is_no_task() -> None:
    trial = Trial()
    await trial.job.run(SESSION, returning(7), trial.begun.append)
    await trial.job.finish()

    assert (trial.job.result, trial.job.error, trial.job.record) == (7, None, None)
    assert trial.begun == []
    assert not trial.job.decided.is_set()
    assert trial.store.entries == {}


async def test_a_task_begins_once_and_is_kept_before_its_code_runs() -> None:
    trial = Trial(ttl=7)
    seen: list[Any] = []

    async def look(session: Any, given: Mapping[str, Any]) -> str:
        begins = body_begins.get()
        assert begins is not None
        await begins()
        (entry,) = trial.store.entries.values()
        seen.append((entry.record, trial.job.record, trial.job.decided.is_set(), dict(given)))
        return "said"

    await trial.run(look)

    ((kept, known, is_decided, given),) = seen
    assert kept == known
    assert (is_decided, given, trial.begun) == (True, {}, [trial.job])
    assert (kept.owner, kept.tool, kept.worker) == ("kari", "demo_tool", "here")
    assert (kept.ttl, kept.status, kept.created) == (7, "working", kept.updated)
    assert kept.created > 1_700_000_000
    assert len(kept.id) >= 43
    assert len(trial.store.entries) == 1


@pytest.mark.parametrize(
    ("value", "outcome"),
    [
        ({"a": [1]}, {"a": [1]}),
        (Said(saidText="x"), {"saidText": "x"}),
        ("é", "é"),
        (Raw(data=b"\xff"), {"data": "_w=="}),
    ],
)
async def test_what_a_tool_returns_is_the_outcome(value: Any, outcome: Any) -> None:
    trial = Trial()

    assert await trial.run(returning(value)) == outcome
    assert trial.status == "completed"


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (raising(MCPError(7, "no", {"a": 1})), 7, "no"),
        (raising(ValueError("secret")), -32603, "Internal error in the task"),
        (returning(None), -32603, "The server stopped before it was done"),
        (returning(object()), -32603, "Internal error in the task"),
    ],
)
async def test_what_a_tool_cannot_do_is_an_error(body: Body, code: int, message: str) -> None:
    trial = Trial()
    outcome = await trial.run(body)

    assert trial.status == "failed"
    assert (outcome["code"], outcome["message"]) == (code, message)
    assert outcome.get("data") == ({"a": 1} if code == 7 else None)


async def test_a_crash_is_logged_with_the_name_of_its_tool(
    caplog: pytest.LogCaptureFixture,
) -> None:
    await Trial().run(raising(ValueError("secret")))
    await Trial().run(returning(object()))

    crashed, garbled = caplog.records
    assert crashed.getMessage() == "Task of tool 'demo_tool' crashed"
    assert crashed.exc_info is not None
    assert isinstance(crashed.exc_info[1], ValueError)
    assert garbled.getMessage() == "The result of tool 'demo_tool' is no JSON"


@pytest.mark.parametrize(("size", "fits"), [(1022, True), (1023, False)])
async def test_a_result_of_one_byte_over_the_limit_is_told_to_the_model(
    size: int, fits: bool, caplog: pytest.LogCaptureFixture
) -> None:
    trial = Trial(max_result_size=1024)
    outcome = await trial.run(returning("x" * size))

    assert trial.status == "completed"
    if fits:
        assert outcome == "x" * size
        return
    assert outcome["isError"] is True
    assert outcome["content"][0]["text"] == (
        "The result of tool 'demo_tool' has 1025 bytes, and a task may keep 1024. Ask for less at "
        "once."
    )
    (entry,) = caplog.records
    assert entry.levelno == logging.WARNING


@pytest.mark.parametrize(("size", "fits"), [(1001, True), (1002, False)])
async def test_an_error_of_one_byte_over_the_limit_is_replaced(size: int, fits: bool) -> None:
    trial = Trial(max_result_size=1024)
    outcome = await trial.run(raising(MCPError(7, "x" * size)))

    assert trial.status == "failed"
    if fits:
        assert outcome == {"code": 7, "message": "x" * size}
        assert len(json.dumps(outcome, separators=(",", ":"))) == 1024
    else:
        told = "The error of the task is too large to be kept"
        assert outcome == {"code": -32603, "message": told}


def asked(*names: str, state: str = "state") -> types.InputRequiredResult:
    """A result that asks the client for something."""
    requests = {
        name: types.ElicitRequest(
            params=types.ElicitRequestFormParams(
                message=name, requested_schema={"type": "object", "properties": {}}
            )
        )
        for name in names
    }
    return types.InputRequiredResult(input_requests=requests, request_state=state)


async def give(trial: Trial, **responses: Any) -> None:
    """Answer questions, once they stand in the store."""
    assert trial.job.record is not None
    task_id = trial.job.record.id
    keys = {key.replace("_", "-"): value for key, value in responses.items()}
    while not (found := await trial.store.get(task_id)) or not keys.keys() <= found.requests.keys():
        await anyio.sleep(0.001)
    await trial.store.change(task_id, lambda old: answer(old, keys))
    trial.job.answered.set()


async def taken(trial: Trial) -> None:
    """Wait until the answers that have come are taken out of the store."""
    assert trial.job.record is not None
    while (found := await trial.store.get(trial.job.record.id)) and found.responses:
        await anyio.sleep(0.001)


async def test_a_tool_that_asks_gets_the_answers_and_its_state() -> None:
    trial = Trial()
    rounds: list[Any] = []
    waiting: list[int] = []

    async def ask(session: Any, given: Mapping[str, Any]) -> Any:
        assert isinstance(session, ServerSession)
        rounds.append(dict(given))
        return [asked("who", "what"), asked("when", state="later"), "done"][len(rounds) - 1]

    async def respond() -> None:
        await give(trial, input_1={"n": 1})
        waiting.append(trial.job.waiting)
        await taken(trial)
        await give(trial, input_2={"n": 2})
        await give(trial, input_3={"n": 3})

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_when_begun, trial, respond)
        outcome = await trial.run(ask)

    assert rounds == [
        {},
        {"inputResponses": {"who": {"n": 1}, "what": {"n": 2}}, "requestState": "state"},
        {"inputResponses": {"when": {"n": 3}}, "requestState": "later"},
    ]
    assert (outcome, trial.status) == ("done", "completed")
    assert (waiting, trial.job.waiting) == ([1], 0)
    record = trial.job.record
    assert record is not None
    assert (record.requests, record.responses) == ({}, {})


async def _when_begun(trial: Trial, run: Callable[[], Awaitable[None]]) -> None:
    await trial.job.decided.wait()
    await run()


async def test_questions_stand_in_the_store_as_they_are_sent() -> None:
    trial = Trial()
    seen: list[Any] = []

    async def ask(session: Any, given: Mapping[str, Any]) -> Any:
        return "done" if given else asked("who")

    async def respond() -> None:
        assert trial.job.record is not None
        while not (found := await trial.store.get(trial.job.record.id)) or not found.requests:
            await anyio.sleep(0.001)
        seen.append(found)
        await give(trial, input_1={})

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_when_begun, trial, respond)
        await trial.run(ask)

    (found,) = seen
    assert found.status == "input_required"
    assert found.requests["input-1"] == {
        "method": "elicitation/create",
        "params": {
            "mode": "form",
            "message": "who",
            "requestedSchema": {"type": "object", "properties": {}},
        },
    }


async def test_a_task_that_was_cancelled_keeps_that() -> None:
    trial = Trial()

    async def work(session: Any, given: Mapping[str, Any]) -> str:
        assert trial.job.record is not None
        await trial.store.change(trial.job.record.id, cancel)
        return "done"

    assert await trial.run(work) is None
    assert trial.status == "cancelled"


class Clock:
    """The clock of the event loop, which tests put forward."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        loop = asyncio.get_running_loop()
        start, self.now = loop.time(), 0.0
        monkeypatch.setattr(loop, "time", lambda: start + self.now)


async def test_status_messages_are_short_and_written_now_and_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trial, clock = Trial(), Clock(monkeypatch)
    kept: list[str | None] = []

    async def note() -> None:
        assert trial.job.record is not None
        found = await trial.store.get(trial.job.record.id)
        kept.append(None if found is None else found.message)

    async def tell(session: Any, given: Mapping[str, Any]) -> str:
        await session.report_progress(1, 9, "x" * 2000)
        await note()
        for seconds in (0.0, jobs.TELL - 0.01):
            clock.now += seconds
            await session.report_progress(2, 9)
            await note()
        clock.now += 0.02
        await trial.job.tell_rest()
        await note()
        clock.now += jobs.TELL
        changed = trial.job.record
        await trial.job.tell_rest()
        assert trial.job.record is changed
        await session.report_progress(3)
        await session.report_progress(4)
        return "done"

    await trial.run(tell)
    await note()

    assert kept[0] == "x" * jobs.MAX_MESSAGE
    assert kept[1:3] == [kept[0]] * 2
    assert kept[3:] == ["2 of 9", "4"]


async def test_a_task_that_has_not_begun_tells_nothing() -> None:
    trial = Trial()

    async def tell(session: Any, given: Mapping[str, Any]) -> str:
        await session.report_progress(1)
        return "done"

    await trial.job.run(SESSION, tell, trial.begun.append)
    await trial.job.tell_rest()

    assert (trial.job.result, trial.job.record) == ("done", None)


async def test_a_tool_may_ask_for_several_things_at_once() -> None:
    trial = Trial()
    heard: dict[str, Any] = {}
    waiting: list[int] = []

    async def ask_for(session: ServerSession, name: str) -> None:
        params = types.ElicitRequestFormParams(message=name, requested_schema={})
        answered = await session.send_request(
            types.ElicitRequest(params=params), types.ElicitResult
        )
        heard[name] = answered.content

    async def ask(session: Any, given: Mapping[str, Any]) -> str:
        async with anyio.create_task_group() as tasks:
            for name in ("one", "two"):
                tasks.start_soon(ask_for, session, name)
        return "done"

    async def respond() -> None:
        accepted = {"action": "accept"}
        await give(trial, input_2={**accepted, "content": {"n": 2}})
        waiting.append(trial.job.waiting)
        await give(trial, input_1={**accepted, "content": {"n": 1}})

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_when_begun, trial, respond)
        outcome = await trial.run(ask)

    assert (outcome, waiting, trial.job.waiting) == ("done", [2], 0)
    assert heard == {"one": {"n": 1}, "two": {"n": 2}}


async def test_a_task_that_is_stopped_has_failed() -> None:
    trial = Trial()

    async def stop(session: Any, given: Mapping[str, Any]) -> None:
        begins = body_begins.get()
        assert begins is not None
        await begins()
        trial.job.scope.cancel()
        await anyio.sleep_forever()

    with anyio.fail_after(5):
        with trial.job.scope:
            await trial.job.run(SESSION, stop, trial.begun.append)
        await trial.job.finish()

    assert trial.job.record is not None
    outcome = json.loads(await trial.store.outcome(trial.job.record.id) or b"")
    assert (trial.status, outcome["message"]) == ("failed", jobs.STOPPED)
