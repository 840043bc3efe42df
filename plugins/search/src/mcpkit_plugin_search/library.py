"""The library: the operator's documents, kept up to date, searched and read.

Indexing goes on in worker threads, a batch at a time: it can be watched, cancelled, and a search
meanwhile finds what is there. An index that breaks while it is used is built again at once.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

import anyio
from anyio import to_thread

from .files import FoundFile, locate, scan
from .index import BrokenIndexError, Hit, Index, UnusableIndexError, default_path
from .settings import SearchSettings
from .texts import Text, UnreadableError, read_text

logger = logging.getLogger(__name__)

BATCH = 25
"""Documents written in one transaction."""

AnswerT = TypeVar("AnswerT")

Progress = Callable[[int, int], Awaitable[None]]
"""Told how many of how many documents are done."""


@dataclass(slots=True)
class Changes:
    """What one run of indexing did."""

    added: int = 0
    removed: int = 0
    unchanged: int = 0
    unreadable: int = 0


class Library:
    """The documents in the folders of the settings.

    Attributes:
        documents: How many are indexed.
        indexed_at: When the index was last brought up to date; None if not yet.
        problem: Why the last run failed; None if it did not.
    """

    def __init__(self, settings: SearchSettings) -> None:
        self.documents = 0
        self.indexed_at: datetime | None = None
        self.problem: str | None = None
        self._settings = settings
        self._index = Index(settings.index_path or default_path(settings))
        self._lock = anyio.Lock()

    @property
    def is_indexing(self) -> bool:
        """Whether indexing goes on now."""
        return self._lock.locked()

    async def open(self) -> None:
        """Make the index file ready; documents of an earlier run can be searched at once.

        When it cannot be made, `problem` tells why, and every use tries again.
        """
        try:
            await to_thread.run_sync(self._index.prepare)
            self.documents = await to_thread.run_sync(self._index.count)
        except UnusableIndexError as exc:
            self.problem = str(exc)
            logger.warning("%s", exc)

    async def keep_up(self) -> None:
        """Bring the index up to date, for the background: what goes wrong is logged."""
        try:
            await self.reindex()
        except UnusableIndexError:
            return  # told already
        except Exception as exc:
            self.problem = f"{type(exc).__name__}: {exc}"
            logger.exception("Indexing failed")

    async def reindex(self, progress: Progress | None = None) -> Changes:
        """Read what is new or changed, forget what is gone.

        Args:
            progress: Told after every batch.

        Raises:
            UnusableIndexError: The index file cannot be made or written.
        """
        async with self._lock:
            try:
                return await self._update(progress)
            except BrokenIndexError as exc:
                return await self._build_again(exc, progress)
            except UnusableIndexError as exc:
                self.problem = str(exc)
                logger.warning("%s", exc)
                raise

    async def search(self, query: str, *, folder: str | None, limit: int) -> list[Hit]:
        """Find documents, the best first.

        Raises:
            EmptyQueryError: The query has no word.
            UnusableIndexError: The index file cannot be read.
        """
        return await self._ask(lambda: self._index.search(query, folder=folder, limit=limit))

    async def read(self, path: str) -> Text | None:
        """Read one document; None when there is none of that path."""
        file = locate(path, self._settings)
        if file is None:
            return None
        try:
            return await to_thread.run_sync(read_text, file)
        except UnreadableError:
            return None

    async def paths(self, part: str, limit: int) -> list[str]:
        """Paths that contain some text.

        Raises:
            UnusableIndexError: The index file cannot be read.
        """
        return await self._ask(lambda: self._index.paths(part, limit))

    async def _ask(self, question: Callable[[], AnswerT]) -> AnswerT:
        """Ask the index; one that turns out broken is built again first."""
        try:
            return await to_thread.run_sync(question)
        except BrokenIndexError:
            async with self._lock:
                try:
                    return await to_thread.run_sync(question)  # somebody else has built it again
                except BrokenIndexError as exc:
                    await self._build_again(exc)
            return await to_thread.run_sync(question)

    async def _build_again(
        self, broken: BrokenIndexError, progress: Progress | None = None
    ) -> Changes:
        logger.warning("%s: building it again", broken)
        await to_thread.run_sync(self._index.rebuild)
        return await self._update(progress)

    async def _update(self, progress: Progress | None) -> Changes:
        changes = Changes()
        await to_thread.run_sync(self._index.prepare)
        found = await to_thread.run_sync(self._scan, changes)
        known = await to_thread.run_sync(self._index.known)
        gone = sorted(set(known) - set(found))
        await to_thread.run_sync(self._index.remove, gone)
        changes.removed = len(gone)
        stale = [
            item for item in found.values() if known.get(item.path) != (item.modified, item.size)
        ]
        changes.unchanged = len(found) - len(stale)
        for number, batch in enumerate(_batches(stale)):
            await to_thread.run_sync(self._take, batch, changes)
            self.documents = await to_thread.run_sync(self._index.count)
            if progress is not None:
                await progress(min((number + 1) * BATCH, len(stale)), len(stale))
        self.documents = await to_thread.run_sync(self._index.count)
        self.indexed_at = datetime.now(UTC)
        self.problem = None
        return changes

    def _scan(self, changes: Changes) -> dict[str, FoundFile]:
        found: dict[str, FoundFile] = {}
        for item in scan(self._settings):
            if item.has_readable_name:
                found[item.path] = item
            else:
                logger.info("Cannot index %a: its name is not Unicode", item.path)
                changes.unreadable += 1
        return found

    def _take(self, batch: tuple[FoundFile, ...], changes: Changes) -> None:
        read: list[tuple[FoundFile, Text]] = []
        for item in batch:
            try:
                read.append((item, read_text(item.file)))
            except UnreadableError as exc:
                logger.info("Cannot index %s: %s", item.path, exc)
                changes.unreadable += 1
        taken = {item.path for item, _ in read}
        self._index.remove(item.path for item in batch if item.path not in taken)
        self._index.put(read)
        changes.added += len(read)


def _batches(items: list[FoundFile]) -> list[tuple[FoundFile, ...]]:
    return [tuple(items[start : start + BATCH]) for start in range(0, len(items), BATCH)]
