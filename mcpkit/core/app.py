"""The composition root: settings become an `App`, and an `App` becomes a running server.

The whole flow stands in `build` and `App.running`: discover, load, validate, register, compose,
serve.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pluggy
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    PromptsListChanged,
    ResourcesListChanged,
    ServerEvent,
    ToolsListChanged,
)

from mcpkit.core import extensions
from mcpkit.core import transports as builtin_transports
from mcpkit.core.calls import Caller
from mcpkit.core.changes import Changes
from mcpkit.core.components import ComponentKind
from mcpkit.core.composition import Composition
from mcpkit.core.contributions import Transport
from mcpkit.core.discovery import discover, refuse_duplicates, select
from mcpkit.core.errors import NotFoundError, PluginError
from mcpkit.core.extensions.apps import apps_extension
from mcpkit.core.extensions.skills import skills_extension
from mcpkit.core.extensions.tasks import tasks_extension
from mcpkit.core.filling import Origin
from mcpkit.core.groups import ungrouped
from mcpkit.core.hooks import ask_for_items, create_manager
from mcpkit.core.lifespan import open_lifespans
from mcpkit.core.loading import load
from mcpkit.core.middleware import Gate
from mcpkit.core.outcomes import log_failure, log_outcome, refuse_strict
from mcpkit.core.registry import Registry
from mcpkit.core.running import Running
from mcpkit.core.server import compose
from mcpkit.core.settings import Settings
from mcpkit.core.status import PluginRecord, Stage, Status
from mcpkit.core.suggestions import did_you_mean
from mcpkit.core.tasks.running import Tasks, open_tasks
from mcpkit.core.tasks.sqlite import SqliteTaskStore, default_path
from mcpkit.core.validation import Plan, validate

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
        lenient: Whether a strict plugin may fail: to list plugins, not to serve them.
    """

    settings: Settings
    records: tuple[PluginRecord, ...]
    registry: Registry
    transports: Mapping[str, Transport]
    manager: pluggy.PluginManager
    lenient: bool = False

    @property
    def loaded(self) -> list[PluginRecord]:
        """The plugins that are offered to clients now."""
        return [record for record in self.records if record.status is Status.LOADED]

    def transport(self, name: str) -> Transport:
        """Look up a transport.

        Raises:
            NotFoundError: There is none of that name; the message lists all.
        """
        if name not in self.transports:
            raise NotFoundError(
                f"Unknown transport {name!r}{did_you_mean(name, self.transports)}",
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
            for kind in self.registry.remove(record.name):
                await bus.publish(_CHANGES[kind]())

        records, limits = self.loaded, self.settings.lifespan
        opened = open_lifespans(records, self.manager, limits, retire, Changes(bus))
        with ungrouped():
            async with opened as states:
                for record in records:
                    if record.status is Status.FAILED:
                        await retire(record)
                self._refuse_strict()
                gate = Gate()
                async with self._tasks(gate) as tasks:
                    server, listen = compose(self._composition(states, bus, gate, tasks))
                    yield Running(
                        server=server, settings=self.settings, gate=gate, listen=listen,
                        records=self.records, states=states, manager=self.manager,
                    )  # fmt: skip

    @asynccontextmanager
    async def _tasks(self, gate: Gate) -> AsyncIterator[Tasks | None]:
        """Keep tasks, if a tool may become one."""
        if all(tool.task == "forbidden" for tool in self.registry.tools.values()):
            yield None
            return
        store = SqliteTaskStore(self.settings.tasks.path or default_path())
        store.prepare()
        async with open_tasks(store, self.settings.tasks, gate) as tasks:
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
        loaded = self.loaded
        tools = self.registry.tools.values()
        ours = (
            apps_extension(tools),
            skills_extension(
                [skill for record in loaded for skill in record.catalogue.skills],
                self.settings.lists,
            ),
            None if tasks is None else tasks_extension(tools, tasks),
        )
        return Composition(
            settings=self.settings,
            instructions=tuple(filter(None, (record.catalogue.instructions for record in loaded))),
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


def build(
    settings: Settings,
    *,
    plugins: bool = True,
    objects: Mapping[str, object] | None = None,
    origin: Origin = lambda path: None,
    lenient: bool = False,
) -> App:
    """Discover, load, validate and register.

    Args:
        settings: Of the whole server.
        plugins: Whether installed plugins are looked for; False is `--no-plugins`.
        objects: Plugins given in code, by name.
        origin: Tells where a setting comes from, for error messages.
        lenient: Whether a strict plugin may fail: to list plugins, not to serve them.

    Raises:
        SettingsError: A section or an allowed name belongs to no installed plugin.
        PluginError: A strict plugin failed.
    """
    given = objects or {}
    records = discover() if plugins else []
    records += [PluginRecord(name=name) for name in sorted(given)]
    records.sort(key=lambda record: (record.name, record.distribution or ""))
    if given:
        refuse_duplicates(records)
    if plugins or given:
        select(records, settings.plugins, allow=settings.plugins_allow)

    manager = create_manager()
    manager.register(builtin_transports, BUILT_IN)
    builtin = ask_for_items(
        manager, builtin_transports, "mcpkit_transports", Transport, settings=None
    )
    load(records, manager, objects=given)
    validate(records, manager, Plan(section=settings.plugin, calls=settings.calls, origin=origin))
    registry = Registry()
    sound = [record for record in records if record.plugin is not None and record.error is None]
    taken = [
        *(("transport", transport.name, BUILT_IN) for transport in builtin),
        *(("extension", identifier, BUILT_IN) for identifier in extensions.OURS),
        *(("method", method, BUILT_IN) for method in extensions.METHODS),
    ]
    for record in registry.commit(sound, taken=taken):
        manager.unregister(record.plugin)
    transports = {transport.name: transport for transport in builtin}
    for record in sound:
        if record.error is None:
            record.status, record.stage = Status.LOADED, Stage.SERVE
            transports.update((item.name, item) for item in record.catalogue.transports)
    for record in records:
        log_outcome(record)
    if not lenient:
        refuse_strict(records, settings)
    return App(
        settings=settings,
        records=tuple(records),
        registry=registry,
        transports=transports,
        manager=manager,
        lenient=lenient,
    )
