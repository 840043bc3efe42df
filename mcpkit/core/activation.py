"""Activation: a plugin that is listed but not there yet is imported, configured and started.

It happens at its first call, once, however many come at the same time, and in threads and a task of
its own: a slow plugin holds up nobody else. What goes wrong costs this plugin alone. It stays
listed and is tried again, after a pause that grows with each failure. If the import differs from
what the catalogue said, the lists are corrected.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import anyio
import mcp_types as types
from anyio.abc import TaskGroup
from mcp.shared.exceptions import MCPError

from mcpkit.core.catalogues import Catalogues
from mcpkit.core.components import Catalogue, ComponentKind
from mcpkit.core.deferred import deferred
from mcpkit.core.errors import PluginContractError, PluginImportError
from mcpkit.core.jobs import Job
from mcpkit.core.lifespan import Lifespans
from mcpkit.core.outcomes import log_failure, log_outcome
from mcpkit.core.plan import Plan
from mcpkit.core.registry import Registry
from mcpkit.core.status import PluginRecord, Stage, Status
from mcpkit.core.written import describe

start_loading = deferred("mcpkit.core.loading:start_loading")
await_loading = deferred("mcpkit.core.loading:await_loading")

logger = logging.getLogger(__name__)

LONGEST_PAUSE = 60
"""Most seconds between two attempts; the first pause is one second, and each next one twice it."""

Retire = Callable[[PluginRecord], Awaitable[None]]
"""Takes a plugin that has failed out of the lists, and tells clients."""

Publish = Callable[[Iterable[ComponentKind]], Awaitable[None]]
"""Tells clients which lists have changed."""


@dataclass(slots=True, kw_only=True, eq=False)
class _Pending:
    """A plugin that is listed, and not there yet.

    Attributes:
        record: The plugin.
        listed: What lists show of it.
        attempt: Set at the end of the attempt that is under way; None when none is.
        job: The import, until it is done: one that did not finish in time may later.
        loaded: What the import found: only its lifespan has to be tried again.
        failures: How many attempts have failed.
        retry_at: When the next one may begin, by the monotonic clock.
    """

    record: PluginRecord
    listed: Catalogue
    attempt: anyio.Event | None = None
    job: Job[PluginRecord] | None = None
    loaded: PluginRecord | None = None
    failures: int = 0
    retry_at: float = 0.0


@dataclass(slots=True, kw_only=True)
class Activator:
    """Activates plugins.

    Attributes:
        tasks: Where attempts run: whoever asked for one may stop waiting.
        plan: What loading needs to know of the settings.
        registry: Where what they contribute replaces what was written of it.
        lifespans: Theirs join these.
        settings: Filled settings models by plugin; theirs are added.
        catalogues: Where what they contribute is written down; None where nothing is.
        retire: Takes one that has failed out of the lists.
        publish: Tells clients which lists have changed.
    """

    tasks: TaskGroup
    plan: Plan
    registry: Registry
    lifespans: Lifespans
    settings: dict[str, Any]
    catalogues: Catalogues | None
    retire: Retire
    publish: Publish
    _pending: dict[str, _Pending] = field(default_factory=dict)

    def add_inactive(self, record: PluginRecord) -> None:
        """Take on a plugin that was listed from its catalogue."""
        self._pending[record.name] = _Pending(record=record, listed=record.catalogue)

    def add_starting(self, record: PluginRecord) -> None:
        """Take on a plugin whose lifespan is being entered: calls of it wait."""
        if record.error is None:
            record.status = Status.STARTING
        self.registry.deactivate(record.name)
        entry = _Pending(record=record, listed=record.catalogue, attempt=anyio.Event())
        self._pending[record.name] = entry
        self.tasks.start_soon(self._await_start, entry)

    async def activate(self, plugin: str, seconds: float) -> None:
        """Make sure that a plugin is active.

        Args:
            plugin: Its name.
            seconds: How long to wait for it; it goes on starting after that.

        Raises:
            MCPError: It is not: it takes longer, or cannot be started. The operator's log tells
                why.
        """
        entry = self._pending.get(plugin)
        if entry is None:
            return
        attempt = entry.attempt or self._begin(entry)
        with anyio.move_on_after(seconds):
            await attempt.wait()
        if not attempt.is_set():
            raise _refusal(plugin, f"is still starting after {seconds:g} s; try again later")
        self._refuse_failed(entry)

    def _begin(self, entry: _Pending) -> anyio.Event:
        """Begin an attempt.

        Raises:
            MCPError: The last one has failed just now.
        """
        if time.monotonic() < entry.retry_at:
            self._refuse_failed(entry)
        entry.attempt = anyio.Event()
        self.tasks.start_soon(self._attempt, entry, entry.attempt)
        return entry.attempt

    def _refuse_failed(self, entry: _Pending) -> None:
        plugin, is_pending = entry.record.name, entry.record.name in self._pending
        if entry.record.error is None:
            if is_pending:
                raise _refusal(plugin, "was not started: the server is stopping")
            return
        if not is_pending:
            raise _refusal(plugin, "could not be started; its operator finds the reason in the log")
        pause = max(1, math.ceil(entry.retry_at - time.monotonic()))
        raise _refusal(plugin, f"could not be started; it is tried again in {pause} s")

    async def _attempt(self, entry: _Pending, attempt: anyio.Event) -> None:
        record = entry.record
        record.clear_failure()
        try:
            await self._load(entry)
            is_late = record.error is None and _refuse_late(record)
            if record.error is None:
                self.settings[record.name] = record.settings
                await self.lifespans.open(record)
            if record.error is None:
                self.registry.replace(record)
            if record.error is None:
                await self._succeed(entry)
            elif is_late:
                del self._pending[record.name]
                await self.retire(record)
            else:
                self._fail(entry)
        finally:
            entry.attempt = None
            attempt.set()

    async def _load(self, entry: _Pending) -> None:
        """Import the plugin, unless an earlier attempt has; the import alone has this limit."""
        record = entry.record
        if entry.loaded is not None:
            record.take(replace(entry.loaded))
            return
        if entry.job is None:
            clean = replace(record, status=Status.DISCOVERED, stage=Stage.DISCOVER)
            try:
                entry.job = start_loading(clean, self.plan)
            except RuntimeError as exc:
                record.fail(Stage.IMPORT, PluginImportError(f"There is no thread for it: {exc}"))
                return
        await await_loading(record, entry.job, self.plan)
        if entry.job.done():
            entry.job = None
        if record.error is None:
            entry.loaded = replace(record, status=Status.ASLEEP)
            record.status = Status.ASLEEP

    async def _succeed(self, entry: _Pending) -> None:
        record = entry.record
        del self._pending[record.name]
        record.status, record.stage = Status.LOADED, Stage.SERVE
        if entry.failures:
            logger.info("Plugin %s has started, at attempt %d", record.label, entry.failures + 1)
        log_outcome(record)
        changed = _difference(entry.listed, record.catalogue)
        if not changed:
            return
        logger.warning(
            "Plugin %s offers something else than its catalogue said: the lists are mended",
            record.label,
        )
        if self.catalogues is not None:
            self.catalogues.write(record, self.plan.section(record.name))
        await self.publish(changed)

    def _fail(self, entry: _Pending) -> None:
        """Keep the plugin listed, and let it be tried again after a pause."""
        record = entry.record
        pause = min(2**entry.failures, LONGEST_PAUSE)
        entry.failures = min(entry.failures + 1, LONGEST_PAUSE)
        entry.retry_at = time.monotonic() + pause
        record.catalogue = entry.listed
        log_failure(record)
        logger.warning("Plugin %s is tried again at a call after %d s", record.label, pause)

    async def _await_start(self, entry: _Pending) -> None:
        """Wait for a lifespan that was still being entered when the server began to serve."""
        record, attempt = entry.record, entry.attempt
        await self.lifespans.settled([record])
        del self._pending[record.name]
        if record.error is None:
            self.registry.replace(record)
        if record.error is None:
            record.status, record.stage = Status.LOADED, Stage.SERVE
            logger.info("Plugin %s has started", record.label)
        else:
            await self.retire(record)
        if attempt is not None:
            attempt.set()


def _refusal(plugin: str, what: str) -> MCPError:
    return MCPError(types.INTERNAL_ERROR, f"Plugin {plugin!r} {what}")


def _refuse_late(record: PluginRecord) -> bool:
    """Fail a plugin that does what only an eager start can."""
    found = record.catalogue
    if not (found.middleware or found.transports or found.extensions):
        return False
    hint = "Start the server again; `mcpkit catalogue clear` forgets all catalogues"
    late = "It must be there from the start, which its catalogue did not say"
    record.fail(Stage.COMPOSE, PluginContractError(late, hint=hint))
    return True


def _difference(written: Catalogue, found: Catalogue) -> set[ComponentKind]:
    """The kinds of which an import found something else than was written."""
    before, after = (_by_kind(catalogue) for catalogue in (written, found))
    return {kind for kind in before.keys() | after.keys() if before.get(kind) != after.get(kind)}


def _by_kind(catalogue: Catalogue) -> Mapping[ComponentKind, list[Any]]:
    kinds: dict[ComponentKind, list[Any]] = {}
    for item in describe(catalogue).components:
        kinds.setdefault(item.kind, []).append(item)
    return kinds
