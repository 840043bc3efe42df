"""One run of indexing: read what is new or changed, forget what is gone, say what was skipped.

Everything here is sync and runs in one worker thread. A file that cannot be read costs itself: it
stands in the list of skipped files, and is tried again when it changes or when that is asked for.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mcpkit import ProgressBar

from .below import RefusedError
from .files import Files, FoundFile, SkippedFile
from .index import Index
from .passages import Document
from .reader import Reader, ReaderClosedError, ReaderError, ReadLimits
from .settings import SearchSettings
from .texts import UnreadableError, is_slow

logger = logging.getLogger(__name__)

BATCH = 25
"""Most documents written in one transaction."""

BATCH_TEXT = 1_000_000
"""Characters from which on a transaction takes no further document."""

BATCH_SECONDS = 0.5
"""Seconds that a document waits at most for others of its transaction to be read."""

Progress = Callable[[int, int], None]
"""Told how many of how many new and changed documents are read."""


class StoppedError(Exception):
    """The run was told to stop; what it has written stays."""


@dataclass(slots=True)
class Changes:
    """Results of one run.

    Attributes:
        added: Documents that are new or changed.
        removed: Documents that are gone.
        unchanged: Documents that were up to date.
        skipped: Files that are not indexed.
        scan_seconds: Processor time that looking for changes took.
    """

    added: int = 0
    removed: int = 0
    unchanged: int = 0
    skipped: int = 0
    scan_seconds: float = 0.0


@dataclass(slots=True)
class _Scan:
    found: dict[str, FoundFile] = field(default_factory=dict)
    skipped: dict[str, SkippedFile] = field(default_factory=dict)


class Indexing:
    """Brings an index up to date with the folders of the settings."""

    def __init__(self, settings: SearchSettings, index: Index) -> None:
        self._settings = settings
        self._index = index
        self._files = Files(settings)
        self._stopping = threading.Event()
        self._reader: Reader | None = None

    def stop(self) -> None:
        """End the run that is under way, from any thread; there is none after it."""
        self._stopping.set()
        if self._reader is not None:
            self._reader.close()

    def run(self, progress: Progress, *, retry: bool) -> Changes:
        """Bring the index up to date.

        Args:
            progress: Told after every transaction.
            retry: Whether files that could not be read are tried again, though they are the same.

        Raises:
            StoppedError: `stop` was called.
            UnusableIndexError: The index file cannot be written.
            ReaderError: Some kinds of documents cannot be read; all others were.
        """
        begun = time.thread_time()
        scan = self._scan()
        known, known_skipped = self._index.known(), self._index.known_skipped()
        changes = Changes(scan_seconds=time.thread_time() - begun)
        gone = sorted(known.keys() - scan.found.keys())
        self._index.remove(gone)
        changes.removed = len(gone)
        stale = self._stale(scan, known, {} if retry else known_skipped)
        changes.unchanged = sum(known.get(item.path) == item.stamp for item in scan.found.values())
        self._forget_skipped(scan, known_skipped)
        self._read(stale, progress, changes)
        changes.skipped, _ = self._index.skipped(0)
        return changes

    def _scan(self) -> _Scan:
        scan = _Scan()
        for item in self._files.scan(self._stopping.is_set):
            if len(scan.found) + len(scan.skipped) >= self._settings.max_files:
                reason = f"there are more than {self._settings.max_files} files (max_files)"
                scan.skipped[item.path] = SkippedFile(f"{item.path} and those after it", reason)
                break
            if isinstance(item, SkippedFile):
                scan.skipped[item.path] = item
            else:
                scan.found[item.path] = item
        self._check()
        return scan

    def _stale(
        self, scan: _Scan, known: Mapping[str, str], skipped: Mapping[str, tuple[str, str]]
    ) -> list[FoundFile]:
        """Files to read: those that are not as they were read, or could not be read, before."""
        return [
            item
            for path, item in scan.found.items()
            if known.get(path) != item.stamp and skipped.get(path, ("", ""))[1] != item.stamp
        ]

    def _forget_skipped(self, scan: _Scan, known: Mapping[str, tuple[str, str]]) -> None:
        """Write down what the scan skipped, and forget what it did not find any more."""
        new = [
            (item, "")
            for item in scan.skipped.values()
            if known.get(item.path) != (item.reason, "")
        ]
        kept = scan.found.keys() | {item.path for item in scan.skipped.values()}
        gone = [path for path in known if path not in kept]
        if new or gone:
            self._index.skip(new, gone)

    def _read(self, stale: list[FoundFile], progress: Progress, changes: Changes) -> None:
        limits = ReadLimits(seconds=self._settings.read_timeout, memory=self._settings.read_memory)
        # Quick ones first, so that a slow one keeps few others waiting.
        queue = sorted(stale, key=lambda item: is_slow(item.path))
        bar = ProgressBar("Indexing documents", len(queue), logger=logger)
        with Reader(limits) as self._reader, bar:
            batch, failure = _Batch(), None
            for done, item in enumerate(queue):
                self._check()
                bar.update(done)
                if batch.is_full or is_slow(item.path):
                    changes.added += batch.write(self._index)
                    progress(done, len(queue))
                    batch = _Batch()
                try:
                    batch.add(item, self._read_one(item))
                except ReaderError as exc:
                    failure = exc
                    batch.skip(item, "its kind cannot be read now; the log says why")
            changes.added += batch.write(self._index)
            progress(len(queue), len(queue))
        if failure is not None:
            raise failure

    def _read_one(self, item: FoundFile) -> Document | str:
        """The document in a file, or the reason why there is none."""
        assert self._reader is not None
        try:
            return self._reader.read_document(self._files.read(item.path))
        except (RefusedError, UnreadableError) as exc:
            return str(exc)
        except OSError as exc:
            return exc.strerror or str(exc)
        except ReaderClosedError as exc:
            raise StoppedError from exc

    def _check(self) -> None:
        if self._stopping.is_set():
            raise StoppedError


@dataclass(slots=True)
class _Batch:
    """Files that are written in one transaction."""

    read: list[tuple[FoundFile, Document]] = field(default_factory=list)
    skipped: list[tuple[SkippedFile, str]] = field(default_factory=list)
    size: int = 0
    begun: float = field(default_factory=time.monotonic)

    @property
    def is_full(self) -> bool:
        count = len(self.read) + len(self.skipped)
        is_old = time.monotonic() - self.begun >= BATCH_SECONDS
        return count >= BATCH or self.size >= BATCH_TEXT or (count > 0 and is_old)

    def add(self, item: FoundFile, document: Document | str) -> None:
        if isinstance(document, str):
            logger.info("Cannot index %s: %s", item.path, document)
            self.skip(item, document, item.stamp)
        else:
            self.read.append((item, document))
            self.size += document.size

    def skip(self, item: FoundFile, reason: str, stamp: str = "") -> None:
        """Skip a file; it is read again when it has another stamp."""
        self.skipped.append((SkippedFile(item.path, reason), stamp))

    def write(self, index: Index) -> int:
        """Write them; returns how many documents there are."""
        if not self.read and not self.skipped:
            return 0
        index.remove(file.path for file, _ in self.skipped)
        index.skip(self.skipped, [item.path for item, _ in self.read])
        index.put(self.read)
        return len(self.read)
