"""The access log: a record for each HTTP request, where `http.access_log` asks for it."""

from __future__ import annotations

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mcpkit.core.logs import about

logger = logging.getLogger(__name__)

LONGEST_PATH = 500
"""Most characters of a path that are logged."""


class AccessLog:
    """ASGI middleware around everything on the port, refusals included.

    The query of a URL is not logged: it may hold secrets.

    Args:
        app: What it logs.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Log a request when it has been answered, and a WebSocket when it is closed."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        answer = _Answer(send)
        began = time.perf_counter()
        try:
            await self._app(scope, receive, answer)
        except Exception:
            answer.status = answer.status or 500  # what the server answers then
            raise
        finally:
            _tell(scope, answer, time.perf_counter() - began)


class _Answer:
    """Sends messages on, and notes what they say of an answer.

    Attributes:
        status: Of the response; 101 for a WebSocket; None when the client left before it.
        size: Bytes of its body, or of the messages sent.
    """

    def __init__(self, send: Send) -> None:
        self.status: int | None = None
        self.size = 0
        self._send = send

    async def __call__(self, message: Message) -> None:
        """Send a message."""
        kind = message["type"]
        if kind in {"http.response.start", "websocket.http.response.start"}:
            self.status = message["status"]
        elif kind == "websocket.accept":
            self.status = 101
        elif kind == "websocket.close":
            self.status = self.status or 403  # refused before it was accepted
        content = message.get("body") or message.get("bytes") or message.get("text") or b""
        self.size += len(content.encode() if isinstance(content, str) else content)
        await self._send(message)


def _tell(scope: Scope, answer: _Answer, seconds: float) -> None:
    address = (scope.get("client") or ("-",))[0]
    client = getattr(scope.get("user"), "display_name", None)
    method = scope.get("method", "GET")
    path = scope.get("raw_path", b"").decode("ascii", "backslashreplace").replace('"', "%22")
    path = path[:LONGEST_PATH]
    logger.info(
        '%s %s "%s %s" %s, %d bytes, %.1f ms',
        *(address, client or "-", method, path, answer.status or "-"),
        *(answer.size, seconds * 1000),
        extra=about(
            address=address,
            client=client,
            method=method,
            path=path,
            status=answer.status,
            bytes=answer.size,
            seconds=round(seconds, 6),
        ),
    )
