"""Composing: registry, caller and states become one SDK server that answers every request.

Built on the SDK's low-level `Server`: it allows what the high-level one cannot, and the plugins'
handlers run the same way in both protocol eras.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.models import InitializationOptions
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler
from mcp.shared.exceptions import MCPError

import mcpkit
from mcpkit.core.calls import Caller, protocol_error, tool_error, unknown
from mcpkit.core.components import Component, ComponentKind
from mcpkit.core.connections import Connections
from mcpkit.core.context import Context
from mcpkit.core.contributions import Call, CallKind
from mcpkit.core.errors import NotFoundError, ResourceError, ResourceNotFoundError
from mcpkit.core.middleware import Gate, install
from mcpkit.core.registry import Registry
from mcpkit.core.settings import Settings

Request = ServerRequestContext[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    """Everything a server is made of.

    Attributes:
        settings: Name, version and texts that clients see.
        instructions: Of the plugins, in order.
        registry: What clients can use.
        caller: Runs calls.
        states: What lifespans yielded, by plugin.
        plugin_settings: Filled settings models, by plugin.
        bus: Where changes are published.
        gate: Counts requests in flight.
    """

    settings: Settings
    instructions: tuple[str, ...]
    registry: Registry
    caller: Caller
    states: Mapping[str, Any]
    plugin_settings: Mapping[str, Any]
    bus: InMemorySubscriptionBus
    gate: Gate


class ComposedServer(Server[Any]):
    """The SDK's server, which tells clients that its lists may change."""

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


class Answers:
    """Answers the requests of clients.

    Args:
        parts: What the server is made of.
        connections: What connections of the 2025 protocols want.
    """

    def __init__(self, parts: Composition, connections: Connections) -> None:
        self._parts = parts
        self._registry = parts.registry
        self._connections = connections

    async def list_tools(self, ctx: Request, params: Any) -> types.ListToolsResult:
        """Answer `tools/list`."""
        return types.ListToolsResult(tools=_definitions(self._registry.tools))

    async def list_resources(self, ctx: Request, params: Any) -> types.ListResourcesResult:
        """Answer `resources/list`."""
        return types.ListResourcesResult(resources=_definitions(self._registry.resources))

    async def list_templates(self, ctx: Request, params: Any) -> types.ListResourceTemplatesResult:
        """Answer `resources/templates/list`."""
        return types.ListResourceTemplatesResult(
            resource_templates=_definitions(self._registry.templates)
        )

    async def list_prompts(self, ctx: Request, params: Any) -> types.ListPromptsResult:
        """Answer `prompts/list`."""
        return types.ListPromptsResult(prompts=_definitions(self._registry.prompts))

    async def call_tool(self, ctx: Request, params: types.CallToolRequestParams) -> Any:
        """Answer `tools/call`: what a tool raises is a result that the model reads."""
        component = self._find("tool", params.name)
        call = self._call("tool", component, ctx, params, params.arguments or {})
        try:
            return await self._parts.caller.run(component, call)
        except MCPError:
            raise
        except Exception as exc:  # noqa: BLE001  # plugin code: anything may come
            return tool_error(exc, call)

    async def get_prompt(self, ctx: Request, params: types.GetPromptRequestParams) -> Any:
        """Answer `prompts/get`."""
        component = self._find("prompt", params.name)
        call = self._call("prompt", component, ctx, params, params.arguments or {})
        return await self._run(component, call)

    async def read_resource(self, ctx: Request, params: types.ReadResourceRequestParams) -> Any:
        """Answer `resources/read`."""
        uri = str(params.uri)
        try:
            component, values = self._registry.find_resource(uri)
        except (NotFoundError, ResourceNotFoundError) as exc:
            raise unknown(exc, uri) from exc
        call = self._call("resource", component, ctx, params, values)
        return await self._run(component, replace(call, name=uri))

    async def complete(
        self, ctx: Request, params: types.CompleteRequestParams
    ) -> types.CompleteResult:
        """Answer `completion/complete`; a component without completer completes to nothing."""
        if isinstance(params.ref, types.PromptReference):
            component = self._find("prompt", params.ref.name)
            ref = params.ref.model_copy(update={"name": component.name})
            params = params.model_copy(update={"ref": ref})
        else:
            component = self._find_reference(params.ref.uri)
        completer = self._registry.completers.get(component.plugin)
        if completer is None:
            return types.CompleteResult(completion=types.Completion(values=[]))
        call = self._call("completion", component, ctx, params, {})
        try:
            completion = await self._parts.caller.run_with(
                call, None, lambda call: completer.run(params, call.context)
            )
        except MCPError:
            raise
        except Exception as exc:  # plugin code: anything may come
            raise protocol_error(exc, call) from exc
        return types.CompleteResult(completion=completion)

    def input_schema(self, name: str) -> dict[str, Any] | None:
        """The input schema of a tool, for the SDK's check of headers; None when unknown."""
        component = self._registry.tools.get(name)
        return None if component is None else component.definition.input_schema

    async def _run(self, component: Component, call: Call) -> Any:
        try:
            return await self._parts.caller.run(component, call)
        except MCPError:
            raise
        except Exception as exc:  # plugin code: anything may come
            raise protocol_error(exc, call) from exc

    def _find(self, kind: ComponentKind, name: str) -> Component:
        try:
            return self._registry.find(kind, name)
        except NotFoundError as exc:
            raise unknown(exc) from exc

    def _find_reference(self, uri: str) -> Component:
        found = self._registry.templates.get(uri) or self._registry.resources.get(uri)
        return found if found is not None else self._find("resource_template", uri)

    def _call(
        self,
        kind: CallKind,
        component: Component,
        ctx: Request,
        params: Any,
        arguments: Mapping[str, Any],
    ) -> Call:
        plugin = component.plugin
        context = Context.for_request(
            replace(ctx, lifespan_context=self._parts.states.get(plugin)),
            plugin=plugin,
            settings=self._parts.plugin_settings.get(plugin),
            params=params,
            subscriptions=self._parts.bus,
            read_resource=self._reader(ctx),
            log_level=self._connections.wishes(ctx.session).log_level,
        )
        return Call(
            kind=kind, plugin=plugin, name=component.exposed, arguments=arguments, context=context
        )

    def _reader(self, ctx: Request) -> Callable[[str], Any]:
        """Reads any resource on behalf of a handler; what fails is a `ResourceError` there."""

        async def read(uri: str) -> types.ReadResourceResult:
            try:
                result = await self.read_resource(ctx, types.ReadResourceRequestParams(uri=uri))
            except MCPError as exc:
                kind = ResourceNotFoundError if exc.code == types.INVALID_PARAMS else ResourceError
                raise kind(exc.message) from exc
            if isinstance(result, types.InputRequiredResult):
                raise ResourceError(f"Resource {uri!r} asks for input, which only its client gives")
            return result  # type: ignore[no-any-return]

        return read


def compose(parts: Composition) -> tuple[Server[Any], ListenHandler]:
    """Make the server, and the handler of its modern subscriptions."""
    connections = Connections(parts.bus)
    answers = Answers(parts, connections)
    listen = ListenHandler(parts.bus)
    settings, registry = parts.settings, parts.registry
    has_resources = bool(registry.resources or registry.templates)

    @asynccontextmanager
    async def lifespan(server: Server[Any]) -> AsyncIterator[Any]:
        yield {}  # the plugins' lifespans are open already

    server = ComposedServer(
        settings.name,
        version=settings.version or mcpkit.__version__,
        title=settings.title,
        instructions=_joined(settings.instructions, *parts.instructions),
        website_url=settings.website_url,
        lifespan=lifespan,
        get_tool_input_schema=answers.input_schema,
        on_list_tools=answers.list_tools,
        on_call_tool=answers.call_tool,
        on_list_resources=answers.list_resources if has_resources else None,
        on_list_resource_templates=answers.list_templates if has_resources else None,
        on_read_resource=answers.read_resource if has_resources else None,
        on_list_prompts=answers.list_prompts if registry.prompts else None,
        on_get_prompt=answers.get_prompt if registry.prompts else None,
        on_completion=answers.complete if registry.completers else None,
        on_subscriptions_listen=listen,
    )
    server.add_request_handler(
        "logging/setLevel", types.SetLevelRequestParams, connections.set_level
    )
    if has_resources:
        server.add_request_handler(
            "resources/subscribe", types.SubscribeRequestParams, connections.subscribe
        )
        server.add_request_handler(
            "resources/unsubscribe", types.UnsubscribeRequestParams, connections.unsubscribe
        )
    server.add_notification_handler(
        "notifications/initialized", types.NotificationParams, connections.forward
    )
    install(server, parts.gate)
    return server, listen


def _definitions(components: Mapping[str, Component]) -> list[Any]:
    return [component.definition for component in components.values()]


def _joined(*texts: str | None) -> str | None:
    return "\n\n".join(text.strip() for text in texts if text and text.strip()) or None
