"""The chain around every request: the one place that touches the SDK's provisional middleware.

`Gate` counts the requests in flight and lets nothing new in when the server stops; the SDK's
boundary seals the state of multi-round calls. `make_writable` sees to it that answers can be sent.
"""

from __future__ import annotations

import importlib.util
import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import anyio
import pydantic_core
from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.shared.exceptions import MCPError

from mcpkit.core.errors import RETRY_AFTER
from mcpkit.core.extensions import TASKS
from mcpkit.core.settings import RequestStateSettings

STOPPING = 503
"""JSON-RPC error code of a request that arrives while the server stops (outside MCP's range)."""

RESTART = 5
"""Seconds after which another server has probably taken the place of one that stops."""

WORK = frozenset(
    {
        "completion/complete",
        "initialize",
        "prompts/get",
        "resources/read",
        "resources/subscribe",
        "subscriptions/listen",
        "tools/call",
    }
)
"""Requests that are refused while the server stops. Lists are not: a client asks for the schema of
a result after it got one."""

LISTEN = "subscriptions/listen"
"""The request that lives as long as its client listens; it is ended, not waited for."""

LONGEST_NAME = 100
"""Most characters that are told of the name or URI in a request."""


class Gate:
    """Counts requests in flight, and lets no new work in once it is closed."""

    def __init__(self) -> None:
        self.last_answer = -math.inf
        """When a request was answered, or a task ended, last; seconds of `time.monotonic`."""
        self._requests: dict[int, ServerRequestContext[Any, Any]] = {}
        self._held = 0
        self._closed = anyio.Event()
        self._idle = anyio.Event()

    @property
    def in_flight(self) -> int:
        """Requests that are being answered now; open subscriptions do not count."""
        return len(self._requests) + self._held

    def names(self) -> list[str]:
        """The requests in flight, by method, name and id."""
        names = [_name(ctx) for ctx in list(self._requests.values())]
        return names if not self._held else [*names, f"{self._held} tasks"]

    def close(self) -> None:
        """Let no new work in."""
        self._closed.set()
        self._settle()

    async def closed(self) -> None:
        """Return when it has been closed."""
        await self._closed.wait()

    async def idle(self) -> None:
        """Return when it has been closed and nothing is in flight any more."""
        await self._idle.wait()

    @property
    def is_closed(self) -> bool:
        """Whether it has been closed."""
        return self._closed.is_set()

    async def __call__(
        self, ctx: ServerRequestContext[Any, Any], call_next: CallNext
    ) -> HandlerResult:
        """Count one request, or refuse it."""
        if ctx.request_id is None:
            return await call_next(ctx)
        if self.is_closed and ctx.method in WORK:
            told = "The server is stopping; try again in a moment"
            raise MCPError(STOPPING, told, {RETRY_AFTER: RESTART})
        if ctx.method == LISTEN:
            return await call_next(ctx)
        self._requests[id(ctx)] = ctx
        try:
            return await call_next(ctx)
        finally:
            del self._requests[id(ctx)]
            self._end()

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Count something that is to be finished before the server stops."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1
            self._end()

    def _end(self) -> None:
        self.last_answer = time.monotonic()
        self._settle()

    def _settle(self) -> None:
        if self._closed.is_set() and not self.in_flight:
            self._idle.set()


def _name(ctx: ServerRequestContext[Any, Any]) -> str:
    params = ctx.params or {}
    what = str(params.get("name") or params.get("uri") or "")[:LONGEST_NAME]
    return f"{ctx.method} {what!r} (request {ctx.request_id!r})"


class Extended:
    """Declares the extensions of the server in `initialize` too (SEP-2133).

    The SDK leaves out of each result what its version of the protocol does not define; extensions
    are negotiated beside the versions. Tasks need requests that only the stateless protocol has.
    """

    def __init__(self, server: Server[Any]) -> None:
        self._server = server

    async def __call__(
        self, ctx: ServerRequestContext[Any, Any], call_next: CallNext
    ) -> HandlerResult:
        """Add the extensions to the capabilities."""
        result = await call_next(ctx)
        if ctx.method != "initialize" or not isinstance(result, dict):
            return result
        extensions = {key: item for key, item in self._server.extensions.items() if key != TASKS}
        if not extensions:
            return result
        told = {**result.get("capabilities", {}), "extensions": extensions}
        return {**result, "capabilities": told}


async def make_writable(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Replace what UTF-8 cannot say in what a plugin answers: it would end the connection."""
    try:
        result: HandlerResult = _writable(await call_next(ctx))
    except MCPError as exc:
        told = exc.error.model_dump()
        if (error := _writable(told)) is told:
            raise
        raise MCPError(**error) from exc
    return result


def _writable(value: Any) -> Any:
    """The value; with a question mark for each half of a surrogate pair, if it has such.

    Names of files hold them where the bytes are no UTF-8 (PEP 383).
    """
    try:
        pydantic_core.to_json(value)
    except pydantic_core.PydanticSerializationError:
        text = json.dumps(value, ensure_ascii=False)
        return json.loads(text.encode(errors="replace"))
    return value


def install(
    server: Server[Any], gate: Gate, lists: ServerMiddleware[Any], settings: RequestStateSettings
) -> None:
    """Put our middleware behind the SDK's own; `lists` keeps lists as they were sent."""
    keys = [key.get_secret_value() for key in settings.keys]
    security = (
        RequestStateSecurity(keys=keys, ttl=settings.ttl)
        if keys
        else RequestStateSecurity.ephemeral(ttl=settings.ttl)
    )
    if importlib.util.find_spec("opentelemetry.sdk") is None:
        server.middleware.clear()  # the SDK's spans, which nobody collects
    server.middleware.append(gate)
    server.middleware.append(Extended(server))
    server.middleware.append(lists)
    server.middleware.append(make_writable)
    server.middleware.append(RequestStateBoundary(security, default_audience=server.name))
