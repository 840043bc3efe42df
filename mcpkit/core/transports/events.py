"""Events: what a session of the 2025 protocols has sent lately, so that its client can resume.

One log for each session: the SDK names streams by request id, which several sessions share.
"""

from __future__ import annotations

from collections import deque
from itertools import count
from secrets import token_hex
from typing import Any

import mcp_types as types
from mcp.server.streamable_http import EventCallback, EventMessage, EventStore
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager


class EventLog(EventStore):
    """The last messages of one session, in memory; older ones are forgotten.

    Args:
        limit: Most messages kept.
    """

    def __init__(self, limit: int) -> None:
        self._events: deque[tuple[str, str, types.JSONRPCMessage | None]] = deque(maxlen=limit)
        self._prefix = token_hex(8)
        self._numbers = count(1)

    async def store_event(self, stream_id: str, message: types.JSONRPCMessage | None) -> str:
        """Keep one message of a stream, or None for an event that only tells its id."""
        event_id = f"{self._prefix}-{next(self._numbers)}"
        self._events.append((event_id, stream_id, message))
        return event_id

    async def replay_events_after(
        self, last_event_id: str, send_callback: EventCallback
    ) -> str | None:
        """Send again what came after an event, on its stream.

        Returns:
            The stream; None when the event is unknown or forgotten.
        """
        events = list(self._events)
        known = {event_id: place for place, (event_id, _, _) in enumerate(events)}
        place = known.get(last_event_id)
        if place is None:
            return None
        stream_id = events[place][1]
        for event_id, stream, message in events[place + 1 :]:
            if stream == stream_id and message is not None:
                await send_callback(EventMessage(message, event_id))
        return stream_id


class SessionManager(StreamableHTTPSessionManager):
    """The SDK's manager, with an event log for each session it opens.

    Args:
        server: The SDK server that answers.
        event_limit: Most messages kept for each session; 0 for none.
        **options: Further arguments of the SDK's manager.
    """

    def __init__(self, server: Any, *, event_limit: int, **options: Any) -> None:
        self._event_limit = event_limit
        super().__init__(server, **options)

    @property
    def event_store(self) -> EventStore | None:
        """The log of a session that is about to be opened."""
        return EventLog(self._event_limit) if self._event_limit else None

    @event_store.setter
    def event_store(self, value: EventStore | None) -> None:
        if value is not None:
            raise ValueError("Each session has an event log of its own; set event_limit")
