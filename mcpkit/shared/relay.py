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
import struct
import sys
import time

from mcpkit.core.errors import MCPKitError, ServeError
from mcpkit.core.peers import JOIN
from mcpkit.shared.identity import identity, shared_environment
from mcpkit.shared.knocking import START, Start, is_alive, knock
from mcpkit.shared.places import Place, folder

CHUNK = 65536
"""Bytes read at once."""

GRACE = 30.0
"""Seconds that answers get to arrive after SIGTERM or SIGINT."""

FAILED = 1
INTERRUPTED = 130

LOOK = 5
"""Seconds between looks at a server that takes nothing, or has been told the end of the input."""

MISSES = 2
"""Looks in a row after which a server that does not answer is given up."""


def is_wanted(arguments: list[str]) -> bool:
    """Whether a command line asks for a shared server, on a system that can share one."""
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    asks_for_help = "--help" in own or "-h" in own
    return own[:1] == ["serve"] and "--shared" in own and not asks_for_help and os.name == "posix"


def run(arguments: list[str]) -> int | MCPKitError | None:
    """Serve standard input and output through the shared server.

    Returns:
        The exit code; or why no server can be shared, or None: then the plain command goes on.
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
        connection = _join(place, Start(command, environment, began_in))
    except (MCPKitError, OSError) as exc:
        os.chdir(began_in)
        return exc if isinstance(exc, MCPKitError) else ServeError(f"No shared server: {exc}")
    except KeyboardInterrupt:
        return INTERRUPTED
    return connection if isinstance(connection, int) else _Copy(connection, place).run()


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

    Raises:
        ServeError: There is none that can be joined.
    """
    deadline = time.monotonic() + START
    while time.monotonic() < deadline:
        connection = knock(place.socket, JOIN)
        if connection is not None:
            return connection
        from mcpkit.shared.starting import start  # the import costs: only the first client pays

        code = start(place, wanted)
        if code == FAILED:
            raise ServeError("The shared server could not start", hint=f"Its log is {place.log}")
        if code is not None:
            return code
    raise ServeError(
        f"No shared server has started within {START:g} s", hint=f"Its log is {place.log}"
    )


class _Copy:
    """Copies both ways until the server closes, or nobody reads any more.

    Args:
        connection: To the server.
        place: Of the server.
    """

    def __init__(self, connection: socket.socket, place: Place) -> None:
        self._connection = connection
        self._place = place
        self._has_ended = False
        self._deadline = 0.0
        self._misses = 0

    def run(self) -> int:
        """Copy, and return the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._on_signal)
        signal.signal(signal.SIGALRM, self._on_alarm)
        limit = struct.pack("ll", LOOK, 0)
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        _thread.start_new_thread(self._send, ())  # importing `threading` costs more than this file
        try:
            while chunk := self._connection.recv(CHUNK):
                if not _write(chunk):
                    return 0  # the host does not read any more
            is_broken = not self._has_ended
        except OSError:
            is_broken = True
        if is_broken:
            _say(f"Error: The shared server has gone away; its log is {self._place.log}\n")
        return FAILED if is_broken else 0

    def _send(self) -> None:
        """Send the input to the server, and its end."""
        while chunk := _read():
            view = memoryview(chunk)
            while view:
                try:
                    view = view[self._connection.send(view) :]
                except BlockingIOError:
                    self._look()  # it has not taken anything for a while
                except OSError:
                    return  # the server is gone: the other direction tells
        self._end()

    def _end(self) -> None:
        """Tell the server that there is no more to come, and see from now on that it answers."""
        self._has_ended = True
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_WR)
        signal.setitimer(signal.ITIMER_REAL, LOOK)

    def _look(self) -> None:
        """End the process when the server does not answer: nobody else would notice."""
        self._misses = 0 if is_alive(self._place.socket) else self._misses + 1
        if self._misses < MISSES:
            return
        _say(
            f"Error: The shared server does not answer; its log is {self._place.log}\n"
            "hint: `mcpkit shared stop --force` ends it\n"
        )
        os._exit(FAILED)

    def _on_alarm(self, number: int, frame: object) -> None:
        if self._deadline and time.monotonic() >= self._deadline:
            os._exit(0)
        self._look()
        signal.setitimer(signal.ITIMER_REAL, LOOK)

    def _on_signal(self, number: int, frame: object) -> None:
        """Let the server answer what it was asked; leave at once when told again, or too late."""
        if self._deadline:
            os._exit(0)
        self._deadline = time.monotonic() + GRACE
        self._end()


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
