"""Composing: registry, caller and states become one SDK server that answers every request.

Built on the SDK's low-level `Server`: it allows what the high-level one cannot, and the plugins'
handlers run the same way in both protocol eras.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import cached_property
from typing import Any

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.lowlevel.server import HandlerEntry
from mcp.server.models import InitializationOptions
from mcp.server.subscriptions import ListenHandler
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from mcpkit.core.adopted import Adopted
from mcpkit.core.answers import Answers
from mcpkit.core.composition import Composition
from mcpkit.core.connections import Connections
from mcpkit.core.identity import identity, stamp
from mcpkit.core.lists import KeptLists, Lists
from mcpkit.core.middleware import install
from mcpkit.core.subscriptions import Subscriptions
from mcpkit.core.versions import VERSIONS


class ComposedServer(Server[Any]):
    """The SDK's server, which tells clients that its lists may change.

    Attributes:
        adopted: SDK servers among the plugins, whose extensions add methods.
        answers: Runs these methods, as those of other plugins.
        may_log: Tells whether a handler could send log messages.
    """

    adopted: Adopted | None = None
    answers: Answers | None = None
    may_log: Callable[[], bool] = staticmethod(lambda: True)

    def get_request_handler(self, method: str) -> HandlerEntry[Any] | None:
        """The handler of a method: of ours, else of an adopted server's extension."""
        entry = super().get_request_handler(method)
        if entry is not None or self.adopted is None:
            return entry
        found = self.adopted.method(method)
        if found is None or self.answers is None:
            return None
        return HandlerEntry(found[1].params, self.answers.method(*found))

    @property
    def server_info_stamp(self) -> dict[str, Any]:
        """Who the server is, for the `_meta` of every result; the caller owns the dictionary."""
        return dict(self._stamp)

    @cached_property
    def _stamp(self) -> Mapping[str, Any]:
        return stamp(self.server_info)

    def get_capabilities(
        self,
        notification_options: NotificationOptions | None = None,
        experimental_capabilities: dict[str, dict[str, Any]] | None = None,
        extensions: dict[str, dict[str, Any]] | None = None,
        *,
        protocol_version: str | None = None,
    ) -> types.ServerCapabilities:
        """What this server can do; of what 2026-07-28 deprecates only what a handler may use."""
        found = super().get_capabilities(
            notification_options,
            experimental_capabilities,
            extensions,
            protocol_version=protocol_version,
        )
        if protocol_version in MODERN_PROTOCOL_VERSIONS and not self.may_log():
            found.logging = None
        return found

    async def discover(
        self, ctx: ServerRequestContext[Any, Any], params: types.RequestParams
    ) -> types.DiscoverResult:
        """Answer `server/discover`, with the versions of both eras and all of the identity."""
        info = self.server_info.model_dump(by_alias=True, mode="json", exclude_none=True)
        return types.DiscoverResult(
            supported_versions=list(VERSIONS),
            capabilities=self.get_capabilities(protocol_version=ctx.protocol_version),
            instructions=self.instructions,
            _meta={types.SERVER_INFO_META_KEY: info},
        )

    def create_initialization_options(
        self,
        notification_options: NotificationOptions | None = None,
        experimental_capabilities: dict[str, dict[str, Any]] | None = None,
        extensions: dict[str, dict[str, Any]] | None = None,
    ) -> InitializationOptions:
        """Advertise list changes unless told otherwise: `Connections` forwards them."""
        changes = NotificationOptions(
            prompts_changed=True, resources_changed=True, tools_changed=True
        )
        return super().create_initialization_options(
            notification_options or changes, experimental_capabilities, extensions
        )


def compose(parts: Composition) -> tuple[Server[Any], ListenHandler]:
    """Make the server, and the handler of its modern subscriptions."""
    adopted = parts.adopted
    connections = Connections(parts.bus, adopted)
    answers = Answers(parts, connections)
    listen = ListenHandler(parts.bus)
    subscriptions = Subscriptions(
        connections, listen, answers.check_resource, parts.settings.lists, adopted
    )
    settings, registry = parts.settings, parts.registry
    grows = adopted is not None
    has_resources = bool(registry.resources or registry.templates or grows)

    @asynccontextmanager
    async def lifespan(server: Server[Any]) -> AsyncIterator[Any]:
        yield {}  # the plugins' lifespans are open already

    info = identity(settings)
    server = ComposedServer(
        info.name,
        version=info.version,
        title=info.title,
        instructions=_joined(settings.instructions, *parts.instructions),
        website_url=info.website_url,
        icons=info.icons,
        lifespan=lifespan,
        get_tool_input_schema=answers.input_schema,
        on_call_tool=answers.call_tool,
        on_read_resource=answers.read_resource if has_resources else None,
        on_get_prompt=answers.get_prompt if registry.prompts or grows else None,
        on_completion=answers.complete if registry.completers else None,
        on_subscriptions_listen=subscriptions.listen,
    )
    server.adopted, server.answers = adopted, answers
    server.may_log = registry.takes_context
    server.add_request_handler("server/discover", types.RequestParams, server.discover)
    for name, handler in Lists(registry, settings.lists, adopted).handlers().items():
        server.add_request_handler(name, types.PaginatedRequestParams, handler)
    server.add_request_handler(
        "logging/setLevel", types.SetLevelRequestParams, connections.set_level
    )
    if has_resources:
        server.add_request_handler(
            "resources/subscribe", types.SubscribeRequestParams, subscriptions.subscribe
        )
        server.add_request_handler(
            "resources/unsubscribe", types.UnsubscribeRequestParams, connections.unsubscribe
        )
    server.add_notification_handler(
        "notifications/initialized", types.NotificationParams, connections.forward
    )
    for plugin, extension in parts.extensions:
        server.extensions[extension.identifier] = dict(extension.settings)
        for method in extension.methods:
            handler = answers.method(plugin, method)
            server.add_request_handler(method.name, method.params, handler)
    install(server, parts.gate, KeptLists(registry, adopted), settings.request_state)
    return server, listen


def _joined(*texts: str | None) -> str | None:
    return "\n\n".join(text.strip() for text in texts if text and text.strip()) or None
