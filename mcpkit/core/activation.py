"""Activation: a plugin that is listed but not there yet is imported, configured and started.

It happens at its first call, once, however many come at the same time, and in threads and a task of
its own: a slow plugin holds up nobody else. What goes wrong costs this plugin alone. It stays
listed and is tried again, after a pause that grows with each failure. If the import differs from
what the catalogue said, the lists are corrected.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import anyio
from anyio.abc import TaskGroup
from mcp.shared.exceptions import MCPError

from mcpkit.core import jobs
from mcpkit.core.catalogues import Catalogues
from mcpkit.core.components import Catalogue, ComponentKind
from mcpkit.core.deferred import deferred
from mcpkit.core.errors import PluginContractError, PluginImportError, reason_of
from mcpkit.core.lifespan import Lifespans
from mcpkit.core.outcomes import log_failure, log_outcome
from mcpkit.core.pending import Pending
from mcpkit.core.plan import Plan
from mcpkit.core.registry import Registry
from mcpkit.core.status import PluginRecord, Stage, Status
from mcpkit.core.written import describe

start_loading = deferred("mcpkit.core.loading:start_loading")
await_loading = deferred("mcpkit.core.loading:await_loading")

logger = logging.getLogger(__name__)

Retire = Callable[[PluginRecord], Awaitable[None]]
"""Takes a plugin that has failed out of the lists, and tells clients."""

Publish = Callable[[Iterable[ComponentKind]], Awaitable[None]]
"""Tells clients which lists have changed."""


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
    _pending: dict[str, Pending] = field(default_factory=dict)

    def add_inactive(self, record: PluginRecord) -> None:
        """Take on a plugin that was listed from its catalogue."""
        self._pending[record.name] = Pending(record=record, listed=record.catalogue)

    async def add_starting(self, entry: Pending) -> None:
        """Take on a plugin whose lifespan is being entered, or has failed: calls of it wait."""
        record = entry.record
        self.registry.deactivate(record.name)
        self._pending[record.name] = entry
        if record.error is not None:
            await self._fail_start(entry)
            return
        record.status, entry.attempt = Status.STARTING, anyio.Event()
        self.tasks.start_soon(self._await_start, entry, entry.attempt)

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
        is_pending = self._pending.get(plugin) is entry
        if is_pending or entry.record.error is not None:
            raise entry.refusal(is_final=not is_pending)

    async def activate_owners(self, name: str, seconds: float) -> bool:
        """Activate the plugins that an unknown name may belong to, side by side and each once.

        What they contribute may depend on what their catalogues do not know of, such as a file.

        Args:
            name: Of a tool or prompt, or a URI.
            seconds: How long to wait for all of them.

        Returns:
            Whether there was one: the name may be known now.
        """
        owners = [
            entry
            for plugin, entry in self._pending.items()
            if entry.may_own(name, self.plan.section(plugin).prefix)
        ]
        if not owners:
            return False
        async with anyio.create_task_group() as waiting:
            for entry in owners:
                entry.is_guessed = True
                waiting.start_soon(self._activate_guessed, entry.record.name, seconds)
        return True

    async def _activate_guessed(self, plugin: str, seconds: float) -> None:
        with contextlib.suppress(MCPError):  # the name stays unknown
            await self.activate(plugin, seconds)

    def _begin(self, entry: Pending) -> anyio.Event:
        """Begin an attempt.

        Raises:
            MCPError: The last one has failed just now.
        """
        if entry.is_paused:
            raise entry.refusal(is_final=False)
        entry.attempt = anyio.Event()
        self.tasks.start_soon(self._attempt, entry, entry.attempt)
        return entry.attempt

    async def _attempt(self, entry: Pending, attempt: anyio.Event) -> None:
        record = entry.record
        record.clear_failure()
        try:
            await self._load(entry)
            is_late = record.error is None and _refuse_late(record, is_new=not entry.is_eager)
            if record.error is None:
                self.settings[record.name] = record.settings
                await self.lifespans.open(record)
            if record.error is None and not self.registry.replace(record):
                await self.lifespans.leave(record)
            if record.error is None:
                self._succeed(entry)
            elif is_late:
                del self._pending[record.name]
                await self.retire(record)
            else:
                self._fail(entry)
        finally:
            entry.attempt = None
            attempt.set()
        if record.status is Status.LOADED:
            await self._correct(entry)

    async def _load(self, entry: Pending) -> None:
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

    def _succeed(self, entry: Pending) -> None:
        record = entry.record
        del self._pending[record.name]
        record.status, record.stage = Status.LOADED, Stage.SERVE
        if entry.failures:
            logger.info("Plugin %s has started, at attempt %d", record.label, entry.failures + 1)
        log_outcome(record)

    async def _correct(self, entry: Pending) -> None:
        """Tell clients and the catalogue what the import found, if that is something else."""
        record = entry.record
        write = partial(self._write, entry.listed, replace(record))
        try:
            job = jobs.start(write, f"write {record.name}")
            changed = job.result() if await jobs.wait_async(job, self.plan.timeout) else set()
        except Exception as exc:  # noqa: BLE001  # what a plugin declares may not be writable
            logger.warning("Plugin %s: its catalogue is not kept: %s", record.label, reason_of(exc))
            return
        if changed:
            logger.warning(
                "Plugin %s offers something else than its catalogue said: the lists are mended",
                record.label,
            )
            await self.publish(changed)

    def _write(self, listed: Catalogue, record: PluginRecord) -> set[ComponentKind]:
        """Write the catalogue, and compare: long ones take too long for the event loop."""
        if self.catalogues is not None:
            self.catalogues.write(record, self.plan.section(record.name))
        return _difference(listed, record.catalogue)

    def _fail(self, entry: Pending) -> None:
        """Keep the plugin listed, and let it be tried again after a pause."""
        record = entry.record
        record.catalogue = entry.listed
        log_failure(record)
        logger.warning("Plugin %s is tried again at a call after %d s", record.label, entry.pause())

    async def _await_start(self, entry: Pending, attempt: anyio.Event) -> None:
        """Wait for a lifespan that was still being entered when the server began to serve."""
        record = entry.record
        await self.lifespans.settled([record])
        if record.error is None and not self.registry.replace(record):
            await self.lifespans.leave(record)
        if record.error is None:
            del self._pending[record.name]
            record.status, record.stage = Status.LOADED, Stage.SERVE
            logger.info("Plugin %s has started", record.label)
        else:
            await self._fail_start(entry)
        entry.attempt = None
        attempt.set()

    async def _fail_start(self, entry: Pending) -> None:
        """Keep a plugin whose first start failed, unless a later start cannot make up for it."""
        record, loaded = entry.record, entry.loaded
        if loaded is None or _is_composed(loaded.catalogue):
            del self._pending[record.name]
            await self.retire(record)
            return
        record.manager = loaded.manager
        self._fail(entry)


def _is_composed(found: Catalogue) -> bool:
    """Whether a plugin contributes what is composed once, when the server starts."""
    return bool(found.middleware or found.transports or found.extensions)


def _refuse_late(record: PluginRecord, *, is_new: bool) -> bool:
    """Fail a plugin that does what only an eager start can.

    Args:
        record: The plugin, as its import left it.
        is_new: Whether it was not imported when the server started, and asked for routes.
    """
    manager = record.manager
    has_routes = manager is not None and bool(manager.hook.mcpkit_routes.get_hookimpls())
    if not _is_composed(record.catalogue) and not (is_new and has_routes):
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
