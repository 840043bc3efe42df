"""Events: what a session of the 2025 protocols has sent lately, so that its client can resume.

One log for each session: the SDK names streams by request id, which several sessions share.
"""

from __future__ import annotations

from collections import deque
from itertools import count
from secrets import token_hex
from typing import Any
from weakref import WeakValueDictionary

import mcp_types as types
from mcp.server.streamable_http import EventCallback, EventMessage, EventStore
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

RESPONSES = types.JSONRPCResponse | types.JSONRPCError
"""The messages with which a stream of a request ends."""


class EventLog(EventStore):
    """The last messages of one session, in memory; older ones are forgotten.

    Args:
        limit: Most messages kept.
    """

    def __init__(self, limit: int) -> None:
        self._events: deque[tuple[str, str, types.JSONRPCMessage | None]] = deque(maxlen=limit)
        self._numbers = count(1)
        self.name = token_hex(8)
        """The beginning of all its event ids."""

    async def store_event(self, stream_id: str, message: types.JSONRPCMessage | None) -> str:
        """Keep one message of a stream, or None for an event that only tells its id."""
        event_id = f"{self.name}-{next(self._numbers)}"
        self._events.append((event_id, stream_id, message))
        return event_id

    async def replay_events_after(
        self, last_event_id: str, send_callback: EventCallback
    ) -> str | None:
        """Send again what came after an event, on its stream.

        Returns:
            The stream; None when the event is unknown or forgotten, or the response was among
            what came, so that nothing is left to wait for.
        """
        events = list(self._events)
        known = {event_id: place for place, (event_id, _, _) in enumerate(events)}
        place = known.get(last_event_id)
        if place is None:
            return None
        stream_id = events[place][1]
        ended = False
        for event_id, stream, message in events[place + 1 :]:
            if stream == stream_id and message is not None:
                await send_callback(EventMessage(message, event_id))
                ended = ended or isinstance(message, RESPONSES)
        return None if ended else stream_id

    def ends_with(self, event_id: str) -> bool:
        """Whether this event is a response, after which its stream has nothing more to say."""
        found = (message for known, _, message in self._events if known == event_id)
        return isinstance(next(found, None), RESPONSES)


class SessionManager(StreamableHTTPSessionManager):
    """The SDK's manager as an application, with an event log for each session it opens.

    Args:
        server: The SDK server that answers.
        event_limit: Most messages kept for each session; 0 for none.
        **options: Further arguments of the SDK's manager.
    """

    def __init__(self, server: Any, *, event_limit: int, **options: Any) -> None:
        self._event_limit = event_limit
        self._logs: WeakValueDictionary[str, EventLog] = WeakValueDictionary()
        super().__init__(server, **options)

    @property
    def event_store(self) -> EventStore | None:
        """The log of a session that is about to be opened."""
        if not self._event_limit:
            return None
        log = EventLog(self._event_limit)
        self._logs[log.name] = log
        return log

    @event_store.setter
    def event_store(self, value: EventStore | None) -> None:
        if value is not None:
            raise ValueError("Each session has an event log of its own; set event_limit")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; there is no stream to resume once its response has arrived.

        Clients of the TypeScript SDK 1.x ask for one after every error. It would stay open until
        the session ends; 405 makes them stop (specification, "Listening for Messages").
        """
        last = Headers(scope=scope).get("last-event-id", "")
        log = self._logs.get(last.partition("-")[0])
        if scope["method"] == "GET" and log is not None and log.ends_with(last):
            await Response(status_code=405, headers={"Allow": "POST, DELETE"})(scope, receive, send)
            return
        await self.handle_request(scope, receive, send)
