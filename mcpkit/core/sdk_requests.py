"""Requests to an adopted SDK server, through the middleware that its author gave it.

In comes a request with the names that the server itself uses; out goes the typed result, as its own
handler would give it. What the host does for all plugins is left out of the chain: spans, and the
seal of request state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import mcp_types as types
from mcp.server.caching import CacheHint, apply_cache_hint
from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.lowlevel.server import HandlerEntry
from mcp.server.mcpserver import MCPServer
from mcp.server.request_state import RequestStateBoundary
from mcp.shared.exceptions import MCPError
from mcp_types.methods import SPEC_CLIENT_METHODS, serialize_server_result
from pydantic import BaseModel

from mcpkit.core.content import fitted
from mcpkit.core.wire import FIELDS

Request = ServerRequestContext[Any, Any]

HOSTS_OWN: tuple[type, ...] = (RequestStateBoundary, *map(type, Server[Any]("any").middleware))
"""Middleware that the SDK gives each server; the host runs its own around all plugins."""

RESULTS: Mapping[str, type[BaseModel]] = {
    "tools/call": types.CallToolResult,
    "resources/read": types.ReadResourceResult,
    "prompts/get": types.GetPromptResult,
    "completion/complete": types.CompleteResult,
}


class SDKRequests:
    """Puts requests to an adopted server.

    Args:
        server: The server; its middleware is looked up anew for each request.
        lowlevel: The low-level server under it, with its handlers.
    """

    def __init__(self, server: MCPServer[Any], lowlevel: Server[Any]) -> None:
        self._server = server
        self._lowlevel = lowlevel

    @property
    def middleware(self) -> list[ServerMiddleware[Any]]:
        """What its author put around its requests, the outermost first."""
        return [item for item in self._server.middleware if not isinstance(item, HOSTS_OWN)]

    def entry(self, method: str) -> HandlerEntry[Any] | None:
        """Its handler of a method, with the model of the parameters."""
        return self._lowlevel.get_request_handler(method)

    async def put(self, method: str, ctx: Request, params: BaseModel) -> Any:
        """Put a request to it, and return the typed result.

        Args:
            method: Of the specification.
            ctx: Of the client's request, with the state of the server's own lifespan.
            params: With the server's own names.

        Raises:
            Exception: What its handler or its middleware raised.
        """
        middleware = self.middleware
        if middleware:
            sent = params.model_dump(by_alias=True, mode="json", exclude_none=True)
            through = replace(ctx, method=method, params=sent)
            return _typed(method, await _chain(middleware, self._sent)(through))
        entry = self.entry(method)
        if entry is None:
            raise _not_found(method)
        return self._with_hint(method, await entry.handler(ctx, params))

    async def put_extra(self, ctx: Request, params: Any) -> HandlerResult:
        """Put a request to a method that one of its extensions adds."""
        return await _chain(self.middleware, self._sent)(ctx)

    async def listed(self, method: str, ctx: Request) -> list[dict[str, Any]]:
        """What its middleware lets this client see of one of its lists, as it is sent."""
        through = replace(ctx, method=method, params={})
        result = await _chain(self.middleware, self._sent)(through)
        dumped = _dumped(result)
        return [dict(item) for item in dumped.get(FIELDS[method], ())]

    async def _sent(self, ctx: Request) -> HandlerResult:
        """Run the handler, and return the result as it is sent to this client."""
        entry = self.entry(ctx.method)
        if entry is None:
            raise _not_found(ctx.method)
        params = entry.params_type.model_validate(ctx.params or {}, by_name=False)
        result = self._with_hint(ctx.method, await entry.handler(ctx, params))
        result = fitted(result, ctx.protocol_version)
        dumped = _dumped(result)
        known = dumped.get("resultType", "complete") in types.CORE_RESULT_TYPES
        if ctx.method in SPEC_CLIENT_METHODS and known:
            return serialize_server_result(ctx.method, ctx.protocol_version, dumped)
        return dumped

    def _with_hint(self, method: str, result: Any) -> Any:
        """The result with how long clients may keep it: its own word, or the SDK's defaults."""
        if isinstance(result, types.ErrorData):
            raise MCPError.from_error_data(result)
        if not isinstance(result, types.CacheableResult):
            return result
        return apply_cache_hint(result, self._lowlevel.cache_hints.get(method, CacheHint()))


def _chain(middleware: list[ServerMiddleware[Any]], inner: CallNext) -> CallNext:
    for item in reversed(middleware):
        inner = partial(_step, item, inner)
    return inner


async def _step(item: ServerMiddleware[Any], call_next: CallNext, ctx: Request) -> HandlerResult:
    return await item(ctx, call_next)


def _dumped(result: Any) -> dict[str, Any]:
    if isinstance(result, types.ErrorData):
        raise MCPError.from_error_data(result)
    if isinstance(result, BaseModel):
        return result.model_dump(by_alias=True, mode="json", exclude_none=True)
    return dict(result or {})


def _typed(method: str, result: Any) -> Any:
    """The model of a result that was in the form in which it is sent."""
    dumped = _dumped(result)
    kind = dumped.get("resultType", "complete")
    if kind == "input_required":
        return types.InputRequiredResult.model_validate(dumped, by_name=False)
    if kind not in types.CORE_RESULT_TYPES:
        return dumped  # an extension's own
    return RESULTS[method].model_validate(dumped, by_name=False)


def _not_found(method: str) -> MCPError:
    return MCPError(types.METHOD_NOT_FOUND, "Method not found", method)
