"""Files: which ones belong to the index, and which file a document's path means.

A document's path is the label of its folder and its place in there: `notes/2026/plan.md`. Links
that lead out of a folder, hidden files and everything that the globs do not name stay out; a link
within a folder is judged by its own name and by what it leads to.
"""

import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import translate
from pathlib import Path, PurePosixPath

from .below import NOT_REGULAR, Entry, RefusedError, opened, walk
from .settings import SearchSettings
from .texts import Content, missing_for

MAX_PATH = 4096
"""Longest path of a document that a client may ask for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFile:
    """A file to index.

    Attributes:
        path: What the document is called.
        modified: Its time of modification, in nanoseconds since 1970.
        stamp: Changes whenever its content may have changed.
    """

    path: str
    modified: int
    stamp: str


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file that the globs name and that is not indexed.

    Attributes:
        path: What the document would be called; letters that are not Unicode are escaped.
        reason: Why it is not indexed.
    """

    path: str
    reason: str


class Files:
    """The files in the folders of the settings."""

    def __init__(self, settings: SearchSettings) -> None:
        self._settings = settings
        self._included = _any_of(pattern.lower() for pattern in settings.include)
        self._excluded = _any_of(settings.exclude)

    def scan(self, stopped: Callable[[], bool]) -> Iterator[FoundFile | SkippedFile]:
        """Walk the folders in a stable order, until told to stop."""
        for label, folder in self._settings.folders.items():
            for entry in walk(folder, self._allowed):
                if stopped():
                    return
                yield self._judge(label, folder, entry)

    def read(self, path: str) -> Content:
        """Read the file that a document's path means.

        Raises:
            RefusedError: It may not be read, or is too large.
            OSError: It cannot be read.
        """
        label, parts = _split(path)
        folder = self._settings.folders.get(label)
        if folder is None or not parts or not self._allowed(parts[-1], True):
            raise RefusedError("there is no such document")
        limit = self._settings.max_file_size
        with (
            opened(folder, parts, self._allowed) as descriptor,
            os.fdopen(descriptor, "rb", closefd=False) as file,
        ):
            data = file.read(limit + 1)
        if len(data) > limit:
            raise RefusedError(_too_large(self._settings))
        return Content(
            name=parts[-1],
            data=data,
            encoding=self._settings.encoding,
            max_text=self._settings.max_text,
        )

    def _judge(self, label: str, folder: Path, entry: Entry) -> FoundFile | SkippedFile:
        path = "/".join((label, *entry.parts))
        try:
            status = entry.status or self._status(folder, entry)
        except RefusedError as exc:
            return SkippedFile(_printable(path), str(exc))
        except OSError as exc:
            return SkippedFile(_printable(path), exc.strerror or str(exc))
        reason = self._unsuitable(path, status)
        if reason is not None:
            return SkippedFile(_printable(path), reason)
        # The time of change differs also when a program puts the time of modification back.
        stamp = f"{status.st_mtime_ns}.{status.st_ctime_ns}.{status.st_size}"
        return FoundFile(path=path, modified=status.st_mtime_ns, stamp=stamp)

    def _status(self, folder: Path, entry: Entry) -> os.stat_result:
        """Status of what a link leads to."""
        if entry.problem is not None:
            raise entry.problem
        with opened(folder, entry.parts, self._allowed) as descriptor:
            return os.fstat(descriptor)

    def _unsuitable(self, path: str, status: os.stat_result) -> str | None:
        if path != _printable(path):
            return "its name is not Unicode"
        if not stat.S_ISREG(status.st_mode):
            return NOT_REGULAR
        if status.st_size > self._settings.max_file_size:
            return _too_large(self._settings)
        return missing_for(path)

    def _allowed(self, name: str, is_file: bool) -> bool:
        if name.startswith(".") or self._excluded.match(name):
            return False
        return not is_file or self._included.match(name.lower()) is not None


def _split(path: str) -> tuple[str, tuple[str, ...]]:
    """Split a document's path into the label of its folder and names; none if it is no path."""
    label, _, rest = path.partition("/")
    parts = PurePosixPath(rest).parts
    if len(path) > MAX_PATH or "\0" in path or rest.startswith("/") or ".." in parts:
        return label, ()
    return label, parts


def _any_of(globs: Iterable[str]) -> re.Pattern[str]:
    """A pattern of the names that match any of the globs."""
    return re.compile("|".join(translate(glob) for glob in globs) or r"(?!)")


def _printable(path: str) -> str:
    """The path, with whatever is not Unicode escaped."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _too_large(settings: SearchSettings) -> str:
    return f"it is larger than {settings.max_file_size} bytes (max_file_size)"
