"""Running tasks: which jobs this process runs, how many may, and what is done about them meanwhile.

The store is the truth: other processes answer for a task, cancel it and bring its answers.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
from anyio.abc import TaskGroup
from mcp.server.session import ServerSession
from mcp.shared.exceptions import MCPError

from mcpkit.core.errors import RETRY_AFTER, RateLimitedError
from mcpkit.core.middleware import Gate
from mcpkit.core.settings import Settings, TaskSettings
from mcpkit.core.tasks.changes import LOST, give_up
from mcpkit.core.tasks.failover import FailoverTaskStore
from mcpkit.core.tasks.jobs import Job, Run
from mcpkit.core.tasks.memory import MemoryTaskStore
from mcpkit.core.tasks.owners import Owners
from mcpkit.core.tasks.records import Change, TaskRecord
from mcpkit.core.tasks.sqlite import SqliteTaskStore
from mcpkit.core.tasks.workers import Workers, new_worker
from mcpkit.core.threads import WorkerThreads

logger = logging.getLogger(__name__)

HEARTBEAT = 10.0
"""Seconds between signs of life."""

WATCH = 1.0
"""Seconds between looks at what other processes have done to our tasks."""

SWEEP = 60.0
"""Seconds between looks for tasks that have expired, or whose process is gone."""

CLOSING = 5.0
"""Seconds that a task gets, at the end, to keep how it ended."""

ENCODERS = 2
"""Threads that encode and decode outcomes."""


class Tasks:
    """The tasks of one server process.

    Args:
        store: Keeps them.
        settings: How long, and how many.
        owners: Names who makes them.
        gate: Counts them with the requests in flight.
        group: Where they run.
    """

    def __init__(
        self,
        store: FailoverTaskStore,
        settings: TaskSettings,
        owners: Owners,
        gate: Gate,
        group: TaskGroup,
    ) -> None:
        self.store = store
        self.owners = owners
        self.settings = settings
        self.threads = WorkerThreads(ENCODERS)
        self.worker = new_worker()
        self._gate = gate
        self._group = group
        self._jobs: dict[str, Job] = {}
        self._running: Counter[str] = Counter()
        self._workers = Workers()
        self._is_closing = False
        self._heard = self._swept = -math.inf

    async def call(
        self, tool: str, owner: str, client: str, session: ServerSession, run: Run
    ) -> Any:
        """Run a tool; what ends before its own code begins is answered within the request.

        Args:
            tool: Exposed name of the tool.
            owner: Who may follow the task.
            client: Whose running tasks it counts with.
            session: Of the request.
            run: Runs the tool.

        Returns:
            The tool's result, or the `TaskRecord` of the task that it has become.

        Raises:
            MCPError: Too many tasks run, or are about to.
            Exception: What the call raised before the task began.
        """
        self._refuse_many(client)
        job = Job(
            tool, owner,
            worker=self.worker, store=self.store, settings=self.settings, threads=self.threads,
        )  # fmt: skip
        self._running[client] += 1
        self._group.start_soon(self._run, job, client, session, run)
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
        return job.result

    async def change(self, task_id: str, change: Change) -> TaskRecord | None:
        """Change a task, whichever process runs it, and tell its job if it is ours."""
        record = await self.store.change(task_id, change)
        self._notice(record)
        return record

    async def get(self, task_id: str) -> TaskRecord | None:
        """Look a task up; one whose process is gone has failed."""
        record = await self.store.get(task_id)
        if record is None or record.is_over or task_id in self._jobs:
            return record
        if record.worker == self.worker:  # how it ended could not be kept
            return await self.store.change(task_id, give_up, LOST)
        if await self._is_gone(record.worker):
            await self.store.abandon(record.worker)
            return await self.store.get(task_id)
        return record

    async def watch(self) -> None:
        """Give signs of life, and see what other processes have done, until cancelled."""
        while True:
            try:
                await self._look()
            except Exception:
                logger.exception("Looking after tasks failed")
            await anyio.sleep(WATCH)

    def close(self) -> None:
        """Limit the time that tasks have to keep how they ended."""
        self._is_closing = True

    async def _look(self) -> None:
        now = anyio.current_time()
        await self.store.mend()
        if self._jobs and now - self._heard >= HEARTBEAT:
            await self.store.beat(self.worker)
            self._heard = now
        if now - self._swept >= SWEEP:
            await self._sweep()
            self._swept = now
        for record in (await self.store.get_all(list(self._jobs))).values():
            self._notice(record)
        for job in list(self._jobs.values()):
            await job.tell_rest()
            if self._gate.is_closed and job.waiting:
                job.scope.cancel()  # nobody answers a server that stops

    async def _sweep(self) -> None:
        beats = await self.store.beats()
        self._workers.forget(set(beats))
        for worker, beat in beats.items():
            if worker != self.worker and self._workers.is_gone(worker, beat):
                await self.store.abandon(worker)
        await self.store.sweep()

    async def _is_gone(self, worker: str) -> bool:
        """Tell if another process has ended, as far as can be known."""
        is_running = self._workers.is_running(worker)
        if is_running is not None:
            return not is_running
        beats = await self.store.beats()
        return worker in beats and self._workers.is_gone(worker, beats[worker])

    def _notice(self, record: TaskRecord | None) -> None:
        job = self._jobs.get(record.id) if record is not None else None
        if record is None or job is None:
            return
        if record.is_over:
            job.scope.cancel()
        elif record.responses:
            job.answered.set()

    def _refuse_many(self, client: str) -> None:
        settings = self.settings
        if self._running[client] >= settings.limit_per_client:
            text = f"{settings.limit_per_client} tasks of this client run already"
        elif self._running.total() >= settings.limit:
            text = f"{settings.limit} tasks run already"
        else:
            return
        told = f"{text}; try again when one of them is over"
        raise MCPError(RateLimitedError.code, told, {RETRY_AFTER: settings.poll_interval})

    async def _run(self, job: Job, client: str, session: ServerSession, run: Run) -> None:
        try:
            with self._gate.holding():
                try:
                    with job.scope:
                        await job.run(session, run, self._begun)
                finally:
                    await self._finish(job)
        finally:
            self._running[client] -= 1
            self._running += Counter()  # forgets who runs none
            job.decided.set()

    def _begun(self, job: Job) -> None:
        if job.record is not None:
            self._jobs[job.record.id] = job

    async def _finish(self, job: Job) -> None:
        """Keep how a task ended; nothing that goes wrong with it may end the server."""
        if job.record is None:
            return
        seconds = CLOSING if self._is_closing else math.inf
        try:
            with anyio.move_on_after(seconds, shield=True):
                await job.finish()
        except Exception:
            logger.exception("How a task ended could not be kept")
        finally:
            self._jobs.pop(job.record.id, None)


@asynccontextmanager
async def open_tasks(settings: Settings, gate: Gate) -> AsyncIterator[Tasks]:
    """Keep tasks running; at the end those that still run are cancelled, and that is kept."""
    owners = Owners(settings.name, settings.auth)
    store = FailoverTaskStore(SqliteTaskStore(settings.tasks), MemoryTaskStore(settings.tasks))
    await store.open()
    try:
        async with anyio.create_task_group() as group, anyio.create_task_group() as watching:
            tasks = Tasks(store, settings.tasks, owners, gate, group)
            watching.start_soon(tasks.watch)
            try:
                yield tasks
            finally:
                tasks.close()
                watching.cancel_scope.cancel()
                group.cancel_scope.cancel()
    finally:
        await store.aclose()
