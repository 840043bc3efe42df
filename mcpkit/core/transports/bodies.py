"""Bodies: what clients post is read and checked before anything else sees it.

In comes a POST; out goes one whole JSON-RPC message. What is none is answered here, with status 400
and a JSON-RPC error, as on every other transport.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import mcp_types as types
from mcp.shared.inbound import MCP_PROTOCOL_VERSION_HEADER
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mcpkit.core.encoding import encode
from mcpkit.core.transports.messages import is_batch, read_message
from mcpkit.core.transports.refusals import refusal
from mcpkit.core.transports.responses import accepted, answer, fields_of


@dataclass(frozen=True, slots=True)
class Posted:
    """A message that came over HTTP.

    Attributes:
        body: As it was sent.
        message: What it says.
        fields: Header fields by lower-case name; of a repeated one the first.
    """

    body: bytes
    message: types.JSONRPCMessage
    fields: Mapping[str, str]

    @property
    def version(self) -> str:
        """The version that it speaks, or wants to speak."""
        message = self.message
        if isinstance(message, types.JSONRPCRequest) and message.method == "initialize":
            wanted = (message.params or {}).get("protocolVersion")
            return wanted if isinstance(wanted, str) else ""
        return self.fields.get(MCP_PROTOCOL_VERSION_HEADER, "")

    @property
    def is_batch(self) -> bool:
        """Whether it is a batch; `message` refuses it then."""
        return isinstance(self.message, types.JSONRPCError) and is_batch(self.message)

    @property
    def takes_stream(self) -> bool:
        """Whether its client accepts an event stream."""
        return accepted(self.fields.get("accept", ""))[1]

    def is_answerable(self, *, json_only: bool) -> bool:
        """Whether its client accepts what it may be answered with."""
        takes_json, takes_stream = accepted(self.fields.get("accept", ""))
        return takes_json and (json_only or takes_stream)

    def again(self, receive: Receive) -> Receive:
        """The body once more, then what comes after it."""
        messages: list[Message] = [{"type": "http.request", "body": self.body, "more_body": False}]

        async def replay() -> Message:
            return messages.pop() if messages else await receive()

        return replay


async def read_post(
    scope: Scope, receive: Receive, send: Send, *, batches: bool = False
) -> Posted | None:
    """Read a POST whose body is limited in size; answer it if it is no message.

    Args:
        scope: Of the request.
        receive: Gives its body.
        send: Takes the response.
        batches: Whether a batch is left to whoever asks.

    Returns:
        The message; None when there is nothing left to do.
    """
    fields = fields_of(scope)
    if not fields.get("content-type", "").lower().startswith("application/json"):
        await reject(send, 400, types.INVALID_REQUEST, "Send Content-Type: application/json")
        return None
    body = await _body(receive)
    if body is None:
        return None  # nobody waits for an answer
    message = read_message(body)
    if isinstance(message, types.JSONRPCError):
        if batches and is_batch(message):
            return Posted(body, message, fields)
        await reject_with(send, 400, message.error, message.id)
        return None
    return Posted(body, message.message, fields)


async def _body(receive: Receive) -> bytes | None:
    """The whole body; None when the client left before its end."""
    parts = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


async def reject(
    send: Send, status: int, code: int, text: str, request_id: types.RequestId | None = None
) -> None:
    """Answer with a JSON-RPC error."""
    await reject_with(send, status, types.ErrorData(code=code, message=text), request_id)


async def reject_with(
    send: Send, status: int, error: types.ErrorData, request_id: types.RequestId | None
) -> None:
    """Answer with a JSON-RPC error that may carry data; one that says "not now" has its status."""
    told = error.model_dump(by_alias=True, exclude_none=True)
    body = encode({"jsonrpc": "2.0", "id": request_id, "error": told})
    status, headers = refusal(error) or (status, ())
    await answer(send, status, body, headers)


async def reject_unaccepted(send: Send, posted: Posted) -> None:
    """Tell a client what it has to accept."""
    request_id = getattr(posted.message, "id", None)
    text = "Send Accept: application/json, text/event-stream"
    await reject(send, 406, types.INVALID_REQUEST, text, request_id)


class CheckedBodies:
    """ASGI middleware that lets only messages through; other methods than POST have none."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a message on, or answer 400 with a JSON-RPC error."""
        if scope["type"] == "http" and scope["method"] == "POST":
            posted = await read_post(scope, receive, send)
            if posted is None:
                return
            receive = posted.again(receive)
        await self._app(scope, receive, send)
