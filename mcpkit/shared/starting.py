"""Starting: the first client starts the server, all others wait for it.

In comes a place where no server answers; when the function returns, one does, or somebody else is
starting it, or it could not start, and then what it said stands on standard error.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import subprocess
import sys
import time

from mcpkit.core.errors import ServeError
from mcpkit.core.peers import ASK
from mcpkit.shared.hosting import OPTION, READY, Inherited
from mcpkit.shared.identity import interpreter_arguments
from mcpkit.shared.knocking import PAUSE, START, Start, knock
from mcpkit.shared.places import Place, is_there, open_own, places

LARGEST_LOG = 1024 * 1024
"""A log that is longer, in bytes, is begun anew at the next start."""

LONGEST_SAID = 65536
"""Most bytes that are shown of what a server said that could not start."""

OLD = 7 * 24 * 3600.0
"""Seconds after which the log of a server that is gone is deleted."""


def start(place: Place, wanted: Start) -> int | None:
    """Start the server, unless somebody else does.

    Returns:
        None when it is worth knocking; else the exit code of a server that could not start.

    Raises:
        ServeError: No process can be started.
    """
    lock = take_lock(place)
    if lock is None:
        time.sleep(PAUSE)
        return None
    try:
        if has_server(place):
            time.sleep(PAUSE)  # it is about to leave, or refuses us
            return None
        remove_old()
        return _launch(place, lock, wanted)
    finally:
        os.close(lock)


def take_lock(place: Place) -> int | None:
    """Take the lock of a place; None when somebody else has it.

    Returns:
        A descriptor; closing it, here and in whoever inherits it, gives the lock back.

    Raises:
        ServeError: The file cannot be trusted.
    """
    lock = open_own(place.lock)
    with contextlib.suppress(OSError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(lock).st_ino == os.stat(place.lock).st_ino:  # nobody has removed it meanwhile
            return lock
    os.close(lock)
    return None


def has_server(place: Place) -> bool:
    """Whether a server listens; what a dead one left is removed. Needs the lock."""
    try:
        connection = knock(place.socket, ASK)
    except ServeError:
        return True  # it does not answer, but it is there
    if connection is not None:
        connection.close()
        return True
    if is_there(place.socket):
        try:
            os.unlink(place.socket)
        except OSError as exc:
            raise ServeError(f"Cannot remove {place.socket!r}: {exc.strerror}") from exc
    return False


def remove_old() -> None:
    """Remove the logs and locks of servers that have been gone for long."""
    for place in places():
        if is_there(place.socket) or time.time() - _changed(place.log) < OLD:
            continue
        with contextlib.suppress(ServeError):
            lock = take_lock(place)
            if lock is not None:
                for path in (place.log, place.lock):
                    with contextlib.suppress(OSError):
                        os.unlink(path)
                os.close(lock)


def _changed(path: str) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return time.time()


def _launch(place: Place, lock: int, wanted: Start) -> int | None:
    log = open_own(place.log, os.O_APPEND)
    if os.fstat(log).st_size > LARGEST_LOG:
        os.ftruncate(log, 0)
    begin = os.fstat(log).st_size
    reading, writing = os.pipe()
    inherited = Inherited(writing, lock, place.socket)
    verb, *options = wanted.arguments
    command = [sys.executable, *interpreter_arguments(), verb, OPTION, str(inherited), *options]
    _spawn_orphan(command, wanted, log, (writing, lock))
    os.close(writing)
    try:
        told = _wait(reading)
        if told == READY:
            return None
        said = os.pread(log, LONGEST_SAID, begin)
        os.write(2, said or b"Error: The shared server could not start\n")
        return int(told) if told.isdigit() else 1
    finally:
        os.close(reading)
        os.close(log)


def _wait(reading: int) -> bytes:
    """Wait for what the server tells: that it is ready, or its exit code; nothing when it died."""
    readable, _, _ = select.select([reading], [], [], START)
    if not readable:
        raise ServeError(
            f"The shared server has not started within {START:g} s",
            hint="`mcpkit serve` alone tells what takes so long",
        )
    return os.read(reading, 64).partition(b"\n")[0]


def _spawn_orphan(command: list[str], wanted: Start, log: int, inherited: tuple[int, ...]) -> None:
    """Start a process that belongs to nobody: it outlives the host, its terminal and its tree.

    A child that starts it and ends at once leaves it to the system, so that a host which kills the
    processes below its own does not find it.
    """
    child = os.fork()
    if child == 0:
        try:
            subprocess.Popen(  # noqa: S603  # the command that runs now
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=wanted.environment,
                cwd=wanted.directory,
                pass_fds=inherited,
                start_new_session=True,
            )
        except BaseException as exc:  # noqa: BLE001  # nothing of the copy may run on
            os.write(log, f"Error: Cannot start the shared server: {exc}\n".encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
