"""Responses: what is answered to one HTTP request, as JSON or, if it must be, an event stream.

A response becomes a stream when something is told before its end. One that takes long gets company:
a task that notices when its client leaves, and keeps proxies awake.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final, Protocol

import anyio
from anyio.lowlevel import checkpoint
from starlette.types import Receive, Scope, Send

from mcpkit.core.transports.unsent import LARGE, holding

logger = logging.getLogger(__name__)

ALONE = 0.05
"""Seconds after which a request gets company; most are answered by then."""

SILENCE = 15.0
"""Seconds without a byte after which a comment is sent, before a proxy gives up."""

PIECE = 128 * 1024
"""Bytes of a long message that are sent at a time, so that other clients are served between."""

FRAME: Final = (b"event: message\r\ndata: ", b"\r\n\r\n")
"""The bytes before and after the JSON of one event."""

Header = tuple[bytes, bytes]

_JSON: Final = (b"content-type", b"application/json")

_STREAM: Final = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"connection", b"keep-alive"),
    (b"x-accel-buffering", b"no"),
)


def framed(data: bytes) -> bytes:
    """One event of a stream (HTML, server-sent events); JSON has no line breaks."""
    return b"%b%b%b" % (FRAME[0], data, FRAME[1])


async def answer(send: Send, status: int, body: bytes, headers: Sequence[Header] = ()) -> None:
    """Send a whole response: JSON, or nothing."""
    length = (b"content-length", b"%d" % len(body))
    kind = [_JSON] if body else []
    start = {"type": "http.response.start", "status": status, "headers": [*kind, length, *headers]}
    await send(start)
    await send({"type": "http.response.body", "body": body})


def fields_of(scope: Scope) -> dict[str, str]:
    """Header fields by lower-case name; of a repeated one the first."""
    pairs = reversed(scope["headers"])
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in pairs}


@lru_cache(maxsize=32)
def accepted(accept: str) -> tuple[bool, bool]:
    """Whether an Accept header takes JSON, and an event stream (RFC 9110, section 12.5.1)."""
    kinds = {kind.partition(";")[0].strip().lower() for kind in accept.split(",")}
    takes_json = kinds & {"*/*", "application/*", "application/json"}
    takes_stream = kinds & {"*/*", "text/*", "text/event-stream"}
    return bool(takes_json), bool(takes_stream)


class Response:
    """The response to one request, which several tasks may write.

    Args:
        scope: Of the request.
        receive: Tells when the client has gone; the body was read.
        send: Takes the response.
        headers: Of the response, beside the usual ones.
        opening: Makes the first event of a stream.
    """

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        headers: Sequence[Header] = (),
        opening: Callable[[], bytes] | None = None,
    ) -> None:
        self.is_over = False
        self._scope = scope
        self._receive = receive
        self._send = send
        self._headers = headers
        self._opening = opening
        self._writing: anyio.Lock | None = None  # made when something is to be streamed
        self._is_stream = False
        self._written = 0.0

    async def write(self, data: bytes, frame: Callable[[bytes], bytes] = framed) -> bool:
        """Send an event, unless all is over.

        Args:
            data: The message.
            frame: Makes the event, when those before it have been sent.

        Returns:
            Whether it was sent.
        """
        with holding(self._scope, len(data)):
            async with self._lock():
                if self.is_over:
                    return False
                await self._begin()
                body = {"type": "http.response.body", "body": frame(data), "more_body": True}
                await self._send(body)
                return True

    async def begin(self) -> None:
        """Become a stream, unless all is over."""
        async with self._lock():
            if not self.is_over:
                await self._begin()

    async def end(
        self,
        body: bytes,
        status: int = 200,
        headers: Sequence[Header] = (),
        frame: Callable[[bytes], bytes] = framed,
    ) -> bool:
        """Send the last message: alone, or as the last event of the stream.

        Args:
            body: The message.
            status: Of HTTP, unless the response is a stream.
            headers: Beside the usual ones, unless the response is a stream.
            frame: Makes the event.

        Returns:
            Whether it was sent.
        """
        if self._writing is None and len(body) < LARGE:
            return await self._end(body, status, headers, frame)
        with holding(self._scope, len(body)):
            async with self._lock():
                return await self._end(body, status, headers, frame)

    async def _end(
        self,
        body: bytes,
        status: int,
        headers: Sequence[Header],
        frame: Callable[[bytes], bytes],
    ) -> bool:
        if self.is_over:
            return False
        self.is_over = True
        if self._is_stream:
            await self._send({"type": "http.response.body", "body": frame(body)})
        else:
            await answer(self._send, status, body, [*self._headers, *headers])
        return True

    async def end_in_parts(self, parts: Sequence[bytes]) -> None:
        """Send the last message piece by piece, as fast as its client reads.

        Args:
            parts: The message; together they may be large, and are not copied into one.
        """
        size = sum(map(len, parts))
        with holding(self._scope, size):
            async with self._lock():
                await self._end_in_parts(parts, size)

    async def _end_in_parts(self, parts: Sequence[bytes], size: int) -> None:
        if not self.is_over:
            self.is_over = True
            if self._is_stream:
                parts = [FRAME[0], *parts, FRAME[1]]
            else:
                headers = [_JSON, (b"content-length", b"%d" % size), *self._headers]
                await self._send({"type": "http.response.start", "status": 200, "headers": headers})
            for part in parts:
                for start in range(0, len(part), PIECE):
                    piece = part[start : start + PIECE]
                    body = {"type": "http.response.body", "body": piece, "more_body": True}
                    await self._send(body)
                    await checkpoint()  # a fast client would not let others have their turn
            await self._send({"type": "http.response.body", "body": b""})

    async def close(self) -> None:
        """End the stream before the last message."""
        async with self._lock():
            if not self.is_over:
                await self._begin()
                self.is_over = True
                await self._send({"type": "http.response.body", "body": b""})

    async def watched(self, *, comments: bool = True) -> None:
        """Return when the client has gone or all is over; send comments into long silences."""
        heard = anyio.current_time()
        while not self.is_over:
            with anyio.move_on_at(heard + SILENCE):
                while (await self._receive())["type"] != "http.disconnect":
                    pass
                return
            if comments and self._written <= heard:
                await self.write(b": ping\r\n\r\n", bytes)
            heard = self._written if self._written > heard else anyio.current_time()

    def _lock(self) -> anyio.Lock:
        if self._writing is None:
            self._writing = anyio.Lock()
        return self._writing

    async def _begin(self) -> None:
        if not self._is_stream:
            headers = [*_STREAM, *self._headers]
            await self._send({"type": "http.response.start", "status": 200, "headers": headers})
            self._is_stream = True
            first = self._opening() if self._opening is not None else b""
            await self._send({"type": "http.response.body", "body": first, "more_body": True})
        self._written = anyio.current_time()


class Lasting(Protocol):
    """A request that may take long."""

    async def accompany(self) -> None:
        """Stay until it is over."""


class Company:
    """Gives company to requests that last, so that the others need no task of their own."""

    def __init__(self) -> None:
        self._young: set[Lasting] = set()
        self._older: set[Lasting] = set()
        self._begun = anyio.Event()

    def add(self, request: Lasting) -> None:
        """Look after a request that begins."""
        self._young.add(request)
        self._begun.set()

    def remove(self, request: Lasting) -> None:
        """Forget a request that is over."""
        self._young.discard(request)
        self._older.discard(request)

    async def run(self) -> None:
        """Look after requests until cancelled: once one is older than `ALONE`, or twice that."""
        async with anyio.create_task_group() as tasks:
            while True:
                if not (self._young or self._older):
                    self._begun = anyio.Event()
                    await self._begun.wait()
                await anyio.sleep(ALONE)
                lasting, self._older, self._young = self._older, self._young, set()
                for request in lasting:
                    tasks.start_soon(_accompany, request)


async def _accompany(request: Lasting) -> None:
    try:
        await request.accompany()
    except Exception:
        logger.exception("A response could not be written")  # it is no matter of the others
