"""The connections of the HTTP port: how many there are, whose, and which are closed when.

A connection that waits for its client (for a handshake, a header, a body or the next request) has a
time limit, and is closed before another client is refused. One that answers a request has none.
"""

from __future__ import annotations

import heapq
import logging
import math
import sys
from collections import Counter
from collections.abc import AsyncIterator, Hashable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

import anyio

from mcpkit.core.log_limits import LogLimit, limited
from mcpkit.core.settings import HttpSettings
from mcpkit.core.transports.principals import Networks, network_of

if sys.platform != "win32":
    import resource

logger = logging.getLogger(__name__)

LOGGERS = (
    "mcpkit.core.clients",
    "mcpkit.core.connections",
    "mcpkit.core.health",
    "mcpkit.core.transports.guard",
    "mcpkit.core.transports.http_connections",
    "mcpkit.core.transports.http_listener",
    "mcpkit.core.transports.http_protocol",
    "mcpkit.core.transports.shares",
    "mcpkit.core.transports.unsent",
    "mcpkit.core.transports.websocket_protocol",
    "uvicorn.error",
)
"""Loggers of what anybody can cause who reaches the port."""

RESERVED = 200
"""File descriptors left for all that is no connection: plugins, databases, pipes."""

ROUND = 1.0
"""Most seconds between two looks at all connections."""

AT_ONCE = 50
"""The part of the connections that is closed at once, if it waits, is one of so many: to choose
costs a look at all."""


SPARE = 8
"""Connections beyond all others, which probes alone may use."""


class Phase(Enum):
    """What a connection does."""

    HANDSHAKE = "TLS handshake"
    HEADER = "header"
    BODY = "body"
    IDLE = "idle"
    OPEN = "open"
    ANSWERING = "answering"
    SENDING = "sending"
    CLOSING = "closing"


WAITING = frozenset({Phase.HANDSHAKE, Phase.HEADER, Phase.BODY, Phase.IDLE, Phase.OPEN})
"""Phases in which nothing but the client is waited for."""


class Speaker(Protocol):
    """What speaks on a connection: HTTP, WebSocket, or TLS that is not there yet."""

    @property
    def is_authenticated(self) -> bool:
        """Whether its last request had a valid API key."""
        ...

    def state(self) -> tuple[Phase, Hashable]:
        """The phase, and something that changes when the client makes progress in it."""
        ...

    def expire(self, phase: Phase) -> None:
        """Close, because a phase took too long."""
        ...

    def abort(self) -> None:
        """Close at once."""
        ...


@dataclass(slots=True, eq=False)
class Connection:
    """One connection.

    Attributes:
        peer: The network it comes from.
        speaker: What speaks on it now.
        state: Its phase and progress at the last look.
        since: When that was first seen, on the clock of `Connections`.
        is_spare: Whether probes alone may use it.
    """

    peer: str
    speaker: Speaker
    since: float
    state: tuple[Phase, Hashable] = field(default=(Phase.HANDSHAKE, None))
    is_spare: bool = False


class Connections:
    """All connections of the port.

    Args:
        settings: How many there may be, and how long they may wait.
    """

    def __init__(self, settings: HttpSettings) -> None:
        self._settings = settings
        self.most = most_connections(settings)
        """How many there may be."""
        self._limits = {
            Phase.HANDSHAKE: settings.header_timeout,
            Phase.HEADER: settings.header_timeout,
            Phase.BODY: settings.body_timeout,
            Phase.IDLE: settings.idle_timeout,
            Phase.SENDING: settings.send_timeout,
            Phase.CLOSING: settings.idle_timeout,
        }
        self._trusted = Networks(settings.trusted_proxies)
        self._open: set[Connection] = set()
        self._spare: set[Connection] = set()
        self._peers: Counter[str] = Counter()
        self._clock = 0.0
        """Seconds in which clients could be heard: the time that the loop stood still is left out,
        so that nobody pays for it."""

    def admit(self, address: str) -> bool:
        """Whether there is room for a connection; others that wait are closed to make it."""
        peer, most = network_of(address), self._settings.max_connections_per_peer
        if self._peers[peer] >= most and address not in self._trusted:
            own = (connection for connection in self._open if connection.peer == peer)
            logger.warning(
                "%s has %d connections, as many as http.max_connections_per_peer allows", peer, most
            )
            if not self._make_room(own, most):
                return False
        if len(self._open) >= self.most:
            logger.warning(
                "%d connections are open, as many as http.max_connections and the limit of open "
                "files allow",
                self.most,
            )
            return self.make_room()
        return True

    def admit_spare(self) -> bool:
        """Whether there is room for a spare connection, beyond those that `admit` counts."""
        return len(self._spare) < SPARE or self._make_room(self._spare, SPARE)

    def add(self, address: str, speaker: Speaker, *, is_spare: bool = False) -> Connection:
        """Count a connection that was admitted."""
        connection = Connection(network_of(address), speaker, self._clock, is_spare=is_spare)
        if is_spare:
            self._spare.add(connection)
            return connection
        self._open.add(connection)
        self._peers[connection.peer] += 1
        return connection

    def remove(self, connection: Connection) -> None:
        """Count a connection no more."""
        self._spare.discard(connection)
        if connection in self._open:
            self._open.remove(connection)
            self._peers[connection.peer] -= 1
            if not self._peers[connection.peer]:
                del self._peers[connection.peer]

    def make_room(self) -> bool:
        """Close some connections that wait, of any peer; False if none does."""
        return self._make_room(self._open, self.most)

    def _make_room(self, among: Iterable[Connection], most: int) -> bool:
        """Close those first that have no key, then those of the peer with the most, the oldest."""
        waiting = (one for one in among if one.speaker.state()[0] in WAITING)
        chosen = heapq.nsmallest(
            max(1, most // AT_ONCE),
            waiting,
            key=lambda one: (one.speaker.is_authenticated, -self._peers[one.peer], one.since),
        )
        for connection in chosen:
            self.remove(connection)
            connection.speaker.abort()
        return bool(chosen)

    async def watch(self, log: LogLimit) -> None:
        """Close connections that wait too long, until cancelled.

        Args:
            log: Tells in between what was left out of it.
        """
        pause = min(ROUND, *(limit / 4 for limit in self._limits.values()))
        last = anyio.current_time()
        while True:
            await anyio.sleep(pause)
            now = anyio.current_time()
            self._clock += min(now - last, 2 * pause)
            last = now
            for connection in [*self._open, *self._spare]:
                self._look(connection)
            log.tell()

    def _look(self, connection: Connection) -> None:
        state = connection.speaker.state()
        if state != connection.state:
            connection.state, connection.since = state, self._clock
            return
        phase = state[0]
        if self._clock - connection.since <= self._limits.get(phase, math.inf):
            return
        if phase is Phase.CLOSING:
            connection.speaker.abort()
        else:
            connection.speaker.expire(phase)


@asynccontextmanager
async def watched_connections(settings: HttpSettings) -> AsyncIterator[Connections]:
    """Close connections that wait too long, and limit the log of what strangers cause."""
    connections = Connections(settings)
    with limited(LOGGERS) as log:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(connections.watch, log)
            yield connections
            tasks.cancel_scope.cancel()


def most_connections(settings: HttpSettings) -> int:
    """How many connections there may be, given how many files the process may open."""
    wanted, files = settings.max_connections, _open_files()
    if files - RESERVED >= wanted:
        return wanted
    possible = int(max(files - RESERVED, files // 2))
    if possible < wanted and "max_connections" in settings.model_fields_set:
        logger.warning(
            "http.max_connections is %d, but this process may open %d files: %d connections are "
            "allowed; raise `ulimit -n` for more",
            wanted,
            files,
            possible,
        )
    return min(wanted, possible)


def _open_files() -> float:
    """The number of files that the process may open."""
    if sys.platform == "win32":
        return math.inf
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return math.inf if limit == resource.RLIM_INFINITY else limit
