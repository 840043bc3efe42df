"""Adoption: an existing SDK `MCPServer` object becomes a plugin, unchanged.

Its tools, resources, prompts, completions, lifespan, instructions and custom routes are taken over
through its public API; every call runs in its own handlers, with its own error texts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from threading import Thread
from typing import Any, TypeVar

import anyio
import mcp_types as types
from mcp.server.lowlevel import Server
from mcp.server.mcpserver import MCPServer
from mcp.shared.uri_template import UriTemplate
from starlette.routing import BaseRoute

from mcpkit.core.declarations import CompletionDeclaration, Declaration, ReadyDeclaration
from mcpkit.core.hookspecs import hookimpl

ResultT = TypeVar("ResultT")


class AdoptedServer:
    """A plugin that contributes what a `MCPServer` has registered.

    Args:
        server: The server; what it registers later is not seen.
    """

    def __init__(self, server: MCPServer[Any]) -> None:
        self._server = server
        self._app = server.streamable_http_app()
        self._lowlevel: Server[Any] = server.session_manager.app

    @hookimpl
    def mcpkit_components(self) -> list[Declaration]:
        """Its tools, resources, resource templates, prompts and completions."""
        tools, resources, templates, prompts = _run_aside(self._list)
        declarations: list[Declaration] = [
            *(_declare("tool", tool.name, tool, self._call_tool(tool.name)) for tool in tools),
            *(_declare("resource", item.name, item, self._read()) for item in resources),
            *(_declare("resource_template", item.name, item, self._read()) for item in templates),
            *(_declare("prompt", item.name, item, self._get_prompt(item.name)) for item in prompts),
        ]
        if self._lowlevel.get_request_handler("completion/complete") is not None:
            declarations.append(CompletionDeclaration(handler=self._complete))
        return declarations

    @hookimpl
    def mcpkit_instructions(self) -> str | None:
        """Its instructions."""
        return self._server.instructions

    @hookimpl
    def mcpkit_lifespan(self) -> AbstractAsyncContextManager[Any]:
        """Its lifespan."""
        return self._lowlevel.lifespan(self._lowlevel)

    @hookimpl
    def mcpkit_routes(self) -> list[BaseRoute]:
        """Its custom routes; not its MCP endpoint, which the host serves."""
        return [route for route in self._app.routes if getattr(route, "path", "") != "/mcp"]

    async def _list(self) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
        return (
            await self._server.list_tools(),
            await self._server.list_resources(),
            await self._server.list_resource_templates(),
            await self._server.list_prompts(),
        )

    def _call_tool(self, name: str) -> Callable[[Mapping[str, Any], Any], Awaitable[Any]]:
        async def run(arguments: Mapping[str, Any], context: Any) -> Any:
            update = {"name": name, "arguments": dict(arguments)}
            params = _params(context, types.CallToolRequestParams, update)
            return await self._handle("tools/call", context, params)

        return run

    def _read(self) -> Callable[[Mapping[str, Any], Any], Awaitable[Any]]:
        async def run(arguments: Mapping[str, Any], context: Any) -> Any:
            return await self._handle("resources/read", context, context.params)

        return run

    def _get_prompt(self, name: str) -> Callable[[Mapping[str, Any], Any], Awaitable[Any]]:
        async def run(arguments: Mapping[str, Any], context: Any) -> Any:
            update = {"name": name, "arguments": dict(arguments)}
            params = _params(context, types.GetPromptRequestParams, update)
            return await self._handle("prompts/get", context, params)

        return run

    async def _complete(self, ref: Any, argument: Any, context: Any, ctx: Any) -> Any:
        params = types.CompleteRequestParams(ref=ref, argument=argument, context=context)
        result = await self._handle("completion/complete", ctx, params)
        return result.completion

    async def _handle(self, method: str, context: Any, params: Any) -> Any:
        entry = self._lowlevel.get_request_handler(method)
        if entry is None:
            raise LookupError(f"The adopted server has no handler for {method}")
        return await entry.handler(context.request_context, params)


def _declare(kind: Any, name: str, definition: Any, run: Any) -> ReadyDeclaration:
    match = None
    if kind == "resource_template":
        match = _matcher(definition.uri_template)
    return ReadyDeclaration(kind=kind, name=name, definition=definition, run=run, match=match)


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
