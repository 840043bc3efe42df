"""Search for mcpkit: the operator's own documents, offline, and the web."""

from contextlib import AbstractAsyncContextManager
from typing import Annotated, Any
from urllib.parse import quote, unquote

from pydantic import Field

from mcpkit import (
    CompletionArgument,
    Context,
    Health,
    Plugin,
    ResourceError,
    ResourceNotFoundError,
    ToolAnnotations,
    ToolError,
)

from .answers import (
    Document,
    Documents,
    IndexChanges,
    SkippedDocument,
    Status,
    WebResults,
)
from .database import UnusableIndexError
from .library import Library, LibraryStatus, SearchTimeoutError
from .query import MAX_LENGTH, QueryError
from .reader import ReaderError
from .settings import SearchSettings
from .state import State, lacks, opened
from .web import WebSearchError

__all__ = ["plugin"]

SKIPPED_FILES = 50
"""Skipped files that `search_status` names."""

SHOWN = 200
"""Characters of a path that an error repeats."""

NO_FOLDERS = (
    "No folders are searched here. The operator sets plugins.search.folders to the paths of folders"
)
NO_INDEX = (
    "The user's documents cannot be searched now: their index cannot be used. The operator finds "
    "the reason in the log and at /readyz"
)
NO_READER = "The user's documents cannot be read now; the operator finds the reason in the log"
NO_WEB = (
    "Web search is not set up here. The operator sets plugins.search.web_backend to searxng, brave "
    "or tavily, with its URL or key"
)
TOO_SLOW = (
    "Searching the user's documents took too long: use fewer and rarer words, or try again later"
)

SearchContext = Context[SearchSettings, State]

plugin = Plugin(
    settings=SearchSettings,
    instructions="Search the user's own documents with search_documents before the web; read a "
    "document by its URI. Cite titles and addresses of what you use.",
)


@plugin.lifespan
def lifespan(settings: SearchSettings) -> AbstractAsyncContextManager[State]:
    """The index and the HTTP client; the index is brought up to date in the background."""
    return opened(settings)


@plugin.tool(
    title="Search documents",
    annotations=ToolAnnotations(read_only_hint=True, open_world_hint=False),
)
async def documents(
    ctx: SearchContext,
    query: Annotated[
        str,
        Field(
            description='Words; "a phrase" in double quotes; a beginning as begin*',
            max_length=MAX_LENGTH,
        ),
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
        raise ToolError(f"There is no folder {folder[:100]!r}; there are {labels}")
    try:
        found = await library.search(query, folder=folder, limit=limit)
    except QueryError as exc:
        raise ToolError(str(exc)) from exc
    except UnusableIndexError as exc:
        raise ToolError(NO_INDEX) from exc
    except SearchTimeoutError as exc:
        raise ToolError(TOO_SLOW) from exc
    return Documents(
        documents=[
            Document(
                uri=f"search://documents/{quote(hit.path)}",
                title=hit.title,
                snippet=hit.snippet,
                score=hit.score,
                modified=hit.modified,
            )
            for hit in found.hits
        ],
        indexing=not found.is_complete,
    )


@plugin.tool(
    title="Search the web",
    annotations=ToolAnnotations(read_only_hint=True, open_world_hint=True),
)
async def web(
    ctx: SearchContext,
    query: Annotated[str, Field(description="Words to look for", min_length=1, max_length=1000)],
    count: Annotated[int, Field(description="Most results to return", ge=1, le=20)] = 10,
) -> WebResults:
    """Search the web, and get titles, addresses and snippets of pages."""
    if ctx.state.web is None:
        lacking = ctx.settings.missing_for_web is not None
        raise ToolError(lacks(ctx.settings) if lacking else NO_WEB)
    try:
        found = await ctx.state.web.search(query, count)
    except WebSearchError as exc:
        raise ToolError(str(exc)) from exc
    return WebResults(results=found, source=ctx.state.web.backend.name)


@plugin.tool(
    title="Index documents",
    timeout=3600,
    annotations=ToolAnnotations(
        read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=False
    ),
)
async def reindex(ctx: SearchContext) -> IndexChanges:
    """Bring the index of the user's documents up to date now, reporting progress.

    Files that could not be read before are tried again.
    """
    library = _library(ctx)
    try:
        changes = await library.reindex(
            lambda done, total: ctx.report_progress(done, total, "documents read")
        )
    except UnusableIndexError as exc:
        raise ToolError(NO_INDEX) from exc
    except ReaderError as exc:
        raise ToolError(NO_READER) from exc
    return IndexChanges(
        added=changes.added,
        removed=changes.removed,
        unchanged=changes.unchanged,
        skipped=changes.skipped,
    )


@plugin.tool(
    title="Search status",
    annotations=ToolAnnotations(read_only_hint=True, open_world_hint=False),
)
async def status(ctx: SearchContext) -> Status:
    """Tell what can be searched: folders, documents, skipped files with the reason, web backend."""
    library, web_search = ctx.state.library, ctx.state.web
    state = LibraryStatus(documents=0, skipped=0, examples=[])
    problem: str | None = NO_FOLDERS
    if library is not None:
        problem = None
        try:
            state = await library.status(SKIPPED_FILES)
        except UnusableIndexError:
            problem = NO_INDEX
        except SearchTimeoutError:
            problem = TOO_SLOW
    return Status(
        folders=sorted(ctx.settings.folders),
        documents=state.documents,
        indexing=library.is_indexing if library else False,
        indexed_at=library.indexed_at if library else None,
        skipped=state.skipped,
        skipped_files=[SkippedDocument(path=it.path, reason=it.reason) for it in state.examples],
        problem=problem,
        web=web_search.backend.name if web_search else None,
    )


@plugin.resource("search://documents/{+path}", title="Document", mime_type="text/plain")
async def document(path: str, ctx: SearchContext) -> str:
    """The text of one document, by the path that search returned."""
    try:
        text = await ctx.state.library.read(path) if ctx.state.library else None
    except ReaderError as exc:
        raise ResourceError(NO_READER) from exc
    if text is None:
        told = repr(path[:SHOWN]) + "…" * (len(path) > SHOWN)
        raise ResourceNotFoundError(f"There is no document {told}; search_documents finds them")
    return text.body


@plugin.prompt(title="Research with citations")
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


@plugin.completion
async def complete(
    ref: Any, argument: CompletionArgument, context: Any, ctx: SearchContext
) -> list[str]:
    """Complete document paths by any part of them."""
    if argument.name == "path" and ctx.state.library is not None:
        try:
            paths = await ctx.state.library.paths(unquote(argument.value[:MAX_LENGTH]), 100)
        except (UnusableIndexError, SearchTimeoutError):
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
    lacking = lacks(settings) if settings.missing_for_web is not None else None
    if library is None:
        return Health(ready=lacking is None, message=lacking or "No folders are set")
    data = {"documents": library.documents, "indexing": library.is_indexing}
    problem = library.problem or lacking
    return Health(ready=problem is None, message=problem or "", data=data)


def _library(ctx: SearchContext) -> Library:
    if ctx.state.library is None:
        raise ToolError(NO_FOLDERS)
    return ctx.state.library
