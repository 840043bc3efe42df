"""Own files: reading files that nobody but the user or root may have written, and writing such.

In comes a path; out come bytes, or an `OSError` that tells in plain words what is wrong. A file is
opened once and checked by its descriptor, so that it cannot be exchanged between check and read.
On Windows, where files have no such owners, only their kind and size are checked.
"""

from __future__ import annotations

import errno
import os
import stat

from mcpkit.core.deferred import deferred

group_of = deferred("grp:getgrgid")
make_temporary = deferred("tempfile:mkstemp")
user_of = deferred("pwd:getpwuid")

StrPath = str | os.PathLike[str]
"""A path; importing pathlib would cost a relay as much as all else."""

FLAGS: int = (
    os.O_RDONLY
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_NONBLOCK", 0)  # opening a FIFO must not wait for a writer
)
NO_LINK: int = getattr(os, "O_NOFOLLOW", 0)


def read_own_file(path: StrPath, *, max_bytes: int, follow_link: bool = False) -> bytes:
    """Read a regular file that belongs to the user or root and that nobody else can write.

    Args:
        path: The file.
        max_bytes: A larger file is refused.
        follow_link: Whether the path may be a symbolic link; then its target is checked.

    Raises:
        FileNotFoundError: There is no such file.
        OSError: It is of another kind, too large, not to be trusted or not readable; the error's
            text is half a sentence such as `others can write it`.
    """
    content, status = read_regular_file(path, max_bytes=max_bytes, follow_link=follow_link)
    check_owner(status)
    return content


def read_regular_file(
    path: StrPath, *, max_bytes: int, follow_link: bool = False
) -> tuple[bytes, os.stat_result]:
    """Read a regular file of anybody, and its status, for `check_owner` to judge.

    Raises:
        FileNotFoundError: There is no such file.
        OSError: It is of another kind, too large or not readable.
    """
    descriptor = _open(path, FLAGS if follow_link else FLAGS | NO_LINK)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError("it is no regular file")
        with open(descriptor, "rb", closefd=False) as file:
            content = file.read(max_bytes + 1)
    finally:
        os.close(descriptor)
    if len(content) > max_bytes:
        raise OSError(f"it is larger than {max_bytes} bytes")
    return content, status


def write_own_file(path: StrPath, content: bytes) -> None:
    """Write a file for the user alone, so that readers see the old one or the new one, whole.

    Raises:
        OSError: It cannot be written.
    """
    descriptor, temporary = make_temporary(dir=os.path.dirname(path), prefix=".", suffix=".tmp")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def check_own_folder(path: StrPath) -> None:
    """Make sure that nobody but the user or root can put files into a folder.

    Raises:
        FileNotFoundError: There is no such folder.
        OSError: It is no folder, belongs to somebody else, or others can write it.
    """
    status = os.stat(path)
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError("it is no folder")
    check_owner(status)


def check_owner(status: os.stat_result) -> None:
    """Make sure that nobody but the user or root can change a file or folder.

    Raises:
        PermissionError: It belongs to somebody else, or others can write it.
    """
    if os.name != "posix":
        return
    if status.st_uid not in {0, os.geteuid()}:
        raise PermissionError("it belongs to somebody else")
    mode = status.st_mode
    shared = mode & stat.S_IWGRP and not _is_private(status.st_gid, status.st_uid)
    if mode & stat.S_IWOTH or shared:
        raise PermissionError("others can write it")


def _open(path: StrPath, flags: int) -> int:
    try:
        return os.open(path, flags)
    except FileNotFoundError:
        raise
    except OSError as exc:
        if exc.errno == errno.ELOOP:
            raise OSError("it is a symbolic link") from exc
        raise OSError(f"it cannot be opened: {exc.strerror}") from exc


def _is_private(group: int, user: int) -> bool:
    """Whether a group is the user's own, which no other user is a member of.

    Many systems give one to each user, and let groups write by default.
    """
    try:
        owner, members = user_of(user), group_of(group)
    except KeyError:
        return False
    is_own = owner.pw_gid == group and owner.pw_name == members.gr_name
    return is_own and set(members.gr_mem) <= {owner.pw_name}
