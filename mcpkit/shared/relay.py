"""The relay: what a host starts with `mcpkit serve --shared`.

Bytes from standard input go to the shared server of the same identity, its bytes go to standard
output; the relay knows nothing of what they say. Every module it imports costs each start of a
host: the standard library's smallest, and nothing of the server's.
"""

from __future__ import annotations

import _thread
import contextlib
import os
import signal
import socket
import sys
import time

from mcpkit.core.errors import MCPKitError, ServeError
from mcpkit.core.peers import JOIN
from mcpkit.shared.identity import identity, shared_environment
from mcpkit.shared.knocking import START, Start, knock
from mcpkit.shared.places import Place, folder

CHUNK = 65536
"""Bytes read at once."""

GRACE = 30.0
"""Seconds that answers get to arrive after SIGTERM or SIGINT."""

FAILED = 1
INTERRUPTED = 130


def is_wanted(arguments: list[str]) -> bool:
    """Whether a command line asks for a shared server, on a system that can share one."""
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    asks_for_help = "--help" in own or "-h" in own
    return own[:1] == ["serve"] and "--shared" in own and not asks_for_help and os.name == "posix"


def run(arguments: list[str]) -> int | None:
    """Serve standard input and output through the shared server.

    Returns:
        The exit code; None when the plain command has to say what is wrong.
    """
    command = [argument for argument in arguments if argument != "--shared"]
    try:
        began_in = os.getcwd()
        rest = _enter_directory(command)
    except OSError:
        return None
    try:
        environment = shared_environment()
        place = Place(folder(), identity(rest, environment))
        joined = _join(place, Start(command, environment, began_in))
        return joined if isinstance(joined, int) else _Copy(joined, place.log).run()
    except MCPKitError as exc:
        hint = f"hint: {exc.hint}\n" if exc.hint else ""
        _say(f"Error: {exc.message}\n{hint}")
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED


def _enter_directory(arguments: list[str]) -> list[str]:
    """Go where `--directory` says, and return the other arguments.

    Raises:
        OSError: That is not possible.
    """
    rest: list[str] = []
    directory: str | None = None
    given = iter(arguments)
    for argument in given:
        if argument in {"-C", "--directory"}:
            directory = next(given, "")
        elif argument.startswith("--directory="):
            directory = argument.partition("=")[2]
        elif argument.startswith("-C"):
            directory = argument.removeprefix("-C")
        else:
            rest.append(argument)
    if directory is not None:
        os.chdir(directory)
    return rest


def _join(place: Place, wanted: Start) -> socket.socket | int:
    """Join the server, which is started if there is none.

    Returns:
        The connection, or the exit code of a server that could not start; it has said why.
    """
    deadline = time.monotonic() + START
    while time.monotonic() < deadline:
        connection = knock(place.socket, JOIN)
        if connection is not None:
            return connection
        from mcpkit.shared.starting import start  # the import costs: only the first client pays

        code = start(place, wanted)
        if code is not None:
            return code
    raise ServeError(
        f"No shared server has started within {START:g} s", hint=f"Its log is {place.log}"
    )


class _Copy:
    """Copies both ways until the server closes, or nobody reads any more.

    Args:
        connection: To the server.
        log: File that is named when the server goes away.
    """

    def __init__(self, connection: socket.socket, log: str) -> None:
        self._connection = connection
        self._log = log
        self._has_ended = False
        self._is_told_to_stop = False

    def run(self) -> int:
        """Copy, and return the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        _thread.start_new_thread(self._send, ())  # importing `threading` costs more than this file
        try:
            while chunk := self._connection.recv(CHUNK):
                if not _write(chunk):
                    return 0  # the host does not read any more
            is_broken = not self._has_ended
        except OSError:
            is_broken = True
        if is_broken:
            _say(f"Error: The shared server has gone away; its log is {self._log}\n")
        return FAILED if is_broken else 0

    def _send(self) -> None:
        """Send the input to the server, and its end."""
        while chunk := _read():
            try:
                self._connection.sendall(chunk)
            except OSError:
                return  # the server is gone: the other direction tells
        self._end()

    def _end(self) -> None:
        self._has_ended = True
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_WR)

    def _on_signal(self, number: int, frame: object) -> None:
        """Let the server answer what it was asked; leave at once when told again, or too late."""
        if self._is_told_to_stop:
            os._exit(0)
        self._is_told_to_stop = True
        self._end()
        signal.signal(signal.SIGALRM, self._on_signal)
        signal.setitimer(signal.ITIMER_REAL, GRACE)


def _read() -> bytes:
    try:
        return os.read(0, CHUNK)
    except OSError:
        return b""


def _write(chunk: bytes) -> bool:
    """Write to standard output; False when nobody reads it."""
    view = memoryview(chunk)
    try:
        while view:
            view = view[os.write(1, view) :]
    except OSError:
        return False
    return True


def _say(text: str) -> None:
    """Write to standard error, if somebody listens."""
    with contextlib.suppress(OSError):
        sys.stderr.write(text)
        sys.stderr.flush()
