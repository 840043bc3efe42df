"""Waking: a plugin that was listed from its catalogue is imported, configured and started.

It happens at its first call, once, however many come at the same time, and as at an eager start:
what goes wrong costs this plugin alone. What its import does not bear out is told, and mended.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio
import mcp_types as types
import pluggy
from anyio import to_thread
from mcp.shared.exceptions import MCPError

from mcpkit.core.catalogues import Catalogues
from mcpkit.core.components import Catalogue, ComponentKind
from mcpkit.core.deferred import deferred
from mcpkit.core.errors import PluginContractError, PluginImportError
from mcpkit.core.hooks import ask
from mcpkit.core.lifespan import Lifespans
from mcpkit.core.outcomes import log_outcome
from mcpkit.core.plan import Plan
from mcpkit.core.registry import Registry
from mcpkit.core.status import PluginRecord, Stage, Status
from mcpkit.core.written import describe

load = deferred("mcpkit.core.loading:load")
validate = deferred("mcpkit.core.validation:validate")

logger = logging.getLogger(__name__)

Retire = Callable[[PluginRecord], Awaitable[None]]
"""Takes a plugin that has failed out of the lists, and tells clients."""

Publish = Callable[[Iterable[ComponentKind]], Awaitable[None]]
"""Tells clients which lists have changed."""


def must_start(record: PluginRecord, manager: pluggy.PluginManager) -> bool:
    """Whether a plugin has to be there from the start: it does more than answer calls."""
    catalogue = record.catalogue
    callers = {caller.name for caller in manager.get_hookcallers(record.plugin) or ()}
    return bool(
        catalogue.middleware
        or catalogue.transports
        or catalogue.extensions
        or catalogue.skills
        or "mcpkit_routes" in callers
        or any(ask(manager, record.plugin, "mcpkit_eager", settings=record.settings))
    )


@dataclass(slots=True, kw_only=True)
class Waker:
    """Wakes plugins.

    Attributes:
        manager: Where they are registered.
        plan: What validation needs to know of the settings.
        registry: Where what they contribute replaces what was written of it.
        lifespans: Theirs join these.
        settings: Filled settings models by plugin; theirs are added.
        catalogues: Where what they contribute is written down.
        timeout: Seconds that an import may take.
        retire: Takes one that has failed out of the lists.
        publish: Tells clients which lists have changed.
    """

    manager: pluggy.PluginManager
    plan: Plan
    registry: Registry
    lifespans: Lifespans
    settings: dict[str, Any]
    catalogues: Catalogues
    timeout: float
    retire: Retire
    publish: Publish
    asleep: dict[str, PluginRecord] = field(default_factory=dict)
    _lock: anyio.Lock = field(default_factory=anyio.Lock)

    async def wake(self, plugin: str) -> None:
        """Make sure that a plugin is awake.

        Raises:
            MCPError: It cannot be started; the operator's log tells why.
        """
        async with self._lock:
            record = self.asleep.get(plugin)
            if record is None:
                return
            with anyio.CancelScope(shield=True):  # whoever waits no longer must not leave it half
                await self._wake(record)
            del self.asleep[plugin]
        if record.error is not None:
            raise MCPError(
                types.INTERNAL_ERROR,
                f"Plugin {plugin!r} could not be started; its operator finds the reason in the log",
            )

    async def _wake(self, record: PluginRecord) -> None:
        written = record.catalogue
        record.status, record.stage = Status.DISCOVERED, Stage.DISCOVER
        with anyio.move_on_after(self.timeout) as scope:
            await to_thread.run_sync(self._load, record, abandon_on_cancel=True)
        if scope.cancelled_caught:
            message = f"Importing it did not finish within {self.timeout:g} s"
            record.fail(
                Stage.IMPORT, PluginImportError(message, hint="See lifespan.startup_timeout")
            )
        if record.error is None:
            self._refuse_late(record)
        if record.error is None:
            self.settings[record.name] = record.settings
            await self.lifespans.open([record])
        if record.error is None:
            self._commit(record)  # from now on calls find it awake
        if record.error is not None:
            await self.retire(record)
            return
        log_outcome(record)
        changed = _difference(written, record.catalogue)
        if changed:
            logger.warning(
                "Plugin %s offers something else than its catalogue said: the lists are mended",
                record.label,
            )
            section = self.plan.section(record.name)
            self.catalogues.write(record, section, must_start=must_start(record, self.manager))
            await self.publish(changed)

    def _load(self, record: PluginRecord) -> None:
        load([record], self.manager)
        validate([record], self.manager, self.plan)

    def _refuse_late(self, record: PluginRecord) -> None:
        """Fail a plugin that does what only an eager start can."""
        found = record.catalogue
        if found.middleware or found.transports or found.extensions:
            hint = "Start the server again; `mcpkit catalogue clear` forgets all catalogues"
            late = "It must be there from the start, which its catalogue did not say"
            record.fail(Stage.COMPOSE, PluginContractError(late, hint=hint))
            self.manager.unregister(record.plugin)

    def _commit(self, record: PluginRecord) -> None:
        self.registry.remove(record.name)
        if self.registry.commit([record]):
            self.manager.unregister(record.plugin)
            return
        record.status, record.stage = Status.LOADED, Stage.SERVE


def _difference(written: Catalogue, found: Catalogue) -> set[ComponentKind]:
    """The kinds of which an import found something else than was written."""
    before, after = (_by_kind(catalogue) for catalogue in (written, found))
    return {kind for kind in before.keys() | after.keys() if before.get(kind) != after.get(kind)}


def _by_kind(catalogue: Catalogue) -> Mapping[ComponentKind, list[Any]]:
    kinds: dict[ComponentKind, list[Any]] = {}
    for item in describe(catalogue).components:
        kinds.setdefault(item.kind, []).append(item)
    return kinds
