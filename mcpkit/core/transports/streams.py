"""Streams: the messages that belong to one request of a session, and where they go.

They go to the response of the request; while nobody listens, to the log, from which a client that
comes back resumes (specification of 2025-11-25, "Resumability and Redelivery").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import anyio
import mcp_types as types

from mcpkit.core.encoding import encode
from mcpkit.core.transports.events import EventLog
from mcpkit.core.transports.responses import Header, Response, framed

TOO_LARGE = {
    "code": types.INTERNAL_ERROR,
    "message": "The answer was lost with its connection: it was too large to keep; ask again",
}
"""Kept for a client that resumes, in place of an answer larger than `http.resumable_size`."""


class Outlet(Protocol):
    """Where the messages of a stream go: a response, or a part of one."""

    is_over: bool

    async def write(self, data: bytes, frame: Callable[[bytes], bytes] = ...) -> bool:
        """Send an event; False if all is over."""
        ...

    async def end(
        self,
        body: bytes,
        status: int = ...,
        headers: Sequence[Header] = ...,
        frame: Callable[[bytes], bytes] = ...,
    ) -> bool:
        """Send the last message; False if all is over."""
        ...

    async def begin(self) -> None:
        """Become a stream."""
        ...

    async def close(self) -> None:
        """End the stream before the last message."""
        ...

    async def watched(self, *, comments: bool = ...) -> None:
        """Return when the client has gone, or all is over."""
        ...


class Stream:
    """The messages that belong to one request, or to none.

    Args:
        name: In the log.
        log: Keeps what is sent; None for nothing.
        request_id: Of the request; None for what belongs to none.
        streams: Whether its response may become an event stream.
    """

    def __init__(
        self,
        name: str,
        log: EventLog | None,
        request_id: types.RequestId | None = None,
        *,
        streams: bool = True,
    ) -> None:
        self.name = name
        self.request_id = request_id
        self.streams = streams
        self.response: Outlet | None = None
        """Where it goes now."""
        self.answer: types.JSONRPCMessage | None = None
        """The last message, once there is one."""
        self.let_go = anyio.Event()
        """Set when the response it began with is over."""
        self.size = 0
        """Bytes of the request."""
        self._log = log

    async def tell(self, data: bytes) -> None:
        """Send a message before the last one; keep it while nobody listens."""
        while (response := self._open_response()) is not None:
            if await response.write(data, self._next):
                return
        self._next(data)

    async def end(self, data: bytes, status: int = 200, headers: Sequence[Header] = ()) -> None:
        """Send the last message; with an HTTP status of its own, if no stream has begun."""
        while (response := self._open_response()) is not None:
            if await response.end(data, status, headers, self._last):
                break
        else:
            self._last(data)
        self.release(self.response)

    async def close(self) -> None:
        """End the response before the last message; the client will resume."""
        response = self.response
        if response is not None:
            await response.close()
            self.release(response)

    async def follow(self, response: Response) -> None:
        """Go on in another response, until its client goes; the one before is closed."""
        before, self.response = self.response, response
        if before is not None:
            await before.close()
            self.let_go.set()
        await response.begin()
        await response.watched()
        self.release(response)

    def release(self, response: Outlet | None) -> None:
        """Send nothing to a response any more."""
        if self.response is response:
            self.response = None
            self.let_go.set()

    async def accompany(self) -> None:
        """Begin the stream of a request that takes long, and notice when its client goes."""
        response = self.response
        if response is None:
            return
        if self.streams:
            await response.begin()
        await response.watched(comments=self.streams)
        if not response.is_over:
            response.is_over = True
            self.release(response)

    def _open_response(self) -> Outlet | None:
        """Where it goes now; another one, if that was closed while a message waited."""
        response = self.response
        return None if response is None or response.is_over else response

    def _next(self, data: bytes) -> bytes:
        if self._log is None:
            return framed(data)
        return self._log.add(self.name, data).framed()

    def _last(self, data: bytes) -> bytes:
        if self._log is None:
            return framed(data)
        instead = encode({"jsonrpc": "2.0", "id": self.request_id, "error": TOO_LARGE})
        return self._log.add(self.name, data, is_last=True, instead=instead).framed()
