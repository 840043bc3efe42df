"""Nested calls: tools and resources of this server that a handler uses on behalf of its client.

They take the same way as those of the client: names, checks, middleware, limits.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import mcp_types as types
from mcp.shared.exceptions import MCPError

from mcpkit.core.errors import HandlerError, ResourceError, ResourceNotFoundError, ToolError
from mcpkit.core.handlers import body_begins
from mcpkit.core.suggestions import quoted

DEEPEST = 8
"""Most calls and reads within each other; a tool that calls itself comes to an end."""

WRONG = frozenset({types.INVALID_PARAMS, types.INTERNAL_ERROR})
"""JSON-RPC errors that become errors of the handler; others, such as 429, reach its client."""

_depth: ContextVar[int] = ContextVar("depth", default=0)


@dataclass(frozen=True, slots=True)
class Nested:
    """Calls and reads on behalf of one handler.

    Attributes:
        call_tool: Answers `tools/call`, without making a task of it.
        read_resource: Answers `resources/read`.
    """

    call_tool: Callable[[types.CallToolRequestParams], Awaitable[Any]]
    read_resource: Callable[[types.ReadResourceRequestParams], Awaitable[Any]]

    async def call(self, name: str, arguments: Mapping[str, Any]) -> types.CallToolResult:
        """Call a tool by the name that clients use.

        Raises:
            ToolError: There is no such tool, it failed, or it asks for input.
            MCPError: The call was refused for a while.
        """
        params = types.CallToolRequestParams(name=name, arguments=dict(arguments))
        with _deeper(ToolError):
            try:
                result = await self.call_tool(params)
            except MCPError as exc:
                if exc.code not in WRONG:
                    raise
                raise ToolError(exc.message) from exc
        if isinstance(result, types.InputRequiredResult):
            raise ToolError(f"Tool {quoted(name)} asks for input, which only its client gives")
        if not isinstance(result, types.CallToolResult):  # what middleware made of it
            result = types.CallToolResult.model_validate(result)
        if result.is_error:
            texts = [item.text for item in result.content if isinstance(item, types.TextContent)]
            raise ToolError("\n".join(texts) or f"Tool {quoted(name)} failed")
        return result

    async def read(self, uri: str) -> types.ReadResourceResult:
        """Read a resource by its URI.

        Raises:
            ResourceError: There is no such resource, reading it failed, or it asks for input.
        """
        with _deeper(ResourceError):
            try:
                result = await self.read_resource(types.ReadResourceRequestParams(uri=uri))
            except MCPError as exc:
                kind = ResourceNotFoundError if exc.code == types.INVALID_PARAMS else ResourceError
                raise kind(exc.message) from exc
        if isinstance(result, types.InputRequiredResult):
            raise ResourceError(
                f"Resource {quoted(uri)} asks for input, which only its client gives"
            )
        return result  # type: ignore[no-any-return]


@contextmanager
def _deeper(error: type[HandlerError]) -> Iterator[None]:
    """Count how deep calls and reads are within each other; tasks and threads inherit that."""
    depth = _depth.get()
    if depth >= DEEPEST:
        raise error(f"Tools and resources use each other more than {DEEPEST} deep")
    token = _depth.set(depth + 1)
    begins = body_begins.set(None)  # only the client's own call begins a task
    try:
        yield
    finally:
        body_begins.reset(begins)
        _depth.reset(token)
