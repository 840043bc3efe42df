"""Bodies: what clients post to the transports of the SDK is checked before it gets there.

In comes a POST; on goes one whole JSON-RPC message. What is none is answered here, as on every
other transport: the SDK's 2025 transports would tell of their inside, or write a traceback for it.
"""

from __future__ import annotations

from collections.abc import Callable

import mcp_types as types
from mcp.shared.message import SessionMessage
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mcpkit.core.transports.messages import read_message, write_message

Refuse = Callable[[types.JSONRPCMessage, Headers], types.JSONRPCError | None]
"""Compares a message with the headers that it came with."""


class CheckedBodies:
    """ASGI middleware that lets only messages through; other methods than POST have none.

    Args:
        app: What the messages are for. Bodies are limited in size before they come here.
        refuse: Tells why a message does not fit its headers; None if it does.
    """

    def __init__(self, app: ASGIApp, refuse: Refuse | None = None) -> None:
        self._app = app
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a message on, or answer 400 with a JSON-RPC error."""
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        try:
            body = await Request(scope, receive).body()
        except ClientDisconnect:
            return  # nobody waits for an answer
        error = self._error(body, Headers(scope=scope))
        if error is None:
            await self._app(scope, _replay(body, receive), send)
            return
        text = write_message(SessionMessage(error))
        await Response(text, 400, media_type="application/json")(scope, receive, send)

    def _error(self, body: bytes, headers: Headers) -> types.JSONRPCError | None:
        message = read_message(body)
        if isinstance(message, types.JSONRPCError):
            return message
        return self._refuse(message.message, headers) if self._refuse is not None else None


def _replay(body: bytes, receive: Receive) -> Receive:
    """Give the body once more, then what comes after it."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay
