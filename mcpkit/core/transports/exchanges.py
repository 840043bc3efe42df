"""Exchanges: one request of the modern protocol, as the SDK dispatches it, and its response."""

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
from starlette.types import Receive, Scope

from mcpkit.core.encoding import ENCODED_MEMBERS, ENCODED_RESULT, encode, with_members
from mcpkit.core.transports.refusals import refusal
from mcpkit.core.transports.responses import Response


class Exchange:
    """What the SDK dispatches (`mcp.shared.dispatcher.DispatchContext`), and how it is answered.

    Args:
        http: The scope of ASGI.
        receive: Gives the body once more, for a handler that reads the request itself.
        response: Takes what is told.
        request: What the client asks.
        streams: Whether the response may become an event stream; else notifications are dropped.
    """

    can_send_request: Final = False

    def __init__(
        self,
        http: Scope,
        receive: Receive,
        response: Response,
        request: types.JSONRPCRequest,
        *,
        streams: bool,
    ) -> None:
        self.request_id: types.RequestId | None = request.id
        self.progress_token = progress_token_from_params(request.params)
        self.transport = TransportContext(
            kind="streamable-http", can_send_request=False, headers=Headers(scope=http)
        )
        self.message_metadata = ServerMessageMetadata(request_context=Request(http, receive))
        self.scope = anyio.CancelScope()
        """Everything that is done to answer; ended when the client has gone."""
        self.response = response
        self._http = http
        self._members: dict[str, bytes] = {}
        http[ENCODED_MEMBERS] = self._members
        self._streams = streams

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
            message = {"jsonrpc": "2.0", "method": method, **body}
            await self.response.write(encode(message))

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
        if self._members:
            head = b'{"jsonrpc":"2.0","id":%b,"result":' % request_id
            await self.response.end_in_parts([head, *with_members(encoded, self._members), b"}"])
            return
        body = b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (request_id, encoded)
        await self.response.end(body)

    async def fail(self, error: types.ErrorData) -> None:
        """Send an error, with the status that belongs to its code."""
        told = error.model_dump(by_alias=True, exclude_none=True)
        body = encode({"jsonrpc": "2.0", "id": self.request_id, "error": told})
        status, headers = refusal(error) or (ERROR_CODE_HTTP_STATUS.get(error.code, 200), ())
        await self.response.end(body, status, headers)

    async def accompany(self) -> None:
        """End it when the client goes; break its silence."""
        await self.response.watched(comments=self._streams)
        if not self.response.is_over:
            self.scope.cancel()
