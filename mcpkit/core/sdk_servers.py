"""Adopted SDK servers while they serve: what they register later, hide, add and publish."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import anyio
from mcp.server.context import HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types.methods import SPEC_CLIENT_METHODS

from mcpkit.core.adoption import AdoptedServer
from mcpkit.core.components import IDENTITIES, Component
from mcpkit.core.contributions import Method
from mcpkit.core.errors import NotFoundError, ResourceNotFoundError
from mcpkit.core.plan import Plan
from mcpkit.core.registry import Registry
from mcpkit.core.relisting import Looks, Pace
from mcpkit.core.status import PluginRecord, Status
from mcpkit.core.threads import WorkerThreads
from mcpkit.core.validation import build_catalogue

logger = logging.getLogger(__name__)

Request = ServerRequestContext[Any, Any]

ALL = "the list of all"
"""Name of the look at all that a server has registered, for the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SDKServers:
    """The adopted servers of one host.

    Attributes:
        adopted: Their plugins, and what stands for each of them.
        states: What lifespans yielded, by plugin.
        registry: Where what they register later is added.
        plan: What validation needs to know of the settings.
    """

    adopted: tuple[tuple[PluginRecord, AdoptedServer], ...]
    states: Mapping[str, Any]
    registry: Registry
    plan: Plan
    _pace: Pace = field(default_factory=Pace)
    _looks: Looks = field(default_factory=Looks)

    @property
    def have_middleware(self) -> bool:
        """Whether a list may be another for each client."""
        return any(server.requests.middleware for _, server in self._serving())

    async def refresh(self) -> bool:
        """Take over what they have registered since the last time.

        Requests that come together share one look, so that asking for names that nobody has costs
        a small part of the server's time.

        Returns:
            Whether something has changed.
        """
        edition = self.registry.edition
        await self._pace.share(self._refresh)
        return self.registry.edition != edition

    async def _refresh(self) -> None:
        async with anyio.create_task_group() as tasks:
            for record, server in self._serving():
                if not self._looks.is_slow(record, ALL):
                    tasks.start_soon(self._relist, record, server)

    async def _relist(self, record: PluginRecord, server: AdoptedServer) -> None:
        try:
            if await self._looks.look(record, ALL, server.relist):
                self._update(record)
        except Exception as exc:  # noqa: BLE001  # plugin code: a subclass may list in its own way
            logger.warning("Plugin %s: what it has registered is not known: %s", record.label, exc)

    async def shown(
        self, ctx: Request, components: Mapping[str, Component]
    ) -> dict[str, Component]:
        """The components of a list as the middleware of their servers shows them to a client."""
        shown = dict(components)

        async def ask(record: PluginRecord, server: AdoptedServer) -> None:
            own = {key: item for key, item in components.items() if item.plugin == record.name}
            if not own:
                return
            listed = await self._listed(ctx, record, server)
            for key in own:
                del shown[key]
            # Where middleware failed, nobody knows what it would have hidden.
            shown.update(_as_listed(own, listed or ()))

        async with anyio.create_task_group() as tasks:
            for record, server in self._serving():
                if server.requests.middleware:
                    tasks.start_soon(ask, record, server)
        return {key: shown[key] for key in sorted(shown)}

    async def _listed(
        self, ctx: Request, record: PluginRecord, server: AdoptedServer
    ) -> list[dict[str, Any]] | None:
        """A list as a server's middleware shows it; None if it failed, which is no refusal."""

        async def ask() -> list[dict[str, Any]]:
            try:
                return await server.requests.listed(ctx.method, self._own(ctx, record))
            except MCPError as exc:
                logger.info("Plugin %s: %s is refused: %r", record.label, ctx.method, exc)
                return []

        return await self._looks.look(record, ctx.method, ask)

    def method(self, name: str) -> tuple[str, Method] | None:
        """A method that an extension of one of them adds, after the name of its plugin.

        A method that two of them have is nobody's: which one was meant cannot be known.
        """
        if name in SPEC_CLIENT_METHODS:
            return None
        found = [
            (record, server, entry)
            for record, server in self._serving()
            if (entry := server.requests.entry(name)) is not None
        ]
        if len(found) != 1:
            if found:
                names = ", ".join(record.label for record, _, _ in found)
                logger.warning("Method %r is not served: plugins %s both have it", name, names)
            return None
        record, server, entry = found[0]

        async def handler(context: Any, params: Any) -> HandlerResult:
            return await server.requests.put_extra(context.request_context, params)

        return record.name, Method(name=name, params=entry.params_type, handler=handler)

    @contextmanager
    def watching(self, uris: Iterable[str]) -> Iterator[None]:
        """Publish changes of resources until the end of the context."""
        with ExitStack() as stack:
            for uri in uris:
                server = self._reader(uri)
                if server is not None:
                    stack.enter_context(server.relay.watching(uri))
            yield

    def watch(self, uri: str) -> None:
        """Publish changes of a resource from now on."""
        server = self._reader(uri)
        if server is not None:
            server.relay.watch(uri)

    def unwatch(self, uri: str) -> None:
        """Take back one `watch`."""
        for _, server in self._serving():
            server.relay.unwatch(uri)

    def _serving(self) -> Iterator[tuple[PluginRecord, AdoptedServer]]:
        for record, server in self.adopted:
            if record.status is Status.LOADED:
                yield record, server

    def _own(self, ctx: Request, record: PluginRecord) -> Request:
        return replace(ctx, lifespan_context=self.states.get(record.name))

    def _reader(self, uri: str) -> AdoptedServer | None:
        """The adopted server that reads a URI, if one does."""
        try:
            component, _ = self.registry.find_resource(uri)
        except (NotFoundError, ResourceNotFoundError):
            return None
        servers = (item for record, item in self._serving() if record.name == component.plugin)
        return next(servers, None)

    def _update(self, record: PluginRecord) -> None:
        section = self.plan.section(record.name)
        threads = WorkerThreads(section.call_threads or self.plan.calls.threads)
        record.catalogue = build_catalogue(record, section, threads)
        for kind, exposed in self.registry.update(record):
            logger.warning(
                "Plugin %s: its %s %r is left out: another plugin has that name",
                record.label,
                kind.replace("_", " "),
                exposed,
            )


def sdk_servers(
    records: Iterable[PluginRecord],
    states: Mapping[str, Any],
    registry: Registry,
    plan: Plan,
) -> SDKServers | None:
    """Find the adopted servers among the plugins; None when there are none."""
    adopted = tuple(
        (record, plugin)
        for record in records
        if record.manager is not None
        and isinstance(plugin := record.manager.get_plugin(record.name), AdoptedServer)
    )
    if not adopted:
        return None
    return SDKServers(adopted=adopted, states=states, registry=registry, plan=plan)


def _as_listed(
    own: Mapping[str, Component], listed: Iterable[Mapping[str, Any]]
) -> dict[str, Component]:
    """The components of one server that its middleware lists, with the words that it gave them."""
    kind = next(iter(own.values())).kind
    identity = IDENTITIES[kind]
    named = kind in {"tool", "prompt"}
    known = {item.name if named else item.exposed: item for item in own.values()}
    shown: dict[str, Component] = {}
    for definition in listed:
        item = known.get(str(definition.get(identity)))
        if item is not None:
            told = {**definition, identity: item.exposed}
            shown[item.exposed] = replace(item, definition=told, unchanged_in=frozenset())
    return shown
