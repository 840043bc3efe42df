"""The library: the operator's documents, kept up to date, searched and read.

Indexing goes on in a worker thread: it can be watched, and a search meanwhile finds what is there.
An index that breaks while it is used is built again at once.
"""

import logging
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

import anyio

from mcpkit import WorkerThreads

from .below import RefusedError
from .database import BrokenIndexError, Database, UnusableIndexError
from .files import Files, SkippedFile
from .finding import Hit, Question
from .index import Index, default_path
from .indexing import Changes, Indexing, Progress, StoppedError
from .query import parse
from .reader import Reader, ReaderError, ReadLimits
from .settings import SearchSettings
from .texts import Text, UnreadableError
from .updates import Updates

logger = logging.getLogger(__name__)

READERS = 2
"""Documents that are read at once for clients."""

POLL = 0.1
"""Seconds between two looks at the progress of a run."""

AnswerT = TypeVar("AnswerT")

Stopped = Callable[[], bool]
"""Tells whether nobody waits for an answer any more."""

OnProgress = Callable[[int, int], Awaitable[None]]
"""Told how many of how many new and changed documents are read."""


class SearchTimeoutError(Exception):
    """The index did not answer in time."""


@dataclass(frozen=True, slots=True)
class Found:
    """Documents that match.

    Attributes:
        hits: The best first.
        is_complete: Whether all files were indexed as they are now.
    """

    hits: list[Hit]
    is_complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryStatus:
    """State of the index.

    Attributes:
        documents: Documents in the index.
        skipped: Number of files that are not indexed.
        examples: The first of them.
    """

    documents: int
    skipped: int
    examples: list[SkippedFile]


class Library:
    """The documents in the folders of the settings.

    Attributes:
        documents: How many were indexed after the last run.
        indexed_at: Time when the index was last up to date; None if not yet.
        problem: Why the last run failed; None if it did not.
        updates: Runs of indexing.
    """

    def __init__(self, settings: SearchSettings) -> None:
        self.documents = 0
        self.indexed_at: datetime | None = None
        self.problem: str | None = None
        self.updates = Updates(self._work)
        self._settings = settings
        self._files = Files(settings)
        self._database = Database(
            settings.index_path or default_path(settings), is_default=settings.index_path is None
        )
        self._index = Index(self._database)
        self._indexing = Indexing(settings, self._index)
        self._asking = WorkerThreads(settings.max_searches)
        self._reading = WorkerThreads(READERS)
        self._is_broken = False

    @property
    def is_indexing(self) -> bool:
        """Whether indexing goes on now."""
        return self.updates.current is not None

    async def serve(self) -> None:
        """Index in the background, until cancelled."""
        if self._settings.index_at_start:
            self.updates.request()
        try:
            await self.updates.serve()
        finally:
            self._indexing.stop()

    async def reindex(self, on_progress: OnProgress | None = None) -> Changes:
        """Read what is new, changed or could not be read before, and forget what is gone.

        The run belongs to all who wait for it: whoever is cancelled stops waiting.

        Raises:
            UnusableIndexError: The index file cannot be made or written.
            ReaderError: Documents cannot be read at all.
        """
        run = self.updates.request(retry=True)
        told = (0, 0)
        while not run.finished.is_set():
            with anyio.move_on_after(POLL):
                await run.finished.wait()
            if on_progress is not None and told != (run.done, run.total):
                told = (run.done, run.total)
                await on_progress(*told)
        if run.error is not None:
            raise run.error.with_traceback(None)  # all who wait raise it
        return run.changes or Changes()

    async def search(self, query: str, *, folder: str | None, limit: int) -> Found:
        """Find documents, the best first.

        Raises:
            QueryError: The query cannot be looked for.
            UnusableIndexError: The index file cannot be read.
            SearchTimeoutError: It took too long.
        """
        question = Question(terms=parse(query), folder=folder, limit=limit)
        is_complete = await self._catch_up()
        hits = await self._ask(lambda stopped: self._index.search(question, stopped))
        return Found(hits, is_complete)

    async def read(self, path: str) -> Text | None:
        """Read one document; None when there is none of that path."""
        limits = ReadLimits(seconds=self._settings.read_timeout, memory=self._settings.read_memory)
        reader = Reader(limits)
        try:
            return await self._reading.run(lambda: self._read(path, reader))
        except (RefusedError, UnreadableError, OSError):
            return None
        except BaseException:
            reader.close()  # cancelled: the thread returns
            raise

    async def paths(self, part: str, limit: int) -> list[str]:
        """Paths that contain some text.

        Raises:
            UnusableIndexError: The index file cannot be read.
            SearchTimeoutError: It took too long.
        """
        return await self._ask(lambda stopped: self._index.paths(part, limit, stopped))

    async def status(self, examples: int) -> LibraryStatus:
        """State of the index, with some of the skipped files.

        Raises:
            UnusableIndexError: The index file cannot be read.
            SearchTimeoutError: It took too long.
        """

        def ask(stopped: Stopped) -> LibraryStatus:
            number, skipped = self._index.skipped(examples)
            return LibraryStatus(
                documents=self._index.count(),
                skipped=number,
                examples=skipped,
            )

        return await self._ask(ask)

    async def _catch_up(self) -> bool:
        """Wait a moment for new and changed files; returns whether all of them are indexed."""
        settings = self._settings
        wait = settings.refresh_wait if self.indexed_at else settings.first_index_wait
        if wait == 0:
            return not self.is_indexing
        run = self.updates.request()
        if self.updates.delay > wait:
            return False
        with anyio.move_on_after(wait):
            await run.finished.wait()
        if isinstance(run.error, UnusableIndexError):
            raise run.error.with_traceback(None)
        return run.finished.is_set()

    async def _ask(self, ask: Callable[[Stopped], AnswerT]) -> AnswerT:
        """Ask the index; one that turns out broken is built again first."""
        try:
            return await self._ask_once(ask)
        except BrokenIndexError:
            self._is_broken = True
            run = self.updates.request(retry=True)
            with anyio.move_on_after(self._settings.first_index_wait):
                await run.finished.wait()
            return await self._ask_once(ask)

    async def _ask_once(self, ask: Callable[[Stopped], AnswerT]) -> AnswerT:
        stopped = threading.Event()
        try:
            with anyio.fail_after(self._settings.search_timeout):
                return await self._asking.run(lambda: ask(stopped.is_set))
        except TimeoutError as exc:
            raise SearchTimeoutError(
                f"It took longer than {self._settings.search_timeout:g} s"
            ) from exc
        finally:
            stopped.set()  # after a time-out or a cancellation, the thread returns soon

    def _read(self, path: str, reader: Reader) -> Text:
        with reader:
            return reader.read(self._files.read(path))

    def _work(self, progress: Progress, retry: bool) -> Changes:
        """Do one run, in the worker thread."""
        begun = time.monotonic()
        try:
            changes = self._run(progress, retry)
            self.documents = self._index.count()
        except (UnusableIndexError, ReaderError) as exc:
            if self.problem != str(exc):  # else every search would repeat it
                logger.warning("%s", exc)
            self.problem = str(exc)
            raise
        except StoppedError:
            raise
        except Exception as exc:
            self.problem = f"Indexing failed: {type(exc).__name__}"
            logger.exception("Indexing failed")
            raise
        self.problem = None
        self.indexed_at = datetime.now(UTC)
        if changes.added or changes.removed:
            logger.info(
                "Indexed %d documents in %.1f s, removed %d; %d files are skipped",
                changes.added,
                time.monotonic() - begun,
                changes.removed,
                changes.skipped,
            )
        return changes

    def _run(self, progress: Progress, retry: bool) -> Changes:
        try:
            if self._is_broken:
                self._database.rebuild()
            self._is_broken = False
            self._database.prepare()
            return self._indexing.run(progress, retry=retry)
        except BrokenIndexError as exc:
            logger.warning("%s: building it again", exc)
            self._database.rebuild()
            return self._indexing.run(progress, retry=retry)
