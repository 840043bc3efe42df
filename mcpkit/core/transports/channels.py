"""Channels: what the SDK's message loop reads from and writes to, for a transport of our own."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from contextvars import Context, copy_context
from types import TracebackType
from typing import Self

import anyio
from mcp.shared.message import SessionMessage


class Inbox:
    """Messages of clients, each with the context that it came in.

    The loop runs a handler in the context of its request (`last_context`): who the client is
    stands there.
    """

    def __init__(self) -> None:
        self._send, self._receive = anyio.create_memory_object_stream[
            tuple[Context, SessionMessage]
        ](math.inf)
        self.last_context: Context | None = None

    def put(self, message: SessionMessage) -> None:
        """Add a message of the current request; it is lost once the loop has ended."""
        try:
            self._send.send_nowait((copy_context(), message))
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            return

    async def receive(self) -> SessionMessage:
        """Take the next message.

        Raises:
            EndOfStream: No further one will come.
        """
        self.last_context, message = await self._receive.receive()
        return message

    async def aclose(self) -> None:
        """Take no more messages."""
        self._send.close()
        self._receive.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()


class Outbox:
    """Messages of the server, passed on at once in the task that sends them."""

    def __init__(self, deliver: Callable[[SessionMessage], Awaitable[None]]) -> None:
        self._deliver = deliver

    async def send(self, item: SessionMessage, /) -> None:
        """Pass a message on."""
        await self._deliver(item)

    async def aclose(self) -> None:
        """Nothing is open."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        return
