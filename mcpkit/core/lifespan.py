"""Lifespans: the part of a plugin that lives as long as the server.

Each lifespan runs in a task of its own: one that raises, hangs, or ends while the server runs costs
its own plugin and nobody else. They are entered side by side, and closed in reverse order.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import anyio
import pluggy
from anyio.abc import TaskGroup

from mcpkit.core.changes import Changes
from mcpkit.core.errors import PluginContractError, PluginError, PluginLifespanError
from mcpkit.core.hooks import ask
from mcpkit.core.settings import LifespanSettings
from mcpkit.core.status import PluginRecord, Stage

logger = logging.getLogger(__name__)

TASK = "lifespan of plugin "
"""Beginning of the name of each task that runs a lifespan; a stop that hangs is told by it."""

OnFailure = Callable[[PluginRecord], Awaitable[None]]
"""Told when a lifespan ends by itself while the server runs."""


class Lifespan:
    """The open lifespan of one plugin.

    Attributes:
        record: The plugin; failures are recorded there.
        state: What its context manager yielded, while it is open.
    """

    def __init__(self, record: PluginRecord, manager: AbstractAsyncContextManager[Any]) -> None:
        self.record = record
        self.state: Any = None
        self._manager = manager
        self._entered = anyio.Event()
        self._closing = anyio.Event()
        self._closed = anyio.Event()
        # Shielded: whatever ends the server ends the calls first, then this.
        self._scope = anyio.CancelScope(shield=True)

    async def run(self, on_failure: OnFailure) -> None:
        """Enter, stay open until told to close, and close; record what goes wrong."""
        try:
            with self._scope:
                async with self._manager as self.state:
                    self._entered.set()
                    await self._closing.wait()
        except (Exception, SystemExit, BaseExceptionGroup) as exc:  # noqa: BLE001  # plugin code
            self._failed(f"Its lifespan raised {type(exc).__name__}: {exc}", exc)
        else:
            if self._entered.is_set() and not self._closing.is_set():
                self._failed("Its lifespan ended while the server runs", None)
        finally:
            self._closed.set()
        if self._entered.is_set() and not self._closing.is_set():
            await on_failure(self.record)
        self._entered.set()

    async def enter(self, seconds: float) -> None:
        """Wait until it is open; give it up after some seconds."""
        with anyio.move_on_after(seconds) as waiting:
            await self._entered.wait()
        if waiting.cancelled_caught:
            self._failed(f"Its lifespan did not start within {seconds:g} s", None)
            self._closing.set()
            self._scope.cancel()

    async def close(self, seconds: float) -> None:
        """Close it; give it up after some seconds."""
        self._closing.set()
        with anyio.move_on_after(seconds, shield=True) as waiting:
            await self._closed.wait()
        if waiting.cancelled_caught:
            logger.error("Plugin %s: its lifespan did not close within %g s", self.label, seconds)
            self._scope.cancel()

    @property
    def label(self) -> str:
        """The plugin as logs name it."""
        return self.record.label

    def _failed(self, message: str, cause: BaseException | None) -> None:
        if self.record.error is not None:
            return
        error = PluginLifespanError(
            message, hint=f"Set plugins.{self.record.name}.enabled = false to go on without it"
        )
        error.__cause__ = cause
        if self._closing.is_set():
            logger.error("Plugin %s: %s", self.label, message, exc_info=cause)
        else:
            self.record.fail(Stage.LIFESPAN, error)


class Lifespans:
    """The open lifespans of a server; plugins that wake later join them.

    Attributes:
        states: Plugin name to state, for each plugin that has started.
    """

    def __init__(
        self,
        tasks: TaskGroup,
        manager: pluggy.PluginManager,
        settings: LifespanSettings,
        on_failure: OnFailure,
        changes: Changes,
    ) -> None:
        self.states: dict[str, Any] = {}
        self._tasks = tasks
        self._manager = manager
        self._settings = settings
        self._on_failure = on_failure
        self._changes = changes
        self._opened: list[Lifespan] = []

    async def open(self, records: Sequence[PluginRecord]) -> None:
        """Enter the lifespans of plugins side by side; one whose lifespan fails has failed."""
        lifespans = self._prepare(records)
        self._opened += lifespans
        for lifespan in lifespans:
            self._tasks.start_soon(lifespan.run, self._on_failure, name=f"{TASK}{lifespan.label}")
        async with anyio.create_task_group() as starting:
            for lifespan in lifespans:
                starting.start_soon(lifespan.enter, self._settings.startup_timeout)
        states: dict[str, Any] = {record.name: None for record in records}
        states.update((lifespan.record.name, lifespan.state) for lifespan in lifespans)
        sound = [record.name for record in records if record.error is None]
        self.states.update((name, states[name]) for name in sound)

    async def close(self) -> None:
        """Close all in reverse order."""
        for lifespan in reversed(self._opened):
            await lifespan.close(self._settings.shutdown_timeout)

    def _prepare(self, records: Sequence[PluginRecord]) -> list[Lifespan]:
        """Ask every plugin for its lifespan; nothing is entered yet."""
        lifespans: list[Lifespan] = []
        for record in records:
            try:
                opened = open_hook(record, self._manager, self._changes)
            except PluginError as exc:
                record.fail(Stage.LIFESPAN, exc)
            else:
                if opened is not None:
                    lifespans.append(Lifespan(record, opened))
        return lifespans


@asynccontextmanager
async def open_lifespans(
    records: Sequence[PluginRecord],
    manager: pluggy.PluginManager,
    settings: LifespanSettings,
    on_failure: OnFailure,
    changes: Changes,
) -> AsyncIterator[Lifespans]:
    """Keep the lifespans of all loaded plugins open.

    Args:
        records: Loaded plugins in order; one whose lifespan fails has failed.
        manager: Where their hooks are.
        settings: How long starting and stopping may take.
        on_failure: Told when a lifespan ends by itself while the server runs.
        changes: How their background tasks tell clients what has changed.

    Yields:
        The open lifespans.
    """
    async with anyio.create_task_group() as tasks:
        lifespans = Lifespans(tasks, manager, settings, on_failure, changes)
        try:
            await lifespans.open(records)
            yield lifespans
        finally:
            await lifespans.close()
            tasks.cancel_scope.cancel()


def open_hook(
    record: PluginRecord, manager: pluggy.PluginManager, changes: Changes
) -> AbstractAsyncContextManager[Any] | None:
    """Ask a plugin for its lifespan.

    Raises:
        PluginContractError: What it returns is no async context manager.
    """
    answers = ask(
        manager, record.plugin, "mcpkit_lifespan", settings=record.settings, changes=changes
    )
    if not answers:
        return None
    if not isinstance(answers[0], AbstractAsyncContextManager):
        raise PluginContractError(
            f"Its lifespan is {type(answers[0]).__name__!r}, not an async context manager",
            hint="Put @contextlib.asynccontextmanager under @plugin.lifespan",
        )
    return answers[0]
