"""Health: how plugins are, asked in threads, so that a slow hook costs nobody but its plugin."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import anyio
from anyio import from_thread

from mcpkit.core.contributions import Health
from mcpkit.core.encoding import encode
from mcpkit.core.errors import MCPKitError, PluginContractError
from mcpkit.core.hooks import ask
from mcpkit.core.status import PluginRecord
from mcpkit.core.threads import WorkerThreads

logger = logging.getLogger(__name__)

TIME_LIMIT = 0.5
"""Seconds that a health hook gets to answer: probes of Kubernetes wait for one second in all."""

MAX_AGE = 1.0
"""Seconds for which an answer is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a plugin answered; `error` is why it could not."""

    health: Health
    error: MCPKitError | None = None


def _failed(error: MCPKitError) -> Answer:
    return Answer(health=Health(ready=False), error=error)


LATE = _failed(PluginContractError(f"Its health hook did not answer within {TIME_LIMIT:g} s"))


class HealthChecks:
    """Asks plugins how they are.

    Args:
        states: What their lifespans yielded, by plugin.
    """

    def __init__(self, states: Mapping[str, Any]) -> None:
        self._states = states
        self._checks: dict[str, _Check] = {}

    async def ask(self, records: Iterable[PluginRecord]) -> dict[str, Answer]:
        """Ask plugins side by side, by name; one that does not answer in time is not ready."""
        answers: dict[str, Answer] = {}

        async def answer(record: PluginRecord) -> None:
            answers[record.name] = await self._check(record).answer()

        async with anyio.create_task_group() as tasks:
            for record in records:
                tasks.start_soon(answer, record)
        return answers

    def _check(self, record: PluginRecord) -> _Check:
        check = self._checks.get(record.name)
        if check is None or check.manager is not record.manager:
            check = self._checks[record.name] = _Check(record, lambda: self._ask(record))
        return check

    def _ask(self, record: PluginRecord) -> Health:
        """Call the hook of a plugin, in a thread.

        Raises:
            PluginContractError: The hook raised, or returned what cannot be told.
        """
        settings, state = record.settings, self._states.get(record.name)
        answers = ask(record.manager, "mcpkit_health", settings=settings, state=state)
        for health in answers:
            if not isinstance(health, Health):
                raise PluginContractError("Its health hook returned no Health")
            encode([health.ready, health.message, dict(health.data)])
            return health
        return Health()


class _Check:
    """The health of one plugin: its hook runs in a thread, once at a time."""

    def __init__(self, record: PluginRecord, hook: Callable[[], Health]) -> None:
        self.manager = record.manager
        self._label = record.label
        self._hook = hook
        self._threads = WorkerThreads(1)
        self._answered = anyio.Event()
        self._last = LATE
        self._kept_until = 0.0

    async def answer(self) -> Answer:
        """The last answer if it is recent, else a new one."""
        if anyio.current_time() < self._kept_until:
            return self._last
        with anyio.move_on_after(TIME_LIMIT):
            if self._threads.busy:  # for somebody else, or it hangs: it gets no second thread
                await self._answered.wait()
            else:
                self._answered = anyio.Event()
                await self._threads.run(self._run)
        return self._last if self._answered.is_set() else LATE

    def _run(self) -> None:
        """Call the hook, in the thread; what it answers late is kept as well."""
        try:
            answer = Answer(health=self._hook())
        except BaseException as exc:  # plugin code: anything may come
            logger.warning("Plugin %s: its health hook failed", self._label, exc_info=exc)
            answer = _failed(_as_error(exc))
        from_thread.run_sync(self._keep, answer)

    def _keep(self, answer: Answer) -> None:
        self._last = answer
        self._kept_until = anyio.current_time() + MAX_AGE
        self._answered.set()


def _as_error(exc: BaseException) -> MCPKitError:
    if isinstance(exc, MCPKitError):
        return exc
    error = PluginContractError("Its health cannot be told")
    error.__cause__ = exc
    return error
