"""Exchanges: one request of the modern protocol and its response over HTTP.

The response is JSON, or an event stream as soon as something is told before the result. An exchange
that lasts gets company: a task that notices when its client leaves, and keeps proxies awake.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import anyio
import mcp_types as types
from mcp.shared.dispatcher import CallOptions
from mcp.shared.exceptions import NoBackChannelError
from mcp.shared.inbound import ERROR_CODE_HTTP_STATUS
from mcp.shared.jsonrpc_dispatcher import progress_token_from_params
from mcp.shared.message import ServerMessageMetadata
from mcp.shared.transport_context import TransportContext
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from mcpkit.core.encoding import ENCODED_RESULT, encode

ALONE = 0.05
"""Seconds after which an exchange gets company; most are over by then."""

SILENCE = 15.0
"""Seconds without a byte after which a comment is sent, before a proxy gives up."""

_JSON: Final = (b"content-type", b"application/json")

_STREAM_HEADERS: Final = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"connection", b"keep-alive"),
    (b"x-accel-buffering", b"no"),
]


class Exchange:
    """What the SDK dispatches (`mcp.shared.dispatcher.DispatchContext`), and how it is answered.

    Args:
        scope: Of ASGI.
        receive: Tells when the client has gone; the body was read.
        send: Takes the response.
        request: What the client asks.
        streams: Whether the response may become an event stream; else notifications are dropped.
    """

    can_send_request: Final = False

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        request: types.JSONRPCRequest,
        *,
        streams: bool,
    ) -> None:
        self.request_id: types.RequestId | None = request.id
        self.progress_token = progress_token_from_params(request.params)
        self.transport = TransportContext(
            kind="streamable-http", can_send_request=False, headers=Headers(scope=scope)
        )
        self.message_metadata = ServerMessageMetadata(request_context=Request(scope, receive))
        self.scope = anyio.CancelScope()
        """Everything that is done to answer; ended when the client has gone."""
        self.is_over = False
        self._http = scope
        self._receive = receive
        self._send = send
        self._streams = streams
        self._writing: anyio.Lock | None = None  # made when something is to be streamed
        self._is_stream = False
        self._written = 0.0

    @property
    def cancel_requested(self) -> anyio.Event:
        """Never set: this protocol cancels by leaving, which ends `scope`."""
        return anyio.Event()

    async def send_raw_request(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> dict[str, Any]:
        """Refuse: in this protocol servers ask clients nothing.

        Raises:
            NoBackChannelError: Always.
        """
        raise NoBackChannelError(method)

    async def notify(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> None:
        """Tell the client something before the result, if the response may stream."""
        if self._streams:
            body = {} if params is None else {"params": dict(params)}
            await self._write(_framed(encode({"jsonrpc": "2.0", "method": method, **body})))

    async def progress(
        self, progress: float, total: float | None = None, message: str | None = None
    ) -> None:
        """Tell how far it is, if the client wants to know."""
        if self.progress_token is None:
            return
        known = {"total": total, "message": message}
        told = {key: value for key, value in known.items() if value is not None}
        params = {"progressToken": self.progress_token, "progress": progress, **told}
        await self.notify("notifications/progress", params)

    async def finish(self, result: dict[str, Any]) -> None:
        """Send the result."""
        # Lists are the same for every client: they come encoded.
        encoded = self._http.get(ENCODED_RESULT) or encode(result)
        request_id = encode(self.request_id)
        await self._end(b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (request_id, encoded), 200)

    async def fail(self, error: types.ErrorData) -> None:
        """Send an error, with the status that belongs to its code."""
        told = error.model_dump(by_alias=True, exclude_none=True)
        body = encode({"jsonrpc": "2.0", "id": self.request_id, "error": told})
        await self._end(body, ERROR_CODE_HTTP_STATUS.get(error.code, 200))

    async def _end(self, body: bytes, status: int) -> None:
        if self._writing is None:
            self.is_over = True
            await answer(self._send, status, body)
            return
        async with self._writing:
            self.is_over = True
            if self._is_stream:
                await self._send({"type": "http.response.body", "body": _framed(body)})
            else:
                await answer(self._send, status, body)

    async def accompany(self) -> None:
        """Stay until it is over: end it when the client goes, break its silence."""
        heard = anyio.current_time()
        while not self.is_over:
            with anyio.move_on_at(heard + SILENCE):
                while (await self._receive())["type"] != "http.disconnect":
                    pass
                self.scope.cancel()
                return
            if self._streams and self._written <= heard:
                await self._write(b": ping\r\n\r\n")
            heard = self._written if self._written > heard else anyio.current_time()

    async def _write(self, event: bytes) -> None:
        """Write to the stream, beginning it if need be; drop what comes after the end."""
        if self._writing is None:
            self._writing = anyio.Lock()
        async with self._writing:
            if self.is_over:
                return
            if not self._is_stream:
                start = {"type": "http.response.start", "status": 200, "headers": _STREAM_HEADERS}
                await self._send(start)
                self._is_stream = True
            self._written = anyio.current_time()
            await self._send({"type": "http.response.body", "body": event, "more_body": True})


async def answer(send: Send, status: int, body: bytes) -> None:
    """Send a whole response: JSON, or nothing."""
    length = (b"content-length", b"%d" % len(body))
    headers = [_JSON, length] if body else [length]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _framed(data: bytes) -> bytes:
    """One event of a stream (HTML, server-sent events); JSON has no line breaks."""
    return b"event: message\r\ndata: %b\r\n\r\n" % data


class Company:
    """Gives company to exchanges that last, so that the others need no task of their own."""

    def __init__(self) -> None:
        self._young: set[Exchange] = set()
        self._begun = anyio.Event()

    def add(self, exchange: Exchange) -> None:
        """Look after an exchange that begins."""
        if not self._young:
            self._begun.set()
        self._young.add(exchange)

    def remove(self, exchange: Exchange) -> None:
        """Forget an exchange that is over."""
        self._young.discard(exchange)

    async def run(self) -> None:
        """Look after exchanges until cancelled."""
        async with anyio.create_task_group() as tasks:
            while True:
                await self._begun.wait()
                self._begun = anyio.Event()
                await anyio.sleep(ALONE)
                lasting, self._young = self._young, set()
                for exchange in lasting:
                    tasks.start_soon(exchange.accompany)
