"""Hosting: what a server knows of being shared, and what it tells whoever started it.

In comes the hidden option that `starting` gives it; out go one line into a pipe, when the server
listens or could not start, and an answer to who asks how it is.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time

import mcpkit

OPTION = "--shared-server"
"""Hidden option of `mcpkit serve`; its value is an `Inherited`."""

READY = b"ready"
"""Told when the server listens; else its exit code is, in digits."""

LARGEST_LOG = 8 * 1024 * 1024
"""A log that grows longer, in bytes, is begun anew."""


class Inherited:
    """What a shared server is given: where to tell that it is ready, the lock, and its socket."""

    def __init__(self, pipe: int, lock: int, socket: str) -> None:
        self.pipe = pipe
        self.lock = lock
        self.socket = socket

    def __str__(self) -> str:
        return f"{self.pipe},{self.lock},{self.socket}"

    @classmethod
    def parse(cls, text: str) -> Inherited:
        """Read the value of the option.

        Raises:
            ValueError: It is none.
        """
        pipe, lock, socket = text.split(",", 2)
        return cls(int(pipe), int(lock), socket)

    @property
    def log(self) -> str:
        """The file that standard error goes to."""
        return f"{self.socket.removesuffix('.sock')}.log"

    def keep(self) -> None:
        """Keep what was inherited from processes that plugins start."""
        os.set_inheritable(self.pipe, False)
        os.set_inheritable(self.lock, False)

    def tell_ready(self) -> None:
        """Tell that the server listens, and give the lock back."""
        _tell(self.pipe, READY)
        os.close(self.lock)


def tell_exit(arguments: list[str], code: int) -> None:
    """Tell the exit code, if the command line is that of a shared server.

    Whoever started one that was ready does not listen any more. The pipe stays open until then: its
    number must not come to mean something else.
    """
    if OPTION in arguments[:-1]:
        with contextlib.suppress(ValueError):
            _tell(Inherited.parse(arguments[arguments.index(OPTION) + 1]).pipe, b"%d" % code)


def _tell(pipe: int, word: bytes) -> None:
    with contextlib.suppress(OSError):
        os.write(pipe, word + b"\n")


def describe(inherited: Inherited, *, started: float, connections: int) -> dict[str, object]:
    """How a shared server is, for `mcpkit shared status`."""
    from mcpkit.core.settings.masking import mask_arguments  # a relay has no need of it

    arguments = sys.argv[1:]
    place = arguments.index(OPTION) if OPTION in arguments else len(arguments)
    command = [*arguments[:place], "--shared", *arguments[place + 2 :]]
    return {
        "pid": os.getpid(),
        "version": mcpkit.__version__,
        "age": round(time.time() - started, 1),
        "connections": connections,
        "directory": os.getcwd(),
        "command": ["mcpkit", *mask_arguments(command)],
        "log": inherited.log,
    }


def bound_log() -> None:
    """Begin the log anew when it is too long."""
    with contextlib.suppress(OSError):
        if os.fstat(2).st_size > LARGEST_LOG:
            os.ftruncate(2, 0)
