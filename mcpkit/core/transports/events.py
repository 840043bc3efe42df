"""Events: what a session of the 2025 protocols has sent lately, so that its client can resume."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
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


class EventLog:
    """The last events of one session, in memory; older ones are forgotten.

    Args:
        limit: Most events kept.
    """

    def __init__(self, limit: int) -> None:
        self._events: deque[Event] = deque(maxlen=limit)
        self._numbers = count(1)
        self._name = token_hex(4)  # an event of another session is never taken for one of this

    def add(self, stream: str, data: bytes, *, is_last: bool = False) -> Event:
        """Keep one more."""
        event = Event(f"{self._name}-{next(self._numbers)}", stream, data, is_last)
        self._events.append(event)
        return event

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
