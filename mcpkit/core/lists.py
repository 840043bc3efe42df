"""Lists: what clients see of the registry, a page at a time, with how long they may keep it.

A cursor names the last item of the page before it, so that it outlives restarts and is valid on
every worker; to clients it is opaque (specification, server/utilities/pagination). Cache hints are
those of SEP-2549.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import mcp_types as types
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from mcpkit.core.adopted import Adopted
from mcpkit.core.components import Component
from mcpkit.core.encoding import ENCODED_RESULT, encode
from mcpkit.core.registry import Registry
from mcpkit.core.settings import ListSettings
from mcpkit.core.wire import FIELDS

ItemT = TypeVar("ItemT")

MAX_PAGES = 10_000
"""Most pages that are kept."""

Request = ServerRequestContext[Any, Any]

_unchanged: ContextVar[list[Any]] = ContextVar("unchanged")
"""Where a list leaves what is sent as it is, for `KeptLists` to put back into the result."""

Answer = Callable[[Request, Any], Awaitable[dict[str, Any]]]
"""Answers one list request, by its params, with what is sent."""


@dataclass(frozen=True, slots=True)
class Lists:
    """Answers the list requests."""

    registry: Registry
    settings: ListSettings
    adopted: Adopted | None = None

    def handlers(self) -> dict[str, Answer]:
        """What answers which request; nothing does where there is nothing to list but tools.

        An adopted server may register more of any kind while it serves.
        """
        registry, grows = self.registry, self.adopted is not None
        handlers: dict[str, Answer] = {"tools/list": self.tools}
        if registry.resources or registry.templates or grows:
            handlers |= {
                "resources/list": self.resources,
                "resources/templates/list": self.templates,
            }
        if registry.prompts or grows:
            handlers["prompts/list"] = self.prompts
        return handlers

    async def tools(self, ctx: Request, params: Any) -> dict[str, Any]:
        """Answer `tools/list`."""
        return await self._page("tools", self.registry.tools, ctx, params)

    async def resources(self, ctx: Request, params: Any) -> dict[str, Any]:
        """Answer `resources/list`."""
        return await self._page("resources", self.registry.resources, ctx, params)

    async def templates(self, ctx: Request, params: Any) -> dict[str, Any]:
        """Answer `resources/templates/list`."""
        return await self._page("templates", self.registry.templates, ctx, params)

    async def prompts(self, ctx: Request, params: Any) -> dict[str, Any]:
        """Answer `prompts/list`."""
        return await self._page("prompts", self.registry.prompts, ctx, params)

    async def _page(
        self, kind: str, components: Mapping[str, Component], ctx: Request, params: Any
    ) -> dict[str, Any]:
        if self.adopted is not None:
            components = await self.adopted.shown(ctx, components)
        listed = {name: item for name, item in components.items() if item.listed}
        shown, cursor = paginate(kind, listed, params, self.settings.page_size)
        items = [component.definition for component in shown]
        aside = _unchanged.get(None)
        if aside is not None and all(
            ctx.protocol_version in component.unchanged_in for component in shown
        ):
            aside.extend(items)
            items = []
        page = {FIELDS[ctx.method]: items, "resultType": "complete"}
        page |= hints(listed.values(), self.settings.ttl)
        return page if cursor is None else {**page, "nextCursor": cursor}


class KeptLists:
    """Middleware that keeps each page of each list as it was sent, until the registry changes.

    A list is the same for every client of one protocol version: making it anew for each would
    check and copy thousands of definitions. What is known to be sent as it is goes past the SDK,
    which makes the rest of the result.
    """

    def __init__(self, registry: Registry, adopted: Adopted | None = None) -> None:
        self._registry = registry
        self._adopted = adopted
        self._edition = -1
        self._pages: dict[tuple[str, str, str | None], _Page] = {}
        self._cursors: set[tuple[str, str | None]] = set()
        """Cursors of the pages that are kept: clients can make up any number of others."""

    async def __call__(self, ctx: Request, call_next: CallNext) -> HandlerResult:
        """Answer a list request from what was kept, or keep the answer."""
        if ctx.method not in FIELDS:
            return await call_next(ctx)
        cursor = (ctx.params or {}).get("cursor")
        if not (cursor is None or isinstance(cursor, str)) or not _is_open(ctx):
            return await self._make(ctx, call_next)
        if self._adopted is not None:
            await self._adopted.refresh()
            if self._adopted.have_middleware:  # which may show each client another list
                return await self._make(ctx, call_next)
        if self._edition != self._registry.edition:
            self._edition = self._registry.edition
            self._pages.clear()
            self._cursors.clear()
        key = (ctx.method, ctx.protocol_version, cursor)
        page = self._pages.get(key)
        if page is None:
            result = await self._make(ctx, call_next)
            is_known = cursor is None or (ctx.method, cursor) in self._cursors
            if not isinstance(result, dict) or not is_known or len(self._pages) >= MAX_PAGES:
                return result
            page = self._pages[key] = _Page(result)
            self._cursors.add((ctx.method, result.get("nextCursor")))
        if ctx.request is not None and ctx.protocol_version in MODERN_PROTOCOL_VERSIONS:
            ctx.request.scope[ENCODED_RESULT] = page.encoded
        return page.result

    async def _make(self, ctx: Request, call_next: CallNext) -> HandlerResult:
        unchanged: list[Any] = []
        token = _unchanged.set(unchanged)
        try:
            result = await call_next(ctx)
        finally:
            _unchanged.reset(token)
        if unchanged and isinstance(result, dict):
            result[FIELDS[ctx.method]] = unchanged
        return result


@dataclass(frozen=True)
class _Page:
    """One page of one list, as it was sent."""

    result: dict[str, Any]

    @cached_property
    def encoded(self) -> bytes:
        return encode(self.result)


def _is_open(ctx: Request) -> bool:
    """Whether the client may ask: in the 2025 protocols only after it has shaken hands."""
    modern = ctx.protocol_version in MODERN_PROTOCOL_VERSIONS
    return modern or ctx.session.client_params is not None


def hints(components: Iterable[Component], ttl: float) -> dict[str, Any]:
    """Tell how long a list may be kept, by its client alone: another one may see another list.

    Args:
        components: What the whole list is made of.
        ttl: Seconds that the operator allows; a component may ask for less.
    """
    wishes = [component.cache for component in components if component.cache is not None]
    milliseconds = min([round(ttl * 1000), *(wish.ttl_ms for wish in wishes)])
    return {"ttlMs": milliseconds, "cacheScope": "private"}


def paginate(
    kind: str, items: Mapping[str, ItemT], params: Any, page_size: int | None
) -> tuple[list[ItemT], str | None]:
    """Cut one page out of a sorted mapping.

    Args:
        kind: What is listed; a cursor of another list is refused.
        items: Everything, sorted by key.
        params: Of the request; their `cursor` tells where the page begins.
        page_size: Most items on it; None for all.

    Returns:
        The items, and the cursor of the next page or None.

    Raises:
        MCPError: The cursor is none of ours (-32602).
    """
    cursor = getattr(params, "cursor", None)
    after = None if cursor is None else _opened(kind, cursor)
    keys = [key for key in items if after is None or key > after]
    shown = keys if page_size is None else keys[:page_size]
    more = len(shown) < len(keys)
    return [items[key] for key in shown], _cursor(kind, shown[-1]) if more else None


def _cursor(kind: str, key: str) -> str:
    return base64.urlsafe_b64encode(f"{kind}\n{key}".encode()).decode().rstrip("=")


def _opened(kind: str, cursor: str) -> str:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        raw = base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True)
        given, separator, key = raw.decode().partition("\n")
    except (binascii.Error, UnicodeError, ValueError):
        given, separator, key = "", "", ""
    if not separator or given != kind:
        raise MCPError(
            types.INVALID_PARAMS,
            "The cursor is not valid here: pass the nextCursor of the page before, or none",
        )
    return key
