"""The app: loaded plugins become a running server. Enter lifespans, compose, serve, close."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
import pluggy
from anyio import to_thread
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    PromptsListChanged,
    ResourcesListChanged,
    ServerEvent,
    ToolsListChanged,
)

from mcpkit.core import jobs
from mcpkit.core.activation import Activator
from mcpkit.core.call_watch import watched_calls
from mcpkit.core.calls import Caller
from mcpkit.core.catalogues import Catalogues
from mcpkit.core.changes import Changes
from mcpkit.core.clients import Clients
from mcpkit.core.components import ComponentKind
from mcpkit.core.composition import Composition
from mcpkit.core.contributions import Transport
from mcpkit.core.deferred import deferred
from mcpkit.core.errors import NotFoundError, PluginError
from mcpkit.core.extensions.apps import apps_extension
from mcpkit.core.groups import ungrouped
from mcpkit.core.health import HealthChecks
from mcpkit.core.hooks import answer_in_time, ask_for_items, start_asking
from mcpkit.core.lifespan import Lifespans, open_lifespans
from mcpkit.core.middleware import Gate
from mcpkit.core.outcomes import log_failure, refuse_strict
from mcpkit.core.pending import Pending
from mcpkit.core.plan import Plan
from mcpkit.core.registry import Registry
from mcpkit.core.route_claims import Claims
from mcpkit.core.running import Running
from mcpkit.core.server import compose
from mcpkit.core.settings import Settings
from mcpkit.core.status import PluginRecord, Stage, Status
from mcpkit.core.suggestions import did_you_mean, quoted

if TYPE_CHECKING:  # only for annotations: few servers have tasks
    from mcpkit.core.tasks.running import Tasks

open_tasks = deferred("mcpkit.core.tasks.running:open_tasks")
skills_extension = deferred("mcpkit.core.extensions.skills:skills_extension")
tasks_extension = deferred("mcpkit.core.extensions.tasks:tasks_extension")
sdk_servers = deferred("mcpkit.core.sdk_servers:sdk_servers")

HEAD_START = 0.5
"""Seconds that lifespans get before the server answers: most are open by then, and the first lists
are complete. Those that take longer are waited for by the calls that need them."""

SHARED_THREADS = 1000
"""Threads of anyio's default limiter, which the SDK and Starlette use for sync code of plugins: one
plugin must not be able to use up what the others share. The core itself uses none of them."""

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
        builtin: Our own transports and routes, which come by hooks as well.
        plan: What loading needs to know of the settings.
        catalogues: Where what plugins contribute is written down; None to import them all.
        lenient: Whether a strict plugin may fail: to list plugins, not to serve them.
    """

    settings: Settings
    records: tuple[PluginRecord, ...]
    registry: Registry
    transports: Mapping[str, Transport]
    builtin: pluggy.PluginManager
    plan: Plan
    catalogues: Catalogues | None = None
    lenient: bool = False

    @property
    def offered(self) -> list[PluginRecord]:
        """The plugins that clients see, active or not."""
        seen = {Status.LOADED, Status.STARTING, Status.ASLEEP}
        return [record for record in self.records if record.status in seen]

    @property
    def loaded(self) -> list[PluginRecord]:
        """The plugins that were imported, and did not fail."""
        imported = {Status.LOADED, Status.STARTING}
        return [record for record in self.records if record.status in imported]

    def transport(self, name: str) -> Transport:
        """Look up a transport.

        Raises:
            NotFoundError: There is none of that name; the message lists all.
        """
        if name not in self.transports:
            hint = f"Choose from {', '.join(self.transports)}"
            if "," in name:
                hint = f"Repeat --transport for each; {hint[0].lower()}{hint[1:]}"
            raise NotFoundError(
                f"Unknown transport {quoted(name)}{did_you_mean(name, self.transports)}", hint=hint
            )
        return self.transports[name]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Running]:
        """Enter the lifespans of the plugins and keep the server answering.

        Plugins whose lifespans take long go on starting meanwhile.

        Yields:
            The endpoint that transports speak for.

        Raises:
            PluginError: A strict plugin did not start.
        """
        default_threads = to_thread.current_default_thread_limiter()
        default_threads.total_tokens = max(default_threads.total_tokens, SHARED_THREADS)
        bus = InMemorySubscriptionBus()

        async def retire(record: PluginRecord) -> None:
            log_failure(record)
            await publish(self.registry.remove(record.name))

        async def publish(kinds: Iterable[ComponentKind]) -> None:
            for change in {_CHANGES[kind] for kind in kinds}:
                await bus.publish(change())

        limits = self.settings.lifespan
        with ungrouped():
            async with open_lifespans(limits, retire, Changes(bus)) as lifespans:
                starting = await self._enter_first(lifespans)
                gate = Gate()
                async with self._tasks(gate) as tasks, anyio.create_task_group() as attempts:
                    activator = Activator(
                        tasks=attempts, plan=self.plan, registry=self.registry,
                        lifespans=lifespans, catalogues=self.catalogues,
                        settings={record.name: record.settings for record in self.loaded},
                        retire=retire, publish=publish,
                    )  # fmt: skip
                    for entry in starting:
                        await activator.add_starting(entry)
                    for record in self.records:
                        if record.status is Status.ASLEEP:
                            activator.add_inactive(record)
                    parts = self._composition(lifespans.states, bus, gate, tasks, activator)
                    server, listen = compose(parts)
                    with watched_calls(lambda: gate.in_flight):
                        yield Running(
                            server=server, settings=self.settings, gate=gate, listen=listen,
                            records=self.records, health=HealthChecks(lifespans.states),
                            clients=Clients(self.settings.http),
                        )  # fmt: skip
                    attempts.cancel_scope.cancel()

    async def _enter_first(self, lifespans: Lifespans) -> list[Pending]:
        """Begin to enter the lifespans of all plugins, and wait for those that must be open.

        Returns:
            The plugins whose lifespans are not open: they take longer, or have failed.

        Raises:
            PluginError: A strict plugin did not start.
        """
        records = self.loaded
        entries = [Pending.of_loaded(record) for record in records]
        lifespans.begin(records)
        needed = [record for record in records if self.lenient or self._is_strict(record)]
        await lifespans.settled(needed)
        with anyio.move_on_after(HEAD_START):
            await lifespans.settled(records)
        self._refuse_strict()
        return [entry for entry in entries if entry.record.name not in lifespans.states]

    def _is_strict(self, record: PluginRecord) -> bool:
        return self.settings.strict or self.settings.plugin(record.name).strict

    @asynccontextmanager
    async def _tasks(self, gate: Gate) -> AsyncIterator[Tasks | None]:
        """Keep tasks, if a tool may become one."""
        if all(tool.task == "forbidden" for tool in self.registry.tools.values()):
            yield None
            return
        async with open_tasks(self.settings, gate) as tasks:
            yield tasks

    async def routes(self, running: Running) -> list[Any]:
        """Collect the routes of the shared HTTP port: ours, then those of plugins.

        A plugin whose routes cannot be had has failed from then on.
        """
        hook, seconds = "mcpkit_routes", self.settings.lifespan.startup_timeout
        routes = ask_for_items(self.builtin, hook, object, settings=None, endpoint=running)
        asked = [
            (record, start_asking(record.manager, hook, object, settings=record.settings,
                                  endpoint=running))
            for record in self.records if record.must_start and record.manager is not None
        ]  # fmt: skip
        end = anyio.current_time() + seconds
        claims = Claims(self.settings.http, routes)
        for record, job in asked:
            await jobs.wait_async(job, end - anyio.current_time())
            try:
                claims.add(record.name, answer_in_time(job, hook, seconds))
            except PluginError as exc:
                self._fail_serving(record, exc)
        for record, _ in asked:
            try:
                routes += claims.settle(record.name)
            except PluginError as exc:
                self._fail_serving(record, exc)
        self._refuse_strict()
        return routes

    def _fail_serving(self, record: PluginRecord, error: PluginError) -> None:
        record.fail(Stage.SERVE, error)
        log_failure(record)
        self.registry.remove(record.name)

    def _refuse_strict(self) -> None:
        if not self.lenient:
            refuse_strict(self.records, self.settings)

    def _composition(
        self,
        states: Mapping[str, Any],
        bus: InMemorySubscriptionBus,
        gate: Gate,
        tasks: Tasks | None,
        activator: Activator,
    ) -> Composition:
        # Those whose lifespans have failed are imported too, and may start later.
        there = [record for record in self.records if record.manager is not None]
        tools = self.registry.tools.values()
        skills = [skill for record in there for skill in record.catalogue.skills]
        ours = (
            apps_extension(tools),
            skills_extension(skills, self.settings.lists) if skills else None,
            None if tasks is None else tasks_extension(tools, tasks),
        )
        return Composition(
            settings=self.settings,
            instructions=tuple(
                text for record in self.records if (text := record.catalogue.instructions)
            ),
            registry=self.registry,
            caller=Caller(
                middleware=[
                    (record.name, item) for record in there for item in record.catalogue.middleware
                ],
                timeout=self._timeout,
            ),
            states=states,
            plugin_settings=activator.settings,
            bus=bus,
            gate=gate,
            extensions=(
                *((BUILT_IN, item) for item in ours if item is not None),
                *((record.name, item) for record in there for item in record.catalogue.extensions),
            ),
            activation=activator,
            tasks=tasks,
            adopted=(
                sdk_servers(there, states, self.registry, self.plan)
                if there  # what was imported may be a SDK server
                else None
            ),
        )

    def _timeout(self, plugin: str, wish: float | None) -> float:
        """Seconds a call may take: the operator's word on the plugin, then its own, then all's."""
        return self.settings.plugin(plugin).call_timeout or wish or self.settings.calls.timeout
