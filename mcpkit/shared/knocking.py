"""Knocking: is there a server at a socket, and does it take us?

In comes a path; out comes a connection that is served, or nothing: then a server has to be started.
"""

from __future__ import annotations

import os
import socket
import time

from mcpkit.core.errors import ServeError
from mcpkit.core.peers import ASK, JOIN, WELCOME, peer

ANSWER = 5.0
"""Seconds that a server gets to welcome a client: it may be busy, but a host does not wait long."""

START = 60.0
"""Seconds that a server gets to start."""

PAUSE = 0.02
"""Seconds between looks at a server that somebody else starts, or that takes no connection yet."""


class Start:
    """How a server is started, if there is none.

    Args:
        arguments: Of the plain command.
        environment: Of the process.
        directory: Where it starts; `--directory` counts from there.
    """

    def __init__(self, arguments: list[str], environment: dict[str, str], directory: str) -> None:
        self.arguments = arguments
        self.environment = environment
        self.directory = directory


def knock(path: str, word: bytes) -> socket.socket | None:
    """Connect to a server and say a word.

    Returns:
        The connection, with its welcome read if the word was `JOIN`; None when nobody is there, or
        the server is leaving.

    Raises:
        ServeError: The server does not answer, or is somebody else's.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(ANSWER)
    is_open = False
    try:
        _connect(connection, path)
        if peer(connection)[1] not in {None, os.geteuid()}:
            raise ServeError(f"The server at {path!r} is somebody else's", hint="Remove that file")
        connection.sendall(word)
        is_open = word != JOIN or connection.recv(1) == WELCOME
        connection.settimeout(None)
    except TimeoutError as exc:
        raise ServeError(
            f"The shared server at {path!r} does not answer",
            hint="`mcpkit shared stop --force` ends it; `mcpkit shared status` tells its log",
        ) from exc
    except (FileNotFoundError, ConnectionError):
        pass  # nobody is there, or about to leave
    except OSError as exc:
        raise ServeError(f"Cannot connect to {path!r}: {exc.strerror}") from exc
    finally:
        if not is_open:
            connection.close()
    return connection if is_open else None


def _connect(connection: socket.socket, path: str) -> None:
    """Connect; while many others do the same, the queue may be full."""
    deadline = time.monotonic() + ANSWER
    while True:
        try:
            connection.connect(path)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise TimeoutError from None
            time.sleep(PAUSE)
        else:
            return


def is_alive(path: str) -> bool:
    """Whether a server answers; or there is none, and its connections end by themselves."""
    try:
        connection = knock(path, ASK)
        if connection is None:
            return True
        with connection:
            connection.settimeout(ANSWER)
            connection.recv(1)
    except (ServeError, TimeoutError):
        return False
    except OSError:
        pass  # it closes connections, so it lives
    return True
