"""What clients have not read: it takes memory, so that there is a limit for each and for all.

In come the connections whose clients do not keep up. Where they wait for too much, the one that
does so for longest is closed.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from starlette.types import Scope

from mcpkit.core.settings import HttpSettings
from mcpkit.core.transports.principals import principal_of

logger = logging.getLogger(__name__)

LARGE = 64 * 1024
"""Bytes of a message that counts while it waits to be sent; smaller ones cost too little."""

STATE = "mcpkit.outgoing"
"""Where the state of an ASGI scope has what goes out on its connection."""

CLIENT_TOO_MUCH = (
    "Closed a connection of %s: %s has %d bytes to read, more than http.max_unsent_size_per_client "
    "allows"
)
ALL_TOO_MUCH = (
    "Closed a connection of %s: %s has %d bytes to read, and all clients more than "
    "http.max_unsent_size allows"
)
"""Told when a connection is closed."""


class Writer(Protocol):
    """What writes on a connection."""

    def buffered(self) -> int:
        """Bytes that were written and not sent."""
        ...

    def abort(self) -> None:
        """Close at once."""
        ...


class Outgoing:
    """What goes out on one connection.

    Args:
        unsent: What waits on all of them.
        peer: The network that the connection comes from.
    """

    def __init__(self, unsent: Unsent, peer: str) -> None:
        self._unsent = unsent
        self._peer = peer
        self._waiting = 0
        """Bytes that wait to be written."""
        self._messages = 0
        """How many messages these are."""
        self._is_paused = False
        self._last = 0
        self._reads = 0
        self.is_closed = False
        self.client = peer
        """Who asked last."""
        self.writer: Writer | None = None
        self.is_answering: Callable[[], bool] = _always
        """Whether a request is in flight on it; known of WebSockets."""

    @property
    def size(self) -> int:
        """Bytes that the client has not read; those that are being written count once."""
        return max(self._waiting, self._buffered())

    @property
    def messages(self) -> int:
        """Messages that the client has not read, at least so many."""
        return max(self._messages, 1)

    @property
    def is_blocked(self) -> bool:
        """Whether its client does not keep up."""
        return self in self._unsent

    def progress(self) -> int:
        """Something that changes when its client reads."""
        buffered = self._buffered()
        self._reads += buffered < self._last
        self._last = buffered
        return self._reads

    def pause(self) -> None:
        """Note that the client does not keep up."""
        self._is_paused = True
        self._unsent.add(self)

    def resume(self) -> None:
        """Note that the client keeps up again."""
        self._is_paused = False
        self._reads += 1
        self._settle()

    @contextmanager
    def holding(self, size: int) -> Iterator[None]:
        """Count a message while it waits to be written."""
        self._waiting += size
        self._messages += 1
        self._unsent.add(self)
        try:
            yield
        finally:
            self._waiting -= size
            self._messages -= 1
            self._settle()

    def lost(self) -> None:
        """Note that the connection is closed."""
        self.is_closed = True
        self._unsent.remove(self)

    def close(self, reason: str, size: int) -> None:
        """Close the connection, because too much waits for its client."""
        self.lost()
        logger.warning(reason, self._peer, self.client, size)
        if self.writer is not None:
            self.writer.abort()

    def _settle(self) -> None:
        if not (self._messages or self._is_paused):
            self._unsent.remove(self)

    def _buffered(self) -> int:
        return 0 if self.writer is None else self.writer.buffered()


def _always() -> bool:
    return True


class Unsent:
    """What waits on the connections whose clients do not keep up.

    Args:
        settings: How much may wait.
    """

    def __init__(self, settings: HttpSettings) -> None:
        self._settings = settings
        self._blocked: dict[Outgoing, None] = {}
        """The one that has been there for longest first."""

    def __contains__(self, outgoing: Outgoing) -> bool:
        return outgoing in self._blocked

    def add(self, outgoing: Outgoing) -> None:
        """Note that more waits on a connection; close others, or this one, if it is too much."""
        if outgoing.is_closed:
            return
        self._blocked.setdefault(outgoing)
        most = self._settings.max_unsent_size_per_client
        while own := [one for one in self._blocked if one.client == outgoing.client]:
            size = sum(one.size for one in own)
            if size <= most or (len(own) == 1 and own[0].messages <= 1):
                break
            own[0].close(CLIENT_TOO_MUCH, size)
        self._limit_all()

    def remove(self, outgoing: Outgoing) -> None:
        """Note that nothing waits on a connection, or that it is closed."""
        self._blocked.pop(outgoing, None)

    def _limit_all(self) -> None:
        """Close connections of the clients that leave most unread, as long as it is too much."""
        while len(self._blocked) > 1:
            sizes: Counter[str] = Counter()
            for one in self._blocked:
                sizes[one.client] += one.size
            if sizes.total() <= self._settings.max_unsent_size:
                return
            ((client, size),) = sizes.most_common(1)
            first = next(one for one in self._blocked if one.client == client)
            first.close(ALL_TOO_MUCH, size)


@contextmanager
def holding(scope: Scope, size: int) -> Iterator[None]:
    """Count a message while it waits to be written to the client of a request."""
    outgoing = outgoing_of(scope)
    if outgoing is None or size < LARGE:
        yield
        return
    outgoing.client = principal_of(scope)
    with outgoing.holding(size):
        yield


def outgoing_of(scope: Scope) -> Outgoing | None:
    """What goes out on the connection of a request; None where it is not known."""
    outgoing: Outgoing | None = scope.get("state", {}).get(STATE)
    return outgoing
