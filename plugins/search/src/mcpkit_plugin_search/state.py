"""State of the plugin: documents and web search, open as long as the server."""

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import anyio
import httpx2

from .backends import choose
from .library import Library
from .settings import SearchSettings
from .web import WebLimits, WebSearch

logger = logging.getLogger(__name__)

CONNECTIONS = 8
"""Web searches under way at once."""


@dataclass(frozen=True)
class State:
    """Documents and web search; each is None when it is not set up."""

    library: Library | None
    web: WebSearch | None


@asynccontextmanager
async def opened(settings: SearchSettings) -> AsyncIterator[State]:
    """Index in the background, and keep connections for web searches."""
    library = Library(settings) if settings.folders else None
    backend = choose(settings)
    if settings.missing_for_web is not None:
        logger.warning("Web search is off: %s", lacks(settings))
    async with AsyncExitStack() as stack:
        web = None
        if backend is not None:
            # Only where it is used: a client reads all certificates that the machine trusts.
            connections = httpx2.Limits(max_connections=CONNECTIONS)
            client = httpx2.AsyncClient(timeout=settings.timeout, limits=connections)
            http = await stack.enter_async_context(client)
            web = WebSearch(backend, http, _limits(settings))
        group = await stack.enter_async_context(anyio.create_task_group())
        if library is not None:
            group.start_soon(library.serve)
        yield State(library, web)
        group.cancel_scope.cancel()


def _limits(settings: SearchSettings) -> WebLimits:
    return WebLimits(
        seconds=settings.timeout, max_bytes=settings.max_response_bytes, retries=settings.retries
    )


def lacks(settings: SearchSettings) -> str:
    """Tell which setting the chosen web backend lacks."""
    return (
        f"web_backend {settings.web_backend!r} needs plugins.search.{settings.missing_for_web}, "
        "which the operator sets"
    )
