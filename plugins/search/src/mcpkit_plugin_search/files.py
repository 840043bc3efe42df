"""Files: which ones belong to the index, and which file a document's path means.

A document's path is the label of its folder and its place in there: `notes/2026/plan.md`. Links
that lead out of a folder, hidden files and everything that the globs do not name stay out; a link
within a folder is judged by its own name and by what it leads to.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from .settings import SearchSettings
from .texts import can_read


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFile:
    """A file to index.

    Attributes:
        path: What the document is called.
        file: Where it is.
        modified: Its time of modification, in nanoseconds since 1970.
        size: Its size in bytes.
    """

    path: str
    file: Path
    modified: int
    size: int

    @property
    def has_readable_name(self) -> bool:
        """Whether its path is Unicode; one that is not can be neither stored nor asked for."""
        return not any("\ud800" <= letter <= "\udfff" for letter in self.path)


def scan(settings: SearchSettings) -> Iterator[FoundFile]:
    """Walk the folders in a stable order."""
    for label, folder in settings.folders.items():
        for directory, names, files in os.walk(folder, followlinks=False):
            names[:] = sorted(name for name in names if not _is_excluded(name, settings))
            for name in sorted(files):
                found = _found(label, folder, Path(directory) / name, settings)
                if found is not None:
                    yield found


def locate(path: str, settings: SearchSettings) -> Path | None:
    """Tell which file a document's path means; None when it may not be read."""
    label, _, rest = path.partition("/")
    folder = settings.folders.get(label)
    parts = PurePosixPath(rest).parts
    if folder is None or not parts or "\0" in path or rest.startswith("/") or ".." in parts:
        return None
    found = _found(label, folder, folder.joinpath(*parts), settings)
    if found is None or any(_is_excluded(part, settings) for part in parts):
        return None
    return found.file


def _found(label: str, folder: Path, file: Path, settings: SearchSettings) -> FoundFile | None:
    if not _is_wanted(file.name, settings):
        return None
    try:
        resolved = file.resolve(strict=True)
        status = resolved.stat()
    except (OSError, RuntimeError):  # RuntimeError: a loop of links, before Python 3.13
        return None
    if not resolved.is_relative_to(folder) or not resolved.is_file():
        return None
    if not _is_wanted(resolved.name, settings) or status.st_size > settings.max_file_size:
        return None
    if any(_is_excluded(part, settings) for part in resolved.relative_to(folder).parts):
        return None
    return FoundFile(
        path=f"{label}/{file.relative_to(folder).as_posix()}",
        file=file,
        modified=status.st_mtime_ns,
        size=status.st_size,
    )


def _is_wanted(name: str, settings: SearchSettings) -> bool:
    included = any(fnmatch(name.lower(), pattern.lower()) for pattern in settings.include)
    return included and not _is_excluded(name, settings) and can_read(Path(name))


def _is_excluded(name: str, settings: SearchSettings) -> bool:
    return name.startswith(".") or any(fnmatch(name, pattern) for pattern in settings.exclude)
