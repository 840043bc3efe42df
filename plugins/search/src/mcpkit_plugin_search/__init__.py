"""Search for mcpkit: the operator's own documents, offline, and the web."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote, unquote

import anyio
import httpx2
from mcp_types import CompletionArgument, ToolAnnotations
from pydantic import BaseModel, Field

from mcpkit import Context, Plugin, ResourceNotFoundError, ToolError
from mcpkit.core.contributions import Health

from .index import UnusableIndexError
from .library import Library
from .query import EmptyQueryError
from .settings import SearchSettings
from .web import WebResult, WebSearch, WebSearchError, choose

__all__ = ["plugin"]

logger = logging.getLogger(__name__)

NO_FOLDERS = (
    "No folders are searched here. The operator sets plugins.search.folders to the paths of folders"
)
NO_WEB = (
    "Web search is not set up here. The operator sets plugins.search.web_backend to searxng, brave "
    "or tavily, with its URL or key"
)

NO_INDEX = (
    "The user's documents cannot be searched now: their index cannot be used. The operator finds "
    "the reason in the log and at /readyz"
)


@dataclass(frozen=True)
class State:
    """What lives as long as the server; each part is None when it is not set up."""

    library: Library | None
    web: WebSearch | None


SearchContext = Context[SearchSettings, State]


class Document(BaseModel):
    """A document that matches."""

    uri: str = Field(description="Resource to read for the whole text")
    title: str = Field(description="Title of the document")
    snippet: str = Field(description="The best place in it, matches between **")
    score: float = Field(description="BM25 relevance, higher is better")
    modified: datetime = Field(description="When the file was changed, in UTC")


class Documents(BaseModel):
    """Documents that match, the best first."""

    documents: list[Document] = Field(description="The best first; empty when nothing matches")
    indexing: bool = Field(description="Whether indexing goes on, so that more may be found soon")


class WebResults(BaseModel):
    """Pages that were found, the best first."""

    results: list[WebResult] = Field(description="The best first; empty when nothing was found")
    source: str = Field(description="Who answered")


class IndexChanges(BaseModel):
    """What indexing did."""

    added: int = Field(description="Documents read anew")
    removed: int = Field(description="Documents that are gone")
    unchanged: int = Field(description="Documents that were up to date")
    unreadable: int = Field(description="Files without text that could be read")


class Status(BaseModel):
    """What can be searched."""

    folders: list[str] = Field(description="Labels of the folders")
    documents: int = Field(description="Documents in the index")
    indexing: bool = Field(description="Whether indexing goes on")
    indexed_at: datetime | None = Field(description="When the index was last up to date, in UTC")
    web: str | None = Field(description="Who answers web searches; null when nobody does")


plugin = Plugin(
    settings=SearchSettings,
    instructions="Search the user's own documents with search_documents before the web; read a "
    "document by its URI. Cite titles and addresses of what you use.",
)


@plugin.lifespan
@asynccontextmanager
async def lifespan(settings: SearchSettings) -> AsyncIterator[State]:
    """Open the index and the HTTP client; the index is brought up to date in the background."""
    library = Library(settings) if settings.folders else None
    if library is not None:
        await library.open()
    backend = choose(settings)
    if settings.missing_for_web is not None:
        logger.warning("Web search is off: %s", _lacks(settings))
    async with httpx2.AsyncClient(timeout=settings.timeout) as http:
        web = None if backend is None else WebSearch(backend, http, settings.retries)
        async with anyio.create_task_group() as tasks:
            if library is not None and settings.index_at_start:
                tasks.start_soon(library.keep_up)
            yield State(library, web)
            tasks.cancel_scope.cancel()


@plugin.tool(annotations=ToolAnnotations(read_only_hint=True, open_world_hint=False))
async def documents(
    ctx: SearchContext,
    query: Annotated[
        str, Field(description='Words; "a phrase" in double quotes; a beginning as begin*')
    ],
    limit: Annotated[int, Field(description="Most documents to return", ge=1, le=50)] = 10,
    folder: Annotated[
        str | None, Field(description="Label of the folder to search; all by default")
    ] = None,
) -> Documents:
    """Search the user's own documents by their full text, and get snippets of the best."""
    library = _library(ctx)
    if folder is not None and folder not in ctx.settings.folders:
        labels = ", ".join(sorted(ctx.settings.folders))
        raise ToolError(f"There is no folder {folder!r}; there are {labels}")
    try:
        hits = await library.search(query, folder=folder, limit=limit)
    except EmptyQueryError as exc:
        raise ToolError(f"{exc}: write at least one") from exc
    except UnusableIndexError as exc:
        raise ToolError(NO_INDEX) from exc
    return Documents(
        documents=[
            Document(
                uri=f"search://documents/{quote(hit.path)}",
                title=hit.title,
                snippet=hit.snippet,
                score=hit.score,
                modified=hit.modified,
            )
            for hit in hits
        ],
        indexing=library.is_indexing,
    )


@plugin.tool(annotations=ToolAnnotations(read_only_hint=True, open_world_hint=True))
async def web(
    ctx: SearchContext,
    query: Annotated[str, Field(description="What to look for", min_length=1)],
    count: Annotated[int, Field(description="Most results to return", ge=1, le=20)] = 10,
) -> WebResults:
    """Search the web, and get titles, addresses and snippets of pages."""
    if ctx.state.web is None:
        lacking = ctx.settings.missing_for_web is not None
        raise ToolError(_lacks(ctx.settings) if lacking else NO_WEB)
    try:
        found = await ctx.state.web.search(query, count)
    except WebSearchError as exc:
        raise ToolError(str(exc)) from exc
    return WebResults(results=found, source=ctx.state.web.backend.name)


@plugin.tool(
    timeout=3600,
    annotations=ToolAnnotations(
        read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=False
    ),
)
async def reindex(ctx: SearchContext) -> IndexChanges:
    """Bring the index of the user's documents up to date now, reporting progress."""
    library = _library(ctx)
    try:
        changes = await library.reindex(
            lambda done, total: ctx.report_progress(done, total, "documents read")
        )
    except UnusableIndexError as exc:
        raise ToolError(NO_INDEX) from exc
    return IndexChanges(
        added=changes.added,
        removed=changes.removed,
        unchanged=changes.unchanged,
        unreadable=changes.unreadable,
    )


@plugin.tool(annotations=ToolAnnotations(read_only_hint=True, open_world_hint=False))
async def status(ctx: SearchContext) -> Status:
    """Tell what can be searched: folders, documents, state of the index, web backend."""
    library, web_search = ctx.state.library, ctx.state.web
    return Status(
        folders=sorted(ctx.settings.folders),
        documents=library.documents if library else 0,
        indexing=library.is_indexing if library else False,
        indexed_at=library.indexed_at if library else None,
        web=web_search.backend.name if web_search else None,
    )


@plugin.resource("search://documents/{+path}", mime_type="text/plain")
async def document(path: str, ctx: SearchContext) -> str:
    """The text of one document, by the path that search returned."""
    text = await ctx.state.library.read(path) if ctx.state.library else None
    if text is None:
        raise ResourceNotFoundError(f"There is no document {path!r}; search_documents finds them")
    return text.body


@plugin.prompt()
def research(
    topic: Annotated[str, Field(description="What to find out")],
    depth: Annotated[str, Field(description="quick or thorough")] = "quick",
) -> str:
    """Research a topic in the user's documents and on the web, with citations."""
    rounds = "one round of searches" if depth == "quick" else "several rounds, refining the queries"
    return (
        f"Research this topic: {topic}\n\nSearch the user's documents first, then the web if it is "
        f"set up; {rounds}. Read the most promising documents in full. Then answer in short "
        "paragraphs, cite title and address after each claim, say where sources disagree, and "
        "close with what could not be found."
    )


@plugin.completion()
async def complete(
    ref: Any, argument: CompletionArgument, context: Any, ctx: SearchContext
) -> list[str]:
    """Complete document paths by any part of them."""
    if argument.name == "path" and ctx.state.library is not None:
        try:
            paths = await ctx.state.library.paths(unquote(argument.value), 100)
        except UnusableIndexError:
            return []
        return [quote(path) for path in paths]  # as `{+path}` wants it
    if argument.name == "depth":
        return [word for word in ("quick", "thorough") if word.startswith(argument.value)]
    return []


@plugin.hookimpl
def mcpkit_eager(settings: SearchSettings) -> bool:
    """Indexing begins with the server, not with the first search."""
    return bool(settings.folders) and settings.index_at_start


@plugin.hookimpl
def mcpkit_health(settings: SearchSettings, state: State) -> Health:
    """How the index is, and whether web searches have a backend."""
    library = state.library
    lacking = _lacks(settings) if settings.missing_for_web is not None else None
    if library is None:
        return Health(ready=lacking is None, message=lacking or "No folders are set")
    data = {"documents": library.documents, "indexing": library.is_indexing}
    problem = library.problem or lacking
    return Health(ready=problem is None, message=problem or "", data=data)


def _lacks(settings: SearchSettings) -> str:
    return (
        f"web_backend {settings.web_backend!r} needs plugins.search.{settings.missing_for_web}, "
        "which the operator sets"
    )


def _library(ctx: SearchContext) -> Library:
    if ctx.state.library is None:
        raise ToolError(NO_FOLDERS)
    return ctx.state.library
