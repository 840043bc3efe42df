"""Files below a folder, opened so that nothing outside of it is ever read.

Each component of a path is opened relative to the descriptor of its folder and never through a
link (`openat`, `O_NOFOLLOW`). A link is followed by hand, by the same rule, so that one that is
swapped in the meantime leads nowhere else. What is read is the descriptor that was checked.
"""

import os
import stat
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

HAS_DESCRIPTORS = (
    os.open in os.supports_dir_fd
    and os.stat in os.supports_dir_fd
    and os.readlink in os.supports_dir_fd
    and os.scandir in os.supports_fd
    and hasattr(os, "O_NOFOLLOW")
)
"""Whether this system opens relative to descriptors; Windows does not."""

FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
FILE = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)  # a FIFO must not wait for its writer
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_BINARY", 0)
)

MAX_LINKS = 8
"""Links that a path may lead through."""

MAX_DEPTH = 64
"""Folders that may lie within one another: each is an open descriptor."""

OUTSIDE = "it leads out of the folder"
NOT_SEARCHED = "it leads to a file that is not searched"
TOO_DEEP = f"it lies in more than {MAX_DEPTH} folders"
NOT_REGULAR = "it is not a regular file"

Allowed = Callable[[str, bool], bool]
"""Tells whether a name may be passed through (False) or, as the last one, be read (True)."""


class RefusedError(Exception):
    """The file may not be read; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file below a folder, or a folder that cannot be looked into.

    Attributes:
        parts: Names that lead to it.
        status: Its status; None for a link, which has to be opened first.
        problem: Why it, or the whole folder, cannot be looked at.
    """

    parts: tuple[str, ...]
    status: os.stat_result | None = None
    problem: RefusedError | OSError | None = None


def walk(root: Path, allowed: Allowed) -> Iterator[Entry]:
    """List the allowed files below a folder in a stable order, without following links."""
    if not HAS_DESCRIPTORS:
        yield from _list(root, (), allowed)
        return
    try:
        descriptor = os.open(root, FOLDER)
    except OSError as exc:
        yield Entry(parts=(), problem=exc)
        return
    try:
        yield from _list(descriptor, (), allowed)
    finally:
        os.close(descriptor)


def _list(folder: int | Path, above: tuple[str, ...], allowed: Allowed) -> Iterator[Entry]:
    """List a folder and those in it, which lie in others down to `MAX_DEPTH`."""
    try:
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except OSError as exc:
        yield Entry(parts=above, problem=exc)
        return
    for entry in entries:
        parts = (*above, entry.name)
        try:
            if entry.is_dir(follow_symlinks=False):
                if allowed(entry.name, False):
                    yield from _enter(folder, parts, allowed)
            elif allowed(entry.name, True):
                is_link = entry.is_symlink()
                status = None if is_link else entry.stat(follow_symlinks=False)
                yield Entry(parts=parts, status=status)
        except OSError as exc:
            yield Entry(parts=parts, problem=exc)


def _enter(folder: int | Path, parts: tuple[str, ...], allowed: Allowed) -> Iterator[Entry]:
    if len(parts) > MAX_DEPTH:
        yield Entry(parts=parts, problem=RefusedError(TOO_DEEP))
    elif isinstance(folder, Path):
        yield from _list(folder / parts[-1], parts, allowed)
    else:
        descriptor = os.open(parts[-1], FOLDER, dir_fd=folder)
        try:
            yield from _list(descriptor, parts, allowed)
        finally:
            os.close(descriptor)


@contextmanager
def opened(root: Path, parts: Sequence[str], allowed: Allowed) -> Iterator[int]:
    """Open a regular file below a folder.

    Args:
        root: The folder.
        parts: Names that lead to the file.
        allowed: Asked for every name that is opened, also those that links lead to.

    Yields:
        Its descriptor.

    Raises:
        RefusedError: It leads out of the folder, is not allowed or no regular file.
        OSError: It cannot be opened.
    """
    opener = _open if HAS_DESCRIPTORS else _open_by_path
    descriptor = opener(root, parts, allowed)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise RefusedError(NOT_REGULAR)
        yield descriptor
    finally:
        os.close(descriptor)


def _open(root: Path, parts: Sequence[str], allowed: Allowed) -> int:
    with closing(_Walk(root)) as walk:
        todo, links = deque(parts), 0
        while todo:
            name = todo.popleft()
            if name == "..":
                walk.up()
                continue
            if not allowed(name, not todo):
                raise RefusedError(NOT_SEARCHED)
            mode = os.stat(name, dir_fd=walk.folder, follow_symlinks=False).st_mode
            if stat.S_ISLNK(mode):
                links += 1
                if links > MAX_LINKS:
                    raise RefusedError("it leads through too many links")
                todo.extendleft(reversed(walk.follow(name)))
            elif todo:
                walk.down(name)
            elif stat.S_ISREG(mode):  # only opened if regular: opening a device may act on it
                return os.open(name, FILE, dir_fd=walk.folder)
    raise RefusedError(NOT_REGULAR)


class _Walk:
    """A place below a folder, held by the descriptors of all folders on the way."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._way = [os.open(root, FOLDER)]

    @property
    def folder(self) -> int:
        """Descriptor of the folder where the walk is."""
        return self._way[-1]

    def down(self, name: str) -> None:
        """Enter a folder; a link that has taken its place fails."""
        if len(self._way) > MAX_DEPTH:
            raise RefusedError(TOO_DEEP)
        self._way.append(os.open(name, FOLDER, dir_fd=self.folder))

    def up(self) -> None:
        """Go back to the folder the walk came from, wherever that has been moved to."""
        if len(self._way) == 1:
            raise RefusedError(OUTSIDE)
        os.close(self._way.pop())

    def follow(self, link: str) -> tuple[str, ...]:
        """Names that a link stands for; an absolute one begins at the root again."""
        target = PurePosixPath(os.readlink(link, dir_fd=self.folder))
        if not target.is_absolute():
            return target.parts
        if not target.is_relative_to(self._root):
            raise RefusedError(OUTSIDE)
        while len(self._way) > 1:
            self.up()
        return target.relative_to(self._root).parts

    def close(self) -> None:
        """Close all descriptors."""
        for descriptor in self._way:
            os.close(descriptor)


def _open_by_path(root: Path, parts: Sequence[str], allowed: Allowed) -> int:
    """Open by path, for systems without `openat`; checked before and after.

    A link that is swapped in and out again between both checks is not noticed.
    """
    path = root.joinpath(*parts)
    if not all(allowed(name, False) for name in parts[:-1]) or not allowed(parts[-1], True):
        raise RefusedError(NOT_SEARCHED)
    descriptor = os.open(_resolve(root, path, allowed), FILE)
    try:
        if not os.path.samestat(os.fstat(descriptor), _resolve(root, path, allowed).stat()):
            raise RefusedError("it was replaced meanwhile")
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _resolve(root: Path, path: Path, allowed: Allowed) -> Path:
    try:
        resolved = path.resolve(strict=True)
    except RuntimeError as exc:  # a loop of links, before Python 3.13
        raise RefusedError("it leads through too many links") from exc
    if not resolved.is_relative_to(root):
        raise RefusedError(OUTSIDE)
    names = resolved.relative_to(root).parts
    if not all(allowed(name, False) for name in names[:-1]) or not allowed(resolved.name, True):
        raise RefusedError(NOT_SEARCHED)
    if not resolved.is_file():
        raise RefusedError(NOT_REGULAR)
    return resolved
