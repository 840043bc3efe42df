"""Clients of the network transports, and what each of them uses.

A client is the holder of one API key, or else one network address. Its sessions count, whatever the
transport: sessions of the 2025 protocols over HTTP, SSE streams and WebSockets. Where there are too
many, one that nobody is connected to is ended to make room.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from mcpkit.core.settings import HttpSettings
from mcpkit.core.transports.events import Kept

logger = logging.getLogger(__name__)

ENDED = "an idle one was ended"
REFUSED = "refused one more"
"""What was done when there were too many sessions."""


@dataclass(slots=True, eq=False)
class Client:
    """One client.

    Attributes:
        name: As `mcpkit.core.transports.principals.principal_of` spells it.
        sessions: How many are open.
        idle: Those that nobody is connected to, the one that is idle for longest first.
        requests: How many requests are in flight in all of them.
        requests_size: Bytes of these.
        kept: Bytes of messages that are kept so that it can resume.
    """

    name: str
    kept: Kept
    sessions: int = 0
    idle: dict[Place, None] = field(default_factory=dict)
    requests: int = 0
    requests_size: int = 0


@dataclass(slots=True, eq=False)
class Place:
    """The place of one session among those of all clients.

    Attributes:
        client: Whose session it is.
        settings: How much its client may use.
        end: Ends the session; None if somebody is always connected to it.
        uses: How many connections use it now.
        requests: How many of its requests are in flight.
        requests_size: Bytes of these.
        is_open: Whether it counts as a session.
        is_over: Whether its requests count no more, because all have ended.
    """

    client: Client
    settings: HttpSettings
    end: Callable[[], None] | None = None
    uses: int = 0
    requests: int = 0
    requests_size: int = 0
    is_open: bool = True
    is_over: bool = False

    def use(self) -> None:
        """Note that somebody is connected to it: it is not ended to make room."""
        self.uses += 1
        self.client.idle.pop(self, None)

    def release(self) -> bool:
        """Note that somebody is gone; True if nobody is left."""
        self.uses -= 1
        if not self.uses and self.is_open:
            self.client.idle[self] = None
        return not self.uses

    def count(self, change: int, size: int) -> None:
        """Note that requests of it begin, or end."""
        self.requests += change
        self.requests_size += size
        if not self.is_over:
            self.client.requests += change
            self.client.requests_size += size

    def has_room(self, size: int) -> bool:
        """Whether its client may keep so many bytes more."""
        most = self.settings.max_requests_size_per_client
        return self.client.requests_size + size <= most

    def exceeded(self, size: int) -> tuple[str, int] | None:
        """The setting, and its value, that one more request of some size would exceed."""
        client, settings = self.client, self.settings
        if client.requests >= settings.max_requests_per_client:
            return "http.max_requests_per_client", client.requests
        most = settings.max_requests_size_per_client
        if client.requests and client.requests_size + size > most:
            return "http.max_requests_size_per_client", client.requests
        return None


class RequestLimit:
    """Limit of the requests in flight on one connection, or in one session.

    Args:
        most: How many there may be.
        place: Of the session; None if it is no client of the network.
    """

    def __init__(self, most: int, place: Place | None = None) -> None:
        self._most = most
        self._place = place
        self._count = 0
        self._is_told = False

    @property
    def has_sizes(self) -> bool:
        """Whether the sizes of requests matter."""
        return self._place is not None

    def take(self, size: int = 0) -> bool:
        """Count one more request; False if there are too many, or they are too large."""
        if self._count >= self._most:
            self._tell("A session", self._most, "calls.limit_per_connection")
            return False
        exceeded = self._place.exceeded(size) if self._place is not None else None
        if self._place is not None and exceeded is not None:
            setting, count = exceeded
            self._tell(self._place.client.name, count, setting)
            return False
        self._change(1, size)
        return True

    def give(self, size: int = 0) -> None:
        """Count one less."""
        self._change(-1, -size)

    def _change(self, change: int, size: int) -> None:
        self._count += change
        if self._place is not None:
            self._place.count(change, size)

    def _tell(self, who: str, count: int, setting: str) -> None:
        if not self._is_told:
            self._is_told = True
            logger.warning(
                "%s has %d requests in flight, as many as %s allows: refused one more",
                who,
                count,
                setting,
            )


class Clients:
    """All clients.

    Args:
        settings: How much they may use.
    """

    def __init__(self, settings: HttpSettings) -> None:
        self._settings = settings
        self._clients: dict[str, Client] = {}
        self._sessions = 0

    def enter(self, name: str) -> Place | None:
        """Count a session that begins; an idle one is ended to make room.

        Args:
            name: Of the client.

        Returns:
            Its place; None if there is no room.
        """
        most = self._settings.resumable_size_per_client
        client = self._clients.get(name) or Client(name, Kept(most))
        if not (self._has_share(client) and self._has_room()):
            return None
        self._clients[name] = client  # it may have gone with its last session
        client.sessions += 1
        self._sessions += 1
        return Place(client, self._settings)

    def leave(self, place: Place) -> None:
        """Count neither a session nor its requests any more: all of them have ended."""
        self._close(place)
        if not place.is_over:
            place.count(-place.requests, -place.requests_size)
            place.is_over = True
        client = place.client
        if not (client.sessions or client.requests) and self._clients.get(client.name) is client:
            del self._clients[client.name]

    def _close(self, place: Place) -> None:
        """Count a session no more; its requests count until they have ended."""
        if place.is_open:
            place.is_open = False
            place.client.idle.pop(place, None)
            place.client.sessions -= 1
            self._sessions -= 1

    @contextmanager
    def connected(self, name: str) -> Iterator[Place | None]:
        """Count a session that lasts as long as its connection; None if there is no room."""
        place = self.enter(name)
        try:
            yield place
        finally:
            if place is not None:
                self.leave(place)

    def _has_share(self, client: Client) -> bool:
        """Whether a client may have one more session."""
        most = self._settings.max_sessions_per_client
        if client.sessions < most:
            return True
        is_evicted = self._evict(client)
        logger.warning(
            "%s has %d sessions, as many as http.max_sessions_per_client allows: %s",
            client.name,
            most,
            ENDED if is_evicted else REFUSED,
        )
        return is_evicted

    def _has_room(self) -> bool:
        """Whether there may be one more session of any client."""
        most = self._settings.max_sessions
        if self._sessions < most:
            return True
        crowded = max(
            (client for client in self._clients.values() if client.idle),
            key=lambda client: client.sessions,
            default=None,
        )
        is_evicted = crowded is not None and self._evict(crowded)
        logger.warning(
            "%d sessions are open, as many as http.max_sessions allows: %s",
            most,
            ENDED if is_evicted else REFUSED,
        )
        return is_evicted

    def _evict(self, client: Client) -> bool:
        """End the session of a client that is idle for longest; False if none is."""
        place = next(iter(client.idle), None)
        if place is None:
            return False
        self._close(place)
        if place.end is not None:
            place.end()
        return True
