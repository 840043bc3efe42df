"""Events: what a session of the 2025 protocols has sent lately, so that its client can resume."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from secrets import token_hex


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stream.

    Attributes:
        name: Its id, which a client that resumes sends as `Last-Event-ID`.
        stream: Which stream of the session it belongs to.
        data: The message; empty for an event that only tells its id.
        is_last: Whether the stream has nothing more to say.
    """

    name: str
    stream: str
    data: bytes
    is_last: bool = False

    def framed(self, retry: int | None = None) -> bytes:
        """As it is sent (HTML, server-sent events).

        Args:
            retry: Milliseconds after which a client that lost the stream should come back.
        """
        head = b"id: %b\r\n" % self.name.encode()
        if retry is not None:
            head += b"retry: %d\r\n" % retry
        kind = b"event: message\r\n" if self.data else b""
        return b"%b%bdata: %b\r\n\r\n" % (head, kind, self.data)


@dataclass(slots=True)
class Kept:
    """Bytes that are kept for one client, in all its sessions.

    Attributes:
        most: Bytes that may be kept.
        size: Bytes that are kept.
    """

    most: float = math.inf
    size: int = 0


class EventLog:
    """The last events of one session, in memory; older ones are forgotten.

    Args:
        limit: Most events kept.
        most: Bytes of them that are kept.
        kept: Counts those of the whole client.
    """

    def __init__(self, limit: int, most: float = math.inf, kept: Kept | None = None) -> None:
        self._events: deque[Event] = deque()
        self._limit = limit
        self._most = most
        self._size = 0
        self._kept = kept or Kept()
        self._numbers = count(1)
        self._name = token_hex(4)  # an event of another session is never taken for one of this

    def add(
        self, stream: str, data: bytes, *, is_last: bool = False, instead: bytes = b""
    ) -> Event:
        """Keep one more, and forget the oldest if it is too much.

        Args:
            stream: Which stream it belongs to.
            data: The message.
            is_last: Whether the stream has nothing more to say.
            instead: Kept if the message is larger than all that may be kept.
        """
        event = Event(f"{self._name}-{next(self._numbers)}", stream, data, is_last)
        is_large = len(data) > min(self._most, self._kept.most)
        self._events.append(replace(event, data=instead) if is_large else event)
        self._count(self._events[-1], 1)
        while len(self._events) > self._limit or (self._events and self._is_full):
            self._count(self._events.popleft(), -1)
        return event

    def clear(self) -> None:
        """Forget everything."""
        while self._events:
            self._count(self._events.popleft(), -1)

    @property
    def _is_full(self) -> bool:
        return self._size > self._most or self._kept.size > self._kept.most

    def _count(self, event: Event, sign: int) -> None:
        size = sign * len(event.data)
        self._size += size
        self._kept.size += size

    def after(self, name: str) -> tuple[Event, Sequence[Event]] | None:
        """An event, and the messages that came after it on its stream.

        Returns:
            None when the event is unknown or forgotten.
        """
        events = list(self._events)
        place = next((place for place, event in enumerate(events) if event.name == name), None)
        if place is None:
            return None
        found = events[place]
        later = events[place + 1 :]
        return found, [event for event in later if event.stream == found.stream and event.data]
