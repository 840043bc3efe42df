"""Running tasks: each call of a tool that may take long, from its first line to its result.

The arguments are checked and `Resolve(...)` questions are asked within the request; the task begins
where the tool's own code begins, and is kept before that runs. From then on the store is the truth:
other processes answer for the task, cancel it and bring its answers.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import anyio
import mcp_types as types
from anyio.abc import TaskGroup
from mcp.server.session import ServerSession
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel

from mcpkit.core.handlers import body_begins
from mcpkit.core.middleware import Gate
from mcpkit.core.settings import TaskSettings
from mcpkit.core.tasks.changes import asking, ended, touched
from mcpkit.core.tasks.records import Change, TaskRecord, TaskStore
from mcpkit.core.tasks.session import TaskSession

logger = logging.getLogger(__name__)

LEASE = 30.0
"""Seconds after which a task is given up whose process has not been heard of."""

HEARTBEAT = 10.0
"""Seconds between signs of life."""

WATCH = 1.0
"""Seconds between looks at what other processes have done to our tasks."""

CLOSING = 5.0
"""Seconds that the store gets, at the end, to keep how tasks ended."""

STOPPED = "The server stopped before it was done"

TOO_MANY = 429
"""JSON-RPC error code when no more tasks may run."""

Run = Callable[[ServerSession, Mapping[str, Any]], Awaitable[Any]]
"""Runs the tool, to its wire result: with a session of its own, and with `inputResponses` and
`requestState` when it comes back from a round of questions."""


@dataclass(slots=True)
class Job:
    """One call that may become a task.

    Attributes:
        record: The task, once it has begun.
        outcome: What the call returned, or raised, if it ended before.
        decided: Set when either is known.
        scope: Cancels it.
        answered: Set when the client may have answered a question.
        asked: How many questions it has asked.
        waiting: How many of them it waits for.
    """

    tool: str
    owner: str | None
    record: TaskRecord | None = None
    outcome: Any = None
    error: BaseException | None = None
    decided: anyio.Event = field(default_factory=anyio.Event)
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    answered: anyio.Event = field(default_factory=anyio.Event)
    asked: int = 0
    waiting: int = 0


class Tasks:
    """The tasks of one server process.

    Args:
        store: Keeps them.
        settings: How long, and how many.
        gate: Counts them with the requests in flight.
        group: Where they run.
    """

    def __init__(
        self, store: TaskStore, settings: TaskSettings, gate: Gate, group: TaskGroup
    ) -> None:
        self.store = store
        self.settings = settings
        self.worker = secrets.token_hex(8)
        self._gate = gate
        self._group = group
        self._jobs: dict[str, Job] = {}

    async def call(self, tool: str, owner: str | None, session: ServerSession, run: Run) -> Any:
        """Run a tool; what ends before its own code begins is answered within the request.

        Returns:
            The tool's result, or the `TaskRecord` of the task that it has become.

        Raises:
            MCPError: Too many tasks run.
            Exception: What the call raised before the task began.
        """
        if len(self._jobs) >= self.settings.limit:
            raise MCPError(TOO_MANY, f"{self.settings.limit} tasks run already; try again later")
        job = Job(tool, owner)
        self._group.start_soon(self._run, job, session, run)
        try:
            await job.decided.wait()
        except BaseException:
            if job.record is None:
                job.scope.cancel()
            raise
        if job.record is not None:
            return job.record
        if job.error is not None:
            raise job.error
        return job.outcome

    async def change(self, task_id: str, change: Change) -> TaskRecord | None:
        """Change a task, whichever process runs it, and tell its job if it is ours."""
        record = await self.store.change(task_id, change)
        self._notice(record)
        return record

    async def watch(self) -> None:
        """Give signs of life, and see what other processes have done, until cancelled."""
        heard = swept = -HEARTBEAT
        while True:
            now = anyio.current_time()
            try:
                if self._jobs and now - heard >= HEARTBEAT:
                    await self.store.renew(self.worker, time.time() + LEASE)
                    heard = now
                if now - swept >= 6 * HEARTBEAT:
                    await self.store.sweep()
                    swept = now
                for task_id, job in list(self._jobs.items()):
                    self._notice(await self.store.get(task_id))
                    if self._gate.is_closed and job.waiting:
                        job.scope.cancel()  # nobody answers a server that stops
            except Exception:
                logger.exception("The task store failed")
            await anyio.sleep(WATCH)

    def _notice(self, record: TaskRecord | None) -> None:
        job = self._jobs.get(record.id) if record is not None else None
        if record is None or job is None:
            return
        if record.status == "cancelled":
            job.scope.cancel()
        elif record.responses:
            job.answered.set()

    async def _run(self, job: Job, session: ServerSession, run: Run) -> None:
        async def begin() -> None:
            if job.record is None:
                await self._begin(job)

        async def ask(request: Any) -> Any:
            return (await self._ask(job, {"": request}))[""]

        async def tell(message: str) -> None:
            await self._change(job, lambda record: touched(record, message=message))

        body_begins.set(begin)
        own = TaskSession(session, ask, tell)
        try:
            with self._gate.holding(), job.scope:
                job.outcome = await run(own, {})
                while job.record and isinstance(job.outcome, types.InputRequiredResult):
                    answers = await self._ask(job, job.outcome.input_requests or {})
                    given = {"inputResponses": answers, "requestState": job.outcome.request_state}
                    job.outcome = await run(own, given)
        except Exception as exc:  # noqa: BLE001  # the tool's own: it is the outcome
            job.error = exc
        finally:
            with anyio.move_on_after(CLOSING, shield=True):
                await self._finish(job)

    async def _begin(self, job: Job) -> None:
        now = time.time()
        record = TaskRecord(
            id=secrets.token_urlsafe(32),
            owner=job.owner,
            tool=job.tool,
            worker=self.worker,
            created=now,
            updated=now,
            ttl=self.settings.ttl,
            lease=now + LEASE,
        )
        await self.store.create(record)
        self._jobs[record.id] = job
        job.record = record
        job.decided.set()

    async def _ask(self, job: Job, requests: Mapping[str, Any]) -> dict[str, Any]:
        """Put questions to the client at once, and return the answers as JSON by the same keys."""
        keys: dict[str, str] = {}
        for name in requests:
            job.asked += 1
            keys[f"input-{job.asked}"] = name
        wire = {key: _wire(requests[name]) for key, name in keys.items()}
        answers: dict[str, Any] = {}
        job.waiting += 1
        try:
            await self._change(job, lambda record: asking(record, wire))
            while len(answers) < len(keys):
                if job.answered.is_set():
                    job.answered = anyio.Event()
                answered = job.answered
                answers |= await self._take(job, keys.keys() - answers.keys())
                if len(answers) < len(keys):
                    await answered.wait()
        finally:
            job.waiting -= 1
        return {keys[key]: answer for key, answer in answers.items()}

    async def _take(self, job: Job, keys: AbstractSet[str]) -> dict[str, Any]:
        """Take answers that have come, out of the store."""
        taken: dict[str, Any] = {}

        def take(record: TaskRecord) -> TaskRecord | None:
            taken.update({key: record.responses[key] for key in keys & record.responses.keys()})
            left = {key: value for key, value in record.responses.items() if key not in taken}
            return replace(record, responses=left) if taken else None

        await self._change(job, take)
        return taken

    async def _change(self, job: Job, change: Change) -> None:
        if job.record is not None:
            await self.store.change(job.record.id, change)

    async def _finish(self, job: Job) -> None:
        record, job_error = job.record, job.error
        if record is not None:
            self._jobs.pop(record.id, None)
            result = error = None
            if isinstance(job_error, MCPError):
                error = job_error.error.model_dump(by_alias=True, mode="json", exclude_none=True)
            elif job_error is not None:
                logger.error("Task of tool %r crashed", job.tool, exc_info=job_error)
                error = {"code": types.INTERNAL_ERROR, "message": "Internal error in the task"}
            elif job.outcome is None or isinstance(job.outcome, types.InputRequiredResult):
                error = {"code": types.INTERNAL_ERROR, "message": STOPPED}
            else:
                result = _wire(job.outcome)
            await self.store.change(record.id, lambda old: ended(old, result, error))
        job.decided.set()


@asynccontextmanager
async def open_tasks(store: TaskStore, settings: TaskSettings, gate: Gate) -> AsyncIterator[Tasks]:
    """Keep tasks running; at the end those that still run are cancelled, and that is kept."""
    async with anyio.create_task_group() as group, anyio.create_task_group() as watching:
        tasks = Tasks(store, settings, gate, group)
        watching.start_soon(tasks.watch)
        try:
            yield tasks
        finally:
            watching.cancel_scope.cancel()
            group.cancel_scope.cancel()


def _wire(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(by_alias=True, mode="json", exclude_none=True)
    return value
