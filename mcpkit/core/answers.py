"""Answers: what the server says to each request but lists, the same in both protocol eras."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial
from typing import Any

import mcp_types as types
from mcp.server.caching import apply_cache_hint
from mcp.server.context import ServerRequestContext
from mcp.server.session import ServerSession
from mcp.shared.exceptions import MCPError

from mcpkit.core.calls import Run, protocol_error, refusal, tool_error, unknown
from mcpkit.core.components import Component, ComponentKind
from mcpkit.core.composition import Composition
from mcpkit.core.connections import Connections
from mcpkit.core.content import fitted
from mcpkit.core.contributions import Call, CallKind, Method
from mcpkit.core.deferred import deferred
from mcpkit.core.errors import (
    NotFoundError,
    RefusedError,
    ResourceNotFoundError,
)
from mcpkit.core.naming import exposed_name

becomes_task = deferred("mcpkit.core.extensions.tasks:becomes_task")
created = deferred("mcpkit.core.extensions.tasks:created")

context_for = deferred("mcpkit.core.context:context_for")
new_nested = deferred("mcpkit.core.nested:Nested")

Request = ServerRequestContext[Any, Any]


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

    async def call_tool(self, ctx: Request, params: types.CallToolRequestParams) -> Any:
        """Answer `tools/call`, or tell which task the call has become."""
        component = await self._active("tool", params.name)
        tasks = self._parts.tasks
        if tasks is None or not becomes_task(component, ctx):
            return await self._call_tool(component, component.timeout, ctx, params)
        seconds = component.timeout or tasks.settings.timeout

        async def run(session: ServerSession, given: Mapping[str, Any]) -> Any:
            own = replace(ctx, session=session)
            return await self._call_tool(component, seconds, own, _answered(params, given))

        owner = tasks.owners.of(ctx)
        client = tasks.owners.client_of(ctx)
        outcome = await tasks.call(component.exposed, owner, client, ctx.session, run)
        return created(outcome, tasks)

    async def _call_tool(
        self,
        component: Component,
        seconds: float | None,
        ctx: Request,
        params: types.CallToolRequestParams,
    ) -> Any:
        """Run a tool: what it raises is a result that the model reads."""
        call = self._call("tool", component, ctx, params, params.arguments or {})
        try:
            result = await self._parts.caller.run(call, seconds, component.answer)
            return fitted(result, ctx.protocol_version)
        except MCPError:
            raise
        except RefusedError as exc:
            raise refusal(exc, call) from exc
        except Exception as exc:  # noqa: BLE001  # plugin code: anything may come
            return tool_error(exc, call)

    async def _call_nested(self, ctx: Request, params: types.CallToolRequestParams) -> Any:
        """Run a tool for a handler, as a part of its own call."""
        component = await self._active("tool", params.name)
        return await self._call_tool(component, component.timeout, ctx, params)

    async def get_prompt(self, ctx: Request, params: types.GetPromptRequestParams) -> Any:
        """Answer `prompts/get`."""
        component = await self._active("prompt", params.name)
        call = self._call("prompt", component, ctx, params, params.arguments or {})
        return fitted(await self._run(call, component.answer), ctx.protocol_version)

    async def read_resource(self, ctx: Request, params: types.ReadResourceRequestParams) -> Any:
        """Answer `resources/read`."""
        uri = str(params.uri)
        try:
            component, values = await self._find_resource(uri)
            while component.is_asleep:
                await self._activate(component)
                component, values = self._registry.find_resource(uri)
        except (NotFoundError, ResourceNotFoundError) as exc:
            raise unknown(exc, uri) from exc
        call = replace(self._call("resource", component, ctx, params, values), name=uri)
        result = await self._run(call, component.answer)
        if component.cache is None or isinstance(result, types.InputRequiredResult):
            return result
        return apply_cache_hint(result, component.cache)

    async def check_resource(self, uri: str) -> None:
        """Check that a component serves a URI.

        Raises:
            MCPError: None does.
        """
        try:
            await self._find_resource(uri)
        except (NotFoundError, ResourceNotFoundError) as exc:
            raise unknown(exc, uri) from exc

    async def complete(
        self, ctx: Request, params: types.CompleteRequestParams
    ) -> types.CompleteResult:
        """Answer `completion/complete`; a component without completer completes to nothing."""
        if isinstance(params.ref, types.PromptReference):
            component = await self._active("prompt", params.ref.name)
            ref = params.ref.model_copy(update={"name": component.name})
            params = params.model_copy(update={"ref": ref})
        else:
            component = await self._find_reference(params.ref.uri)
            await self._activate(component)
        completer = self._registry.completers.get(component.plugin)
        if completer is None:
            return types.CompleteResult(completion=types.Completion(values=[]))
        call = self._call("completion", component, ctx, params, {})
        completion = await self._run(call, lambda call: completer.run(params, call.context))
        return types.CompleteResult(completion=completion)

    def input_schema(self, name: str) -> dict[str, Any] | None:
        """The input schema of a tool, for the SDK's check of headers; None if none is needed."""
        component = self._registry.tools.get(name)
        return None if component is None else component.header_schema

    def method(self, plugin: str, method: Method) -> Callable[[Request, Any], Any]:
        """The handler of a method that an extension adds."""

        async def answer(ctx: Request, params: Any) -> Any:
            await self._parts.activation.activate(plugin, self._parts.caller.timeout(plugin, None))
            arguments = params.model_dump(exclude={"meta"})
            context = cache(partial(self._context, plugin, ctx, params))
            call = Call(
                kind="method",
                plugin=plugin,
                name=method.name,
                arguments=arguments,
                open_context=context,
            )
            return await self._run(call, lambda call: method.handler(call.context, params))

        return answer

    async def _run(self, call: Call, run: Run) -> Any:
        try:
            return await self._parts.caller.run(call, None, run)
        except MCPError:
            raise
        except Exception as exc:  # plugin code: anything may come
            raise protocol_error(exc, call) from exc

    async def _active(self, kind: ComponentKind, name: str) -> Component:
        """Look up what a client names; its plugin is active then."""
        component = self._registry.get(kind, name)
        if component is None:
            await self._activate_owners(name)
            component = self._find(kind, name)
        if component.is_asleep:
            await self._activate(component)
            component = self._find(kind, name)
        return component

    async def _activate(self, component: Component) -> None:
        """Wait until the plugin of a component is active, as long as a call of it may take."""
        if component.is_asleep:
            seconds = self._parts.caller.timeout(component.plugin, component.timeout)
            await self._parts.activation.activate(component.plugin, seconds)

    async def _activate_owners(self, name: str) -> bool:
        """Activate the plugins that an unknown name may belong to, and look what is new.

        Returns:
            Whether the name may be known now.
        """
        seconds = self._parts.settings.calls.timeout
        activated = await self._parts.activation.activate_owners(name, seconds)
        adopted = self._parts.adopted
        return (adopted is not None and await adopted.refresh()) or activated

    def _find(self, kind: ComponentKind, name: str) -> Component:
        try:
            return self._registry.find(kind, name)
        except NotFoundError as exc:
            raise unknown(exc) from exc

    async def _find_resource(self, uri: str) -> tuple[Component, Mapping[str, object]]:
        try:
            return self._registry.find_resource(uri)
        except NotFoundError:
            if not await self._activate_owners(uri):
                raise
        return self._registry.find_resource(uri)

    async def _find_reference(self, uri: str) -> Component:
        found = self._referenced(uri)
        if found is None:
            await self._activate_owners(uri)
            found = self._referenced(uri)
        return found if found is not None else self._find("resource_template", uri)

    def _referenced(self, uri: str) -> Component | None:
        return self._registry.get("resource_template", uri) or self._registry.get("resource", uri)

    def _call(
        self,
        kind: CallKind,
        component: Component,
        ctx: Request,
        params: Any,
        arguments: Mapping[str, Any],
    ) -> Call:
        return Call(
            kind=kind,
            plugin=component.plugin,
            name=component.exposed,
            arguments=arguments,
            open_context=cache(partial(self._context, component.plugin, ctx, params)),
        )

    def _context(self, plugin: str, ctx: Request, params: Any) -> Any:
        return context_for(
            replace(ctx, lifespan_context=self._parts.states.get(plugin)),
            plugin=plugin,
            settings=self._parts.plugin_settings.get(plugin),
            params=params,
            subscriptions=self._parts.bus,
            nested=new_nested(partial(self._call_nested, ctx), partial(self.read_resource, ctx)),
            log_level=self._connections.wishes(ctx.session).log_level,
            exposed_name=self._exposed_name,
        )

    def _exposed_name(self, plugin: str, name: str) -> str:
        prefix = self._parts.settings.plugin(plugin).prefix
        exposed = exposed_name(name, plugin=plugin, prefix=prefix)
        for components in (self._registry.tools, self._registry.prompts):
            if exposed in components and components[exposed].plugin == plugin:
                return exposed
        raise ValueError(f"Plugin {plugin!r} has no tool or prompt {name!r}")


def _answered(
    params: types.CallToolRequestParams, given: Mapping[str, Any]
) -> types.CallToolRequestParams:
    """Parameters of the next round of a call, as its client would send them."""
    if not given:
        return params
    before = params.model_dump(by_alias=True, mode="json", exclude_none=True)
    return types.CallToolRequestParams.model_validate({**before, **given}, by_name=False)
