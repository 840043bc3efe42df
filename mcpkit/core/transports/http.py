"""The HTTP shell: one port that all HTTP transports and routes share.

It binds, guards, serves and stops. Stopping takes four steps: let calls in flight finish (new ones
are refused), accept no connection, close streams that stay open by nature, let uvicorn go.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import math
import socket
from collections import Counter
from collections.abc import Iterator, Sequence

import anyio
import uvicorn
from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
from mcp.server.transport_security import RequestBodyLimitMiddleware
from starlette.applications import Starlette
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from mcpkit.core.contributions import Endpoint, Transport
from mcpkit.core.deferred import deferred
from mcpkit.core.errors import ServeError
from mcpkit.core.settings import HttpSettings, Settings
from mcpkit.core.transports.guard import Guard
from mcpkit.core.transports.http_connections import watched_connections
from mcpkit.core.transports.http_listener import accepting
from mcpkit.core.transports.names import LOOPBACK
from mcpkit.core.transports.port import Port
from mcpkit.core.transports.principals import Networks
from mcpkit.core.transports.shares import Shares
from mcpkit.core.transports.tls import tls_context
from mcpkit.core.transports.unsent import Unsent

access_log = deferred("mcpkit.core.transports.access_log:AccessLog")

logger = logging.getLogger(__name__)

LAST_RESPONSES = 3.0
"""Seconds that finished calls get to send their responses before streams are closed."""


async def serve_http(
    endpoint: Endpoint, transports: Sequence[Transport], routes: Sequence[BaseRoute]
) -> None:
    """Serve HTTP transports and routes on one port until the server stops.

    Raises:
        ServeError: The port, the certificate, a path or the lack of authentication forbids it.
    """
    settings = endpoint.settings
    refuse_open_bind(settings)
    context = tls_context(settings.http)
    with bind(settings.http) as listening:
        async with (
            watched_connections(settings.http) as connections,
            anyio.create_task_group() as tasks,
            contextlib.AsyncExitStack() as opened,
        ):
            served = list(routes)
            for transport in transports:
                if transport.http is not None:
                    served += await opened.enter_async_context(transport.http(endpoint))
            refuse_shared_paths(served)
            requests = _Requests(Starlette(routes=served))
            server = _server(settings, _guarded(requests, settings, connections.most))
            tasks.start_soon(_run, server, endpoint)
            unsent = Unsent(settings.http)
            port = Port(
                server=server, connections=connections, unsent=unsent, settings=settings.http
            )
            async with accepting(listening, port, context):
                _announce(settings.http, listening, transports)
                await endpoint.drained()
            server.should_exit = True
            with anyio.move_on_after(LAST_RESPONSES):
                await requests.done()


async def _run(server: uvicorn.Server, endpoint: Endpoint) -> None:
    await server.serve([])  # the listener accepts for it
    endpoint.stop()


def _announce(
    settings: HttpSettings, listening: socket.socket, transports: Sequence[Transport]
) -> None:
    """Tell the operator where each transport is, with the port that was really bound."""
    base = base_url(settings, listening.getsockname()[1])
    paths = {
        "streamable-http": settings.path,
        "sse": settings.sse_path,
        "websocket": settings.websocket_path,
    }
    for transport in transports:
        url = base + paths.get(transport.name, "/")
        if transport.name == "websocket":
            url = "ws" + url.removeprefix("http")
        logger.info("Serving %s at %s", transport.name, url)


def base_url(settings: HttpSettings, port: int) -> str:
    """The URL of the port, as a client on this machine writes it."""
    scheme = "https" if settings.tls_certificate else "http"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{scheme}://{host}:{port}"


class _Requests:
    """ASGI middleware that knows how many POST requests are being answered."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._open = 0
        self._changed = anyio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count a POST; other methods open streams that do not end by themselves."""
        if scope.get("method") != "POST":
            await self._app(scope, receive, send)
            return
        self._open += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._open -= 1
            self._changed.set()

    async def done(self) -> None:
        """Return when none is open."""
        while self._open:
            self._changed = anyio.Event()
            await self._changed.wait()


def _guarded(app: ASGIApp, settings: Settings, most: int) -> ASGIApp:
    limited = RequestBodyLimitMiddleware(AuthContextMiddleware(app), settings.http.max_body_size)
    guarded = Guard(Shares(limited, settings.http, most), settings.http, settings.auth)
    return access_log(guarded) if settings.http.access_log else guarded


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the server as a whole has one set."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


def _server(settings: Settings, app: ASGIApp) -> _Server:
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        ws="websockets-sansio",
        ws_max_size=settings.http.max_body_size,
        timeout_keep_alive=math.ceil(settings.http.idle_timeout),
        timeout_graceful_shutdown=math.ceil(settings.lifespan.grace_period + LAST_RESPONSES),
        forwarded_allow_ips=[*Networks(settings.http.trusted_proxies)],
    )
    return _Server(config)


def refuse_open_bind(settings: Settings) -> None:
    """Refuse to listen beyond this machine without authentication.

    Raises:
        ServeError: Anybody on the network could use the server.
    """
    host = f"[{settings.http.host}]" if ":" in settings.http.host else settings.http.host
    is_loopback = host.lower() in LOOPBACK or host.startswith("127.")
    if is_loopback or settings.auth.api_keys or settings.http.allow_unauthenticated:
        return
    raise ServeError(
        f"Refusing to listen on {settings.http.host!r} without authentication",
        hint="Set auth.api_keys, or say --allow-unauthenticated if the network is trusted",
    )


def refuse_shared_paths(routes: Sequence[BaseRoute]) -> None:
    """Refuse two routes at one path: the second would never be reached.

    Raises:
        ServeError: At least two routes share a path.
    """
    counts = Counter(path for route in routes if (path := getattr(route, "path", None)))
    for path, count in counts.items():
        if count > 1:
            raise ServeError(
                f"Several transports or plugins want the path {path!r}",
                hint="Change http.path, http.sse_path or http.websocket_path",
            )


@contextlib.contextmanager
def bind(settings: HttpSettings) -> Iterator[socket.socket]:
    """Listen on the address of the settings.

    Raises:
        ServeError: The address is in use, unknown, or not permitted.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as exc:
        raise ServeError(
            f"Cannot listen on {settings.host!r}: {exc.strerror or exc}",
            hint="Check http.host",
        ) from exc
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen(2048)
        except OSError as exc:
            is_elsewhere = exc.errno == errno.EADDRNOTAVAIL
            raise ServeError(
                f"Cannot listen on {settings.host}:{settings.port}: {exc.strerror}",
                hint="This machine has no such address: change http.host"
                if is_elsewhere
                else "Stop what listens there, or choose another port: --port 8001",
            ) from exc
        listener.setblocking(False)
        yield listener
