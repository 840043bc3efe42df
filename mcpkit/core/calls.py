"""Calls: one run of a handler, through the plugins' middleware, under a timeout.

Two readers of errors. The client and its model learn what they can act on; the operator reads the
rest in the log, with plugin and request id, and without argument values.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import anyio
import mcp_types as types
from mcp.server.mcpserver.exceptions import (
    ResourceError as SDKResourceError,
)
from mcp.server.mcpserver.exceptions import (
    ResourceNotFoundError as SDKResourceNotFoundError,
)
from mcp.server.mcpserver.exceptions import (
    ToolError as SDKToolError,
)
from mcp.server.mcpserver.exceptions import (
    UnexpectedResourceError,
    UnexpectedToolError,
)
from mcp.shared.exceptions import MCPError

from mcpkit.core.containment import contain
from mcpkit.core.contributions import Call, Middleware
from mcpkit.core.deferred import deferred
from mcpkit.core.errors import (
    RETRY_AFTER,
    ArgumentsError,
    CallTimeoutError,
    HandlerError,
    MiddlewareCrashError,
    NotFoundError,
    PromptError,
    RefusedError,
    ResourceNotFoundError,
    reason_of,
    text_of,
)
from mcpkit.core.logs import about, keep_logging
from mcpkit.core.suggestions import quoted

check_input_required = deferred("mcpkit.core.input_requests:check_input_required")

logger = logging.getLogger(__name__)

LONGEST_URI = 2048
"""Characters of the longest URI that the data of an error repeats."""

Run = Callable[[Call], Any]
"""Runs the handler itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Runs calls.

    Attributes:
        middleware: Around every call, the first outermost, each after the name of its plugin.
        timeout: Seconds a call may take, by plugin name and the component's own wish.
    """

    middleware: Sequence[tuple[str, Middleware]]
    timeout: Callable[[str, float | None], float]

    async def run(self, call: Call, wish: float | None, run: Run) -> Any:
        """Run a call and return its wire result.

        Args:
            call: What is run.
            wish: Seconds that its component asks for; None for what the operator allows.
            run: Runs the handler itself.

        Raises:
            Exception: What the handler raised, or a middleware on purpose; `HandlerExitedError` for
                what would end the server.
            MiddlewareCrashError: A middleware is broken.
            CallTimeoutError: It took too long.
            MCPError: It asks the client for what the client did not declare.
        """
        seconds = self.timeout(call.plugin, wish)
        with anyio.move_on_after(seconds) as scope:
            result = await contain(self._step, run, 0, call)
            if isinstance(result, types.InputRequiredResult | dict):
                check_input_required(result, call.context.request_context.session)
            return result
        if scope.cancelled_caught:
            raise CallTimeoutError(
                f"{call.kind.capitalize()} {quoted(call.name)} did not finish within {seconds:g} s"
            )
        raise AssertionError("unreachable")  # pragma: no cover

    async def _step(self, run: Run, index: int, call: Call) -> Any:
        if index == len(self.middleware):
            return await contain(run, call, is_inner=True)
        plugin, middleware = self.middleware[index]
        inner: list[Exception] = []

        async def call_next(call: Call) -> Any:
            try:
                return await self._step(run, index + 1, call)
            except Exception as exc:
                inner.append(exc)
                raise

        try:
            return await contain(middleware, call, call_next, is_inner=True)
        except Exception as exc:  # plugin code: anything may come
            if isinstance(exc, MCPError) or is_deliberate(exc) or any(exc is it for it in inner):
                raise
            raise MiddlewareCrashError(plugin) from exc


def is_deliberate(error: BaseException) -> bool:
    """Whether an error says what its reader can act on; else it is a crash."""
    if isinstance(error, UnexpectedToolError | UnexpectedResourceError):
        return False
    return isinstance(error, HandlerError | NotFoundError | SDKToolError | SDKResourceError)


def tool_error(error: Exception, call: Call) -> types.CallToolResult:
    """The result by which the model learns that a tool failed (SEP-1303)."""
    if isinstance(error, ArgumentsError):
        text = f"Invalid arguments for tool {call.name!r}: {error}"
    else:
        text = _public_text(error, call)
    _record(error, call)
    return types.CallToolResult(content=[types.TextContent(text=text)], is_error=True)


def protocol_error(error: Exception, call: Call) -> MCPError:
    """The JSON-RPC error by which a client learns that a read, prompt or completion failed.

    -32602 for what the client asked wrongly, -32603 for what failed here.
    """
    if isinstance(error, RefusedError):
        return refusal(error, call)
    _record(error, call)
    data = uri_data(call.name) if call.kind == "resource" else None
    if isinstance(error, ArgumentsError):
        message = f"Invalid arguments for {call.kind} {quoted(call.name)}: {error}"
        return MCPError(types.INVALID_PARAMS, message, data)
    wrong = (PromptError, ResourceNotFoundError, SDKResourceNotFoundError, NotFoundError)
    code = types.INVALID_PARAMS if isinstance(error, wrong) else types.INTERNAL_ERROR
    return MCPError(code, _public_text(error, call), data)


def refusal(error: RefusedError, call: Call) -> MCPError:
    """The JSON-RPC error by which a client learns that it may try again, and when."""
    _record(error, call)
    data = None if error.retry_after is None else {RETRY_AFTER: error.retry_after}
    return MCPError(error.code, str(error), data)


def unknown(error: NotFoundError | ResourceNotFoundError, uri: str | None = None) -> MCPError:
    """The JSON-RPC error for a name that does not exist (specification; SEP-2164)."""
    return MCPError(types.INVALID_PARAMS, str(error), uri_data(uri) if uri else None)


def uri_data(uri: str) -> dict[str, str] | None:
    """The data of an error about a resource (SEP-2164); a client knows a long URI itself."""
    return {"uri": uri} if len(uri) <= LONGEST_URI else None


def _public_text(error: Exception, call: Call) -> str:
    text = text_of(error) if is_deliberate(error) else None
    if text is not None:
        return text
    return f"Internal error in {call.kind} {quoted(call.name)}"


def _record(error: Exception, call: Call) -> None:
    """Tell the operator: a deliberate error in one line, a crash with its traceback.

    The text of a deliberate error may quote arguments, and is for DEBUG only.
    """
    keep_logging()
    request = call.context.request_context.request_id
    plugin, crashed = call.plugin, "Plugin %r: %s %s crashed (request %r)"
    if isinstance(error, MiddlewareCrashError):
        plugin = error.plugin
        crashed = "Plugin %r: its middleware crashed around %s %s (request %r)"
    what = (plugin, call.kind, quoted(call.name), request)
    extra = about(plugin=plugin, kind=call.kind, name=call.name, request_id=request)
    if not is_deliberate(error):
        logger.error(crashed, *what, exc_info=error, extra=extra)
        return
    kind = type(error).__name__
    logger.info("Plugin %r: %s %s failed (request %r): %s", *what, kind, extra=extra)
    logger.debug("Plugin %r: %s %s told (request %r): %s", *what, reason_of(error), extra=extra)
