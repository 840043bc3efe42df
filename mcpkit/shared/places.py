"""Places: the folder of this user's shared servers, and the files of each.

In comes the environment; out goes a folder that this user alone can use, or why there is none.
"""

from __future__ import annotations

import errno
import os
import stat

from mcpkit.core.errors import ServeError

LONGEST = 100
"""Most bytes in the path of a Unix socket that every system takes (104 on macOS, 108 on Linux)."""

REMOVE = "Look who made it, and remove it"

NAME = "mcpkit"
"""Name of the folder within the user's runtime folder."""


class Place:
    """The files of one shared server.

    Args:
        folder: Of all shared servers of this user.
        name: Digest of everything that makes two servers different.
    """

    def __init__(self, folder: str, name: str) -> None:
        self.name = name
        self.socket = f"{folder}/{name}.sock"
        self.lock = f"{folder}/{name}.lock"
        self.log = f"{folder}/{name}.log"
        if len(os.fsencode(self.socket)) > LONGEST:
            raise ServeError(
                f"The path {self.socket!r} is too long for a socket",
                hint="Set XDG_RUNTIME_DIR to a folder with a shorter path",
            )


def folder() -> str:
    """The folder of this user's shared servers, made if it is not there.

    It lies in the user's runtime folder (XDG Base Directory Specification), else in `/tmp`. The
    temporary folder of the environment is not asked for: hosts pass different ones on.

    Raises:
        ServeError: Somebody else owns it or can use it.
    """
    user = os.geteuid()
    for runtime in filter(None, (os.environ.get("XDG_RUNTIME_DIR"), f"/run/user/{user}")):
        if os.path.isdir(runtime) and os.stat(runtime).st_uid == user:
            _refuse(runtime, os.stat(runtime), stat.S_IWGRP | stat.S_IWOTH)
            return _own(os.path.join(os.path.abspath(runtime), NAME))
    return _own(f"/tmp/{NAME}-{user}")  # noqa: S108  # made and checked by `_own`


def _own(path: str) -> str:
    """Make a folder for this user alone, or see that it is one."""
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        pass
    except OSError as exc:
        raise ServeError(
            f"Cannot make the folder {path!r} of shared servers: {os.strerror(exc.errno or 0)}",
            hint="Set XDG_RUNTIME_DIR to a folder of yours",
        ) from exc
    _refuse(path, os.lstat(path), stat.S_IRWXG | stat.S_IRWXO)
    return path


def _refuse(path: str, status: os.stat_result, others: int) -> None:
    """Refuse what is no folder of this user, or grants others what they must not have."""
    hint = "Look who made it, remove it, or set XDG_RUNTIME_DIR to a folder of yours"
    if not stat.S_ISDIR(status.st_mode):
        raise ServeError(f"Refusing {path!r} for shared servers: it is no folder", hint=hint)
    if status.st_uid != os.geteuid():
        raise ServeError(
            f"Refusing {path!r} for shared servers: it belongs to somebody else", hint=hint
        )
    if status.st_mode & others:
        raise ServeError(
            f"Refusing {path!r} for shared servers: others have access to it", hint=hint
        )


def open_own(path: str, flags: int = 0) -> int:
    """Open a file of a shared server for reading and writing, made if it is not there.

    Raises:
        ServeError: It is a link or no file, or it cannot be opened.
    """
    flags |= os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError as exc:
        is_link = exc.errno == errno.ELOOP
        problem = "it is a link" if is_link else os.strerror(exc.errno or 0)
        raise ServeError(f"Refusing {path!r} for a shared server: {problem}", hint=REMOVE) from exc
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ServeError(f"Refusing {path!r} for a shared server: it is no file", hint=REMOVE)
    return descriptor


def places() -> list[Place]:
    """All places where a server is or was, by name."""
    where = folder()
    names = {name.partition(".")[0] for name in os.listdir(where)}
    return [Place(where, name) for name in sorted(names)]


def is_there(path: str) -> bool:
    """Whether a file is there; a link that leads nowhere is."""
    try:
        os.lstat(path)
    except OSError as exc:
        if exc.errno == errno.ENOENT:
            return False
        raise
    return True
