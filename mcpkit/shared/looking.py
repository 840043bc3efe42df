"""Looking: which shared servers of this user run, and stopping them.

In come the files of the runtime folder; out go the servers behind them. A process is believed to be
one only while a connection to its socket is open: the system tells who listens there.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from mcpkit.core.peers import ASK, peer
from mcpkit.shared.places import Place, is_there, places
from mcpkit.shared.starting import has_server, take_lock

PATIENCE = 5.0
"""Seconds that a server gets to tell how it is."""

GRACE = 20.0
"""Seconds that calls in flight get in a server which does not tell how long they may take."""

LAST_GRACE = 20.0
"""Seconds beyond that in which lifespans close and the process ends."""

PAUSE = 0.05
"""Seconds between looks whether a process has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A shared server that runs.

    Attributes:
        pid: Of its process; None when neither the system nor the server tells.
        log: File that its standard error goes to.
        told: How it is; only `pid` and `log` when it does not answer.
    """

    pid: int | None
    log: str
    told: dict[str, Any]

    @property
    def answers(self) -> bool:
        """Whether it has told how it is."""
        return "version" in self.told


def look() -> Iterator[Found]:
    """Find the servers; each is connected to until the next one is asked for."""
    for place in places():
        if not is_there(place.socket):
            continue
        connection = _connect(place)
        if connection is None:
            _forget(place)
            continue
        with connection:
            yield _ask(connection, place)


def _connect(place: Place) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(PATIENCE)
    try:
        connection.connect(place.socket)
    except OSError:
        connection.close()
        return None
    return connection


def _ask(connection: socket.socket, place: Place) -> Found:
    process, _ = peer(connection)
    told: dict[str, Any] = {}
    with contextlib.suppress(OSError, ValueError):
        connection.sendall(ASK)
        told = json.loads(b"".join(iter(lambda: connection.recv(65536), b"")))
    pid = process if process is not None else told.get("pid")
    if told:
        told["memory"] = _memory(pid)
    return Found(pid=pid, log=place.log, told={**told, "pid": pid, "log": place.log})


def _memory(pid: int | None) -> int | None:
    """Resident memory of a process in bytes; None where the system does not tell it in a file."""
    with contextlib.suppress(OSError, ValueError), open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return None


def _forget(place: Place) -> None:
    """Remove the socket of a server that has crashed, unless one is being started there."""
    lock = take_lock(place)
    if lock is not None:
        has_server(place)
        os.close(lock)


def stop_all(servers: Iterable[Found], *, force: bool = False) -> tuple[int, list[Found]]:
    """Stop servers, all at once, and wait until they have ended.

    Args:
        servers: As `look` finds them.
        force: Kill those that do not answer, and those that do not stop in time.

    Returns:
        How many have stopped, and those that have not.
    """
    told = []
    for server in servers:
        process = _Process(server.pid)
        process.tell(signal.SIGKILL if force and not server.answers else signal.SIGTERM)
        told.append((server, process))
    now = time.monotonic()
    left = []
    for server, process in told:
        grace = float(server.told.get("grace", GRACE))
        has_ended = process.ends(now + grace + LAST_GRACE)
        if force and not has_ended:
            process.tell(signal.SIGKILL)
            has_ended = process.ends(time.monotonic() + PATIENCE)
        if not has_ended:
            left.append(server)
        process.forget()
    return len(told) - len(left), left


class _Process:
    """A process; made while it is known that it is the one that is meant."""

    def __init__(self, pid: int | None) -> None:
        self._pid = pid
        self._handle: int | None = None
        if pid is not None and sys.platform == "linux":
            with contextlib.suppress(OSError):  # an old system
                self._handle = os.pidfd_open(pid)

    def tell(self, number: signal.Signals) -> None:
        """Send a signal, to this process and no other that got its number."""
        with contextlib.suppress(OSError):  # it has ended by itself
            if self._handle is not None:
                signal.pidfd_send_signal(self._handle, number)
            elif self._pid is not None:
                os.kill(self._pid, number)

    def ends(self, deadline: float) -> bool:
        """Wait until it has ended; False if it does not in time."""
        while not self._has_ended():
            if time.monotonic() > deadline:
                return False
            time.sleep(PAUSE)
        return True

    def _has_ended(self) -> bool:
        if self._handle is not None:  # tells it even if nobody has waited for the process
            return bool(select.select([self._handle], [], [], 0)[0])
        if self._pid is not None:
            try:
                os.kill(self._pid, 0)
            except ProcessLookupError:
                return True
        return False

    def forget(self) -> None:
        """Give the handle back."""
        if self._handle is not None:
            os.close(self._handle)
