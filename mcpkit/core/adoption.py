"""Adoption: an existing SDK `MCPServer` object becomes a plugin, unchanged.

Its tools, resources, prompts, completions, extensions, lifespan, instructions and custom routes are
taken over through its public API; every call runs in its own handlers and middleware, with its own
error texts. What cannot be kept is refused.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from threading import Thread
from typing import Any, NamedTuple, TypeVar

import anyio
import mcp_types as types
from mcp.server.lowlevel import Server
from mcp.server.mcpserver import MCPServer
from mcp.shared.uri_template import UriTemplate
from starlette.routing import BaseRoute

from mcpkit.core.changes import Changes
from mcpkit.core.components import ComponentKind
from mcpkit.core.contributions import Extension
from mcpkit.core.declarations import CompletionDeclaration, Declaration, ReadyDeclaration
from mcpkit.core.errors import PluginContractError
from mcpkit.core.extensions import APPS
from mcpkit.core.hookspecs import hookimpl
from mcpkit.core.sdk_notifications import Relay
from mcpkit.core.sdk_requests import SDKRequests
from mcpkit.core.wire import METHODS

ResultT = TypeVar("ResultT")

HOSTS_METHODS = ("logging/setLevel", "resources/subscribe", "resources/unsubscribe")
"""Requests about a connection, which the host answers for all plugins."""

HOSTS_NOTIFICATIONS = (
    "notifications/initialized",
    "notifications/progress",
    "notifications/roots/list_changed",
)


class Snapshot(NamedTuple):
    """What a server has registered at one moment."""

    tools: list[types.Tool]
    resources: list[types.Resource]
    templates: list[types.ResourceTemplate]
    prompts: list[types.Prompt]


class AdoptedServer:
    """A plugin that contributes what a `MCPServer` has registered.

    Args:
        server: The server; `relist` finds what it registers later.

    Raises:
        PluginContractError: It does something that is lost under a host.
    """

    def __init__(self, server: MCPServer[Any]) -> None:
        _refuse_authentication(server)
        self._server = server
        self._app = server.streamable_http_app()
        self._lowlevel: Server[Any] = server.session_manager.app
        _refuse_connection_handlers(self._lowlevel)
        self._snapshot: Snapshot | None = None
        self.requests = SDKRequests(server, self._lowlevel)
        self.relay = Relay(server.name, self._lowlevel)

    @hookimpl
    def mcpkit_components(self) -> list[Declaration]:
        """Its tools, resources, resource templates, prompts and completions."""
        if self._snapshot is None:
            self._snapshot = _run_aside(self._list)
        tools, resources, templates, prompts = self._snapshot
        declarations: list[Declaration] = [
            *(self._declare("tool", tool, self._call_tool(tool.name)) for tool in tools),
            *(self._declare("resource", item, self._read()) for item in resources),
            *(self._declare("resource_template", item, self._read()) for item in templates),
            *(self._declare("prompt", item, self._get_prompt(item.name)) for item in prompts),
        ]
        if self.requests.entry("completion/complete") is not None:
            declarations.append(CompletionDeclaration(handler=self._complete))
        return declarations

    @hookimpl
    def mcpkit_instructions(self) -> str | None:
        """Its instructions."""
        return self._server.instructions

    @hookimpl
    def mcpkit_extensions(self) -> list[Extension]:
        """Its extensions, as it declares them; pages are the host's to declare."""
        extensions = self._lowlevel.extensions.items()
        return [
            Extension(identifier=identifier, settings=settings)
            for identifier, settings in extensions
            if identifier != APPS
        ]

    @hookimpl
    def mcpkit_lifespan(self, changes: Changes) -> AbstractAsyncContextManager[Any]:
        """Its lifespan, and the subscription to what it publishes."""
        return self._open(changes)

    @hookimpl
    def mcpkit_routes(self) -> list[BaseRoute]:
        """Its custom routes; not its MCP endpoint, which the host serves."""
        return [route for route in self._app.routes if getattr(route, "path", "") != "/mcp"]

    async def relist(self) -> bool:
        """Look up what it has registered by now.

        Returns:
            Whether that is something else than before.
        """
        before, self._snapshot = self._snapshot, await self._list()
        return before != self._snapshot

    @asynccontextmanager
    async def _open(self, changes: Changes) -> AsyncIterator[Any]:
        async with self.relay.open(changes), self._lowlevel.lifespan(self._lowlevel) as state:
            yield state

    async def _list(self) -> Snapshot:
        return Snapshot(
            await self._server.list_tools(),
            await self._server.list_resources(),
            await self._server.list_resource_templates(),
            await self._server.list_prompts(),
        )

    def _declare(self, kind: ComponentKind, definition: Any, run: Any) -> ReadyDeclaration:
        is_template = kind == "resource_template"
        return ReadyDeclaration(
            kind=kind,
            name=definition.name,
            definition=definition,
            run=run,
            match=_matcher(definition.uri_template) if is_template else None,
            cache=self._lowlevel.cache_hints.get(METHODS[kind]),
            strict=False,
        )

    def _call_tool(self, name: str) -> Callable[[Mapping[str, Any], Any], Awaitable[Any]]:
        async def run(arguments: Mapping[str, Any], context: Any) -> Any:
            update = {"name": name, "arguments": dict(arguments)}
            params = _params(context, types.CallToolRequestParams, update)
            return await self.requests.put("tools/call", context.request_context, params)

        return run

    def _read(self) -> Callable[[Mapping[str, Any], Any], Awaitable[Any]]:
        async def run(arguments: Mapping[str, Any], context: Any) -> Any:
            request = context.request_context
            return await self.requests.put("resources/read", request, context.params)

        return run

    def _get_prompt(self, name: str) -> Callable[[Mapping[str, Any], Any], Awaitable[Any]]:
        async def run(arguments: Mapping[str, Any], context: Any) -> Any:
            update = {"name": name, "arguments": dict(arguments)}
            params = _params(context, types.GetPromptRequestParams, update)
            return await self.requests.put("prompts/get", context.request_context, params)

        return run

    async def _complete(self, ref: Any, argument: Any, context: Any, ctx: Any) -> Any:
        params = types.CompleteRequestParams(ref=ref, argument=argument, context=context)
        result = await self.requests.put("completion/complete", ctx.request_context, params)
        return result.completion


def _refuse_authentication(server: MCPServer[Any]) -> None:
    """Refuse a server that lets in only clients that it knows: the host lets in others."""
    if server.settings.auth is not None:
        raise PluginContractError(
            "It is a MCPServer with auth=, which protects nothing here: the host lets clients in",
            hint="Take auth= off it, and set auth in the settings of mcpkit",
        )


def _refuse_connection_handlers(server: Server[Any]) -> None:
    """Refuse a server with handlers of its own for what concerns a whole connection."""
    own = [method for method in HOSTS_METHODS if server.get_request_handler(method)]
    own += [method for method in HOSTS_NOTIFICATIONS if server.get_notification_handler(method)]
    if own:
        raise PluginContractError(
            f"It is a MCPServer with handlers for {', '.join(own)}, which would never be called: "
            "the host answers these for all plugins",
            hint="Take them off it; handlers read ctx.client_capabilities and log with ctx.info",
        )


def _matcher(uri_template: str) -> Callable[[str], dict[str, Any] | None]:
    """Tell URIs that fit the template; the adopted server extracts and checks the values itself."""
    parsed = UriTemplate.parse(uri_template)
    return lambda uri: {"uri": uri} if parsed.match(uri) is not None else None


def _params(context: Any, kind: type[Any], update: dict[str, Any]) -> Any:
    """The client's parameters under the adopted server's own names, answers of rounds included."""
    if isinstance(context.params, kind):
        return context.params.model_copy(update=update)
    return kind(**update)


def _run_aside(function: Callable[[], Awaitable[ResultT]]) -> ResultT:
    """Run an async function to its end from sync code, whether or not a loop runs here."""
    results: list[ResultT] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            results.append(anyio.run(function))
        except BaseException as exc:  # noqa: BLE001  # handed to the caller below
            errors.append(exc)

    thread = Thread(target=work, name="mcpkit-adoption", daemon=True)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
