"""Lifespans: the part of a plugin that lives as long as the server.

Each lifespan runs in a task of its own: one that raises, hangs, or ends while the server runs costs
its own plugin and nobody else. They are entered side by side, and closed in reverse order.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import anyio
from anyio.abc import TaskGroup

from mcpkit.core.changes import Changes
from mcpkit.core.errors import PluginContractError, PluginError, PluginLifespanError, reason_of
from mcpkit.core.hooks import ask
from mcpkit.core.loop_watch import LoopBlockedError, LoopWatch
from mcpkit.core.plan import PATIENCE
from mcpkit.core.settings import LifespanSettings
from mcpkit.core.status import PluginRecord, Stage

logger = logging.getLogger(__name__)

TASK = "lifespan of plugin "
"""Beginning of the name of each task that runs a lifespan; a stop that hangs is told by it."""

OnFailure = Callable[[PluginRecord], Awaitable[None]]
"""Told when a lifespan ends by itself while the server runs."""


class Lifespan:
    """The lifespan of one plugin.

    Args:
        record: The plugin; failures are recorded there.
        changes: How its background tasks tell clients what has changed.
        watch: Watches the event loop while it is entered.

    Attributes:
        record: The plugin.
        state: What its context manager yielded, while it is open.
        settled: Set when it is open or has failed.
    """

    def __init__(self, record: PluginRecord, changes: Changes, watch: LoopWatch) -> None:
        self.record = record
        self.state: Any = None
        self.settled = anyio.Event()
        self._changes = changes
        self._watch = watch
        self._manager = record.manager
        self._entered = anyio.Event()
        self._is_given_up = False
        self._closing = anyio.Event()
        self._closed = anyio.Event()
        # Shielded: whatever ends the server ends the calls first, then this.
        self._scope = anyio.CancelScope(shield=True)

    async def run(self, on_failure: OnFailure) -> None:
        """Enter, stay open until told to close, and close; record what goes wrong."""
        try:
            with self._scope:
                await self._live()
        except PluginError as exc:
            self._failed(exc)
        except LoopBlockedError:
            message = "Its lifespan blocked the event loop, and was interrupted"
            hint = "Wait with await, or in a thread of mcpkit.WorkerThreads"
            self._failed(PluginLifespanError(message, hint=hint))
        except BaseException as exc:
            if _is_cancelled(exc):
                raise
            self._failed(self._error(f"Its lifespan raised {reason_of(exc)}"), exc)
        finally:
            self._closed.set()
            was_open = self._entered.is_set() and not self._closing.is_set()
            self._entered.set()
        if was_open and self.record.error is not None:
            await on_failure(self.record)

    async def _live(self) -> None:
        self._watch.add(self.label)
        try:
            manager = self._open()
            if manager is None:
                self._closing.set()  # there is nothing to close
                return
            async with manager as self.state:
                self._watch.remove()
                self._entered.set()
                await self._closing.wait()
        finally:
            self._watch.remove()
        if not self._closing.is_set():
            raise self._error("Its lifespan ended while the server runs")

    def _open(self) -> AbstractAsyncContextManager[Any] | None:
        """Ask the plugin for its lifespan.

        Raises:
            PluginContractError: What it returns is no async context manager.
        """
        settings = self.record.settings
        answers = ask(self._manager, "mcpkit_lifespan", settings=settings, changes=self._changes)
        if not answers:
            return None
        if not isinstance(answers[0], AbstractAsyncContextManager):
            raise PluginContractError(
                f"Its lifespan is {type(answers[0]).__name__!r}, not an async context manager",
                hint="Put @contextlib.asynccontextmanager under @plugin.lifespan",
            )
        return answers[0]

    async def enter(self, seconds: float) -> None:
        """Wait until it is open; give it up after some seconds."""
        with anyio.move_on_after(min(PATIENCE, seconds)):
            await self._entered.wait()
        if not self._entered.is_set() and seconds > PATIENCE:
            logger.warning("Plugin %s: its lifespan has not started yet", self.label)
            with anyio.move_on_after(seconds - PATIENCE):
                await self._entered.wait()
        if not self._entered.is_set():
            self._failed(self._error(f"Its lifespan did not start within {seconds:g} s"))
            self._is_given_up = True
            self._closing.set()
            self._scope.cancel()
        self.settled.set()

    async def close(self, seconds: float) -> None:
        """Close it; give it up after some seconds, and at once if it is not open yet."""
        self._closing.set()
        if not self._entered.is_set():
            self._scope.cancel()
        with anyio.move_on_after(seconds, shield=True) as waiting:
            await self._closed.wait()
        if waiting.cancelled_caught:
            self._failed(self._error(f"Its lifespan did not close within {seconds:g} s"))
            self._scope.cancel()

    @property
    def label(self) -> str:
        """The plugin as logs name it."""
        return self.record.label

    def _error(self, message: str) -> PluginLifespanError:
        return PluginLifespanError(
            message, hint=f"Set plugins.{self.record.name}.enabled = false to go on without it"
        )

    def _failed(self, error: PluginError, cause: BaseException | None = None) -> None:
        if self.record.error is not None:
            return
        if cause is not None:
            error.__cause__ = cause
        if self._closing.is_set():
            logger.error("Plugin %s: %s", self.label, error.message, exc_info=cause)
        if not self._is_given_up:  # the plugin may have started again since
            self.record.fail(Stage.LIFESPAN, error)


def _is_cancelled(error: BaseException) -> bool:
    """Whether an exception ends the task itself, not what the plugin does in it."""
    if isinstance(error, GeneratorExit):
        return True
    task = asyncio.current_task()
    is_cancel = isinstance(error, anyio.get_cancelled_exc_class())
    return is_cancel and task is not None and task.cancelling() > 0


class Lifespans:
    """The lifespans of a server; plugins that start later join them.

    Attributes:
        states: Plugin name to state, for each plugin that has started.
    """

    def __init__(
        self, tasks: TaskGroup, settings: LifespanSettings, on_failure: OnFailure, changes: Changes
    ) -> None:
        self.states: dict[str, Any] = {}
        self._tasks = tasks
        self._settings = settings
        self._on_failure = on_failure
        self._changes = changes
        self._watch = LoopWatch(settings.startup_timeout)
        self._begun: list[Lifespan] = []

    def begin(self, records: Iterable[PluginRecord]) -> None:
        """Begin to enter the lifespans of plugins, side by side."""
        for record in records:
            lifespan = Lifespan(record, self._changes, self._watch)
            self._begun.append(lifespan)
            self._tasks.start_soon(lifespan.run, self._on_failure, name=f"{TASK}{record.label}")
            self._tasks.start_soon(self._enter, lifespan)

    async def settled(self, records: Iterable[PluginRecord]) -> None:
        """Wait until the lifespans of plugins are open, or have failed."""
        wanted = {record.name for record in records}
        for lifespan in [item for item in self._begun if item.record.name in wanted]:
            await lifespan.settled.wait()

    async def open(self, record: PluginRecord) -> None:
        """Enter the lifespan of a plugin; one whose lifespan fails has failed."""
        self.begin([record])
        await self.settled([record])

    async def leave(self, record: PluginRecord) -> None:
        """Close the lifespan of one plugin."""
        for lifespan in [item for item in self._begun if item.record is record]:
            self._begun.remove(lifespan)
            await lifespan.close(self._settings.shutdown_timeout)
        self.states.pop(record.name, None)

    async def close(self) -> None:
        """Close all in reverse order."""
        for lifespan in self._begun[::-1]:
            await lifespan.close(self._settings.shutdown_timeout)

    async def _enter(self, lifespan: Lifespan) -> None:
        record = lifespan.record
        await lifespan.enter(self._settings.startup_timeout)
        if record.error is None:
            self.states[record.name] = lifespan.state
        else:
            self._begun.remove(lifespan)


@asynccontextmanager
async def open_lifespans(
    settings: LifespanSettings, on_failure: OnFailure, changes: Changes
) -> AsyncIterator[Lifespans]:
    """Keep lifespans open, and close them at the end.

    Args:
        settings: How long starting and stopping may take.
        on_failure: Told when a lifespan ends by itself while the server runs.
        changes: How their background tasks tell clients what has changed.
    """
    async with anyio.create_task_group() as tasks:
        lifespans = Lifespans(tasks, settings, on_failure, changes)
        try:
            yield lifespans
        finally:
            await lifespans.close()
            tasks.cancel_scope.cancel()
