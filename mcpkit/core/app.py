"""The app: loaded plugins become a running server. Enter lifespans, compose, serve, close."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any, cast

import pluggy
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    PromptsListChanged,
    ResourcesListChanged,
    ServerEvent,
    ToolsListChanged,
)

from mcpkit.core.calls import Caller
from mcpkit.core.catalogues import Catalogues
from mcpkit.core.changes import Changes
from mcpkit.core.components import ComponentKind
from mcpkit.core.composition import Composition, Wake
from mcpkit.core.contributions import Transport
from mcpkit.core.deferred import deferred
from mcpkit.core.errors import NotFoundError, PluginError
from mcpkit.core.extensions.apps import apps_extension
from mcpkit.core.groups import ungrouped
from mcpkit.core.health import HealthChecks
from mcpkit.core.hooks import ask_for_items
from mcpkit.core.lifespan import Lifespans, open_lifespans
from mcpkit.core.middleware import Gate
from mcpkit.core.outcomes import log_failure, refuse_strict
from mcpkit.core.plan import Plan
from mcpkit.core.registry import Registry
from mcpkit.core.running import Running
from mcpkit.core.server import compose
from mcpkit.core.settings import Settings
from mcpkit.core.status import PluginRecord, Stage, Status
from mcpkit.core.suggestions import did_you_mean, quoted

if TYPE_CHECKING:  # only for annotations: few servers have tasks, and plugins wake later
    from mcpkit.core.tasks.running import Tasks
    from mcpkit.core.waking import Publish, Retire

open_tasks = deferred("mcpkit.core.tasks.running:open_tasks")
skills_extension = deferred("mcpkit.core.extensions.skills:skills_extension")
tasks_extension = deferred("mcpkit.core.extensions.tasks:tasks_extension")
new_waker = deferred("mcpkit.core.waking:Waker")

BUILT_IN = "mcpkit"
"""The name under which our own transports and routes are registered."""

_CHANGES: Mapping[ComponentKind, Callable[[], ServerEvent]] = {
    "tool": ToolsListChanged,
    "resource": ResourcesListChanged,
    "resource_template": ResourcesListChanged,
    "prompt": PromptsListChanged,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """A server that could run: its plugins are loaded, their lifespans are not entered.

    Attributes:
        settings: Of the whole server.
        records: Every plugin, sorted by name, with its status.
        registry: What clients can use.
        transports: Ways to reach the server, by name.
        manager: Where the loaded plugins are registered.
        plan: What validation needs to know of the settings.
        catalogues: Where what plugins contribute is written down; None to import them all.
        lenient: Whether a strict plugin may fail: to list plugins, not to serve them.
    """

    settings: Settings
    records: tuple[PluginRecord, ...]
    registry: Registry
    transports: Mapping[str, Transport]
    manager: pluggy.PluginManager
    plan: Plan
    catalogues: Catalogues | None = None
    lenient: bool = False

    @property
    def offered(self) -> list[PluginRecord]:
        """The plugins that clients see, awake or asleep."""
        return [
            record for record in self.records if record.status in {Status.LOADED, Status.ASLEEP}
        ]

    @property
    def loaded(self) -> list[PluginRecord]:
        """The plugins that were imported, and did not fail."""
        return [record for record in self.records if record.status is Status.LOADED]

    def transport(self, name: str) -> Transport:
        """Look up a transport.

        Raises:
            NotFoundError: There is none of that name; the message lists all.
        """
        if name not in self.transports:
            raise NotFoundError(
                f"Unknown transport {quoted(name)}{did_you_mean(name, self.transports)}",
                hint=f"Choose from {', '.join(self.transports)}",
            )
        return self.transports[name]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Running]:
        """Enter the lifespans of the plugins and keep the server answering.

        Yields:
            The endpoint that transports speak for.

        Raises:
            PluginError: A strict plugin did not start.
        """
        bus = InMemorySubscriptionBus()

        async def retire(record: PluginRecord) -> None:
            log_failure(record)
            await publish(self.registry.remove(record.name))

        async def publish(kinds: Iterable[ComponentKind]) -> None:
            for change in {_CHANGES[kind] for kind in kinds}:
                await bus.publish(change())

        records, limits = self.loaded, self.settings.lifespan
        opened = open_lifespans(records, self.manager, limits, retire, Changes(bus))
        with ungrouped():
            async with opened as lifespans:
                for record in records:
                    if record.status is Status.FAILED:
                        await retire(record)
                self._refuse_strict()
                gate = Gate()
                async with self._tasks(gate) as tasks:
                    parts = self._composition(lifespans.states, bus, gate, tasks)
                    wake = self._waker(lifespans, parts.plugin_settings, retire, publish)
                    server, listen = compose(replace(parts, wake=wake))
                    yield Running(
                        server=server, settings=self.settings, gate=gate, listen=listen,
                        records=self.records,
                        health=HealthChecks(self.manager, lifespans.states),
                    )  # fmt: skip

    def _waker(
        self, lifespans: Lifespans, settings: Mapping[str, Any], retire: Retire, publish: Publish
    ) -> Wake | None:
        """What wakes the plugins that are asleep; None when none is."""
        asleep = {item.name: item for item in self.records if item.status is Status.ASLEEP}
        if not asleep or self.catalogues is None:
            return None
        make = partial(
            new_waker,
            manager=self.manager,
            plan=self.plan,
            registry=self.registry,
            lifespans=lifespans,
            settings=cast(dict[str, Any], settings),
            catalogues=self.catalogues,
            timeout=self.settings.lifespan.startup_timeout,
            retire=retire,
            publish=publish,
            asleep=asleep,
        )
        waker = cache(make)

        async def wake(plugin: str) -> None:
            await waker().wake(plugin)

        return wake

    @asynccontextmanager
    async def _tasks(self, gate: Gate) -> AsyncIterator[Tasks | None]:
        """Keep tasks, if a tool may become one."""
        if all(tool.task == "forbidden" for tool in self.registry.tools.values()):
            yield None
            return
        async with open_tasks(self.settings, gate) as tasks:
            yield tasks

    def routes(self, running: Running) -> list[Any]:
        """Collect the routes of the shared HTTP port: ours, then those of plugins.

        A plugin whose routes cannot be had has failed from then on.
        """
        ours = self.manager.get_plugin(BUILT_IN)
        routes = ask_for_items(
            self.manager, ours, "mcpkit_routes", object, settings=None, endpoint=running
        )
        for record in self.loaded:
            try:
                routes += ask_for_items(
                    self.manager,
                    record.plugin,
                    "mcpkit_routes",
                    object,
                    settings=record.settings,
                    endpoint=running,
                )
            except PluginError as exc:
                record.fail(Stage.SERVE, exc)
                log_failure(record)
                self.registry.remove(record.name)
        self._refuse_strict()
        return routes

    def _refuse_strict(self) -> None:
        if not self.lenient:
            refuse_strict(self.records, self.settings)

    def _composition(
        self,
        states: Mapping[str, Any],
        bus: InMemorySubscriptionBus,
        gate: Gate,
        tasks: Tasks | None,
    ) -> Composition:
        loaded, offered = self.loaded, self.offered
        tools = self.registry.tools.values()
        skills = [skill for record in loaded for skill in record.catalogue.skills]
        ours = (
            apps_extension(tools),
            skills_extension(skills, self.settings.lists) if skills else None,
            None if tasks is None else tasks_extension(tools, tasks),
        )
        return Composition(
            settings=self.settings,
            instructions=tuple(filter(None, (record.catalogue.instructions for record in offered))),
            registry=self.registry,
            caller=Caller(
                middleware=[item for record in loaded for item in record.catalogue.middleware],
                timeout=self._timeout,
            ),
            states=states,
            plugin_settings={record.name: record.settings for record in loaded},
            bus=bus,
            gate=gate,
            extensions=(
                *((BUILT_IN, item) for item in ours if item is not None),
                *((record.name, item) for record in loaded for item in record.catalogue.extensions),
            ),
            tasks=tasks,
        )

    def _timeout(self, plugin: str, wish: float | None) -> float:
        """Seconds a call may take: the operator's word on the plugin, then its own, then all's."""
        return self.settings.plugin(plugin).call_timeout or wish or self.settings.calls.timeout
