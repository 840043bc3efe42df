"""What a plugin contributes beyond components: middleware, transports, health.

These records travel from hooks (`mcpkit.core.hookspecs`) to the floors that use them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:  # only for annotations: a plugin is imported without the SDK's server
    from anyio.abc import ObjectReceiveStream, ObjectSendStream
    from mcp.server.lowlevel import Server
    from mcp.shared.message import SessionMessage
    from pydantic import BaseModel
    from starlette.routing import BaseRoute

    from mcpkit.core.clients import Clients, Place
    from mcpkit.core.settings import Settings

CallKind = Literal["tool", "resource", "prompt", "completion", "method"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One run of a handler, as middleware sees it.

    Attributes:
        kind: What is run.
        plugin: Name of the plugin that owns the handler.
        name: Exposed name of a tool or prompt; URI of a resource; name of an extension's method.
        arguments: Arguments as the client sent them, not yet validated.
        open_context: Makes the context the first time, and returns the same one from then on.
    """

    kind: CallKind
    plugin: str
    name: str
    arguments: Mapping[str, Any]
    open_context: Callable[[], Any] = field(repr=False)

    @property
    def context(self) -> Any:
        """The handler's `mcpkit.Context`."""
        return self.open_context()


CallNext = Callable[[Call], Awaitable[Any]]
"""The rest of the chain: takes the call (perhaps a changed one), returns the wire result."""


class Middleware(Protocol):
    """Wraps every call: `async def middleware(call, call_next)`.

    It may refuse (raise `ToolError`), change the call (`dataclasses.replace`) or its result.
    """

    async def __call__(self, call: Call, call_next: CallNext) -> Any:
        """Run the call, or not, and return its result."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How a plugin is, as `/readyz` tells it.

    Attributes:
        ready: Whether the plugin can answer calls.
        message: One sentence for the operator, without secrets.
        data: Further figures, JSON-serialisable.
    """

    ready: bool = True
    message: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A request method beyond the specification, which an extension adds.

    Attributes:
        name: As it stands on the wire, such as `acme/reload`; no method of the specification.
        params: Model of its parameters, derived from `mcp_types.RequestParams`.
        handler: Async function of `(ctx, params)`; returns a mapping or model with the result.
    """

    name: str
    params: type[BaseModel]
    handler: Callable[[Any, Any], Awaitable[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """An extension of the protocol (SEP-2133), as capabilities advertise it.

    Attributes:
        identifier: Reverse-DNS prefix and name, such as `com.example/reload`.
        settings: What is advertised with it.
        methods: What clients may ask.
    """

    identifier: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    methods: tuple[Method, ...] = ()


class Endpoint(Protocol):
    """What a transport is given: the server to speak for, and when to stop."""

    @property
    def server(self) -> Server[Any]:
        """The SDK server that answers; its lifespan is already entered."""
        ...

    @property
    def settings(self) -> Settings:
        """The server's settings; network transports read `http` and `auth`."""
        ...

    @property
    def clients(self) -> Clients:
        """What each client of the network transports uses."""
        ...

    @property
    def in_flight(self) -> int:
        """Calls and tasks that run now; open subscriptions do not count."""
        ...

    async def serve_stream(
        self,
        read: ObjectReceiveStream[SessionMessage | Exception],
        write: ObjectSendStream[SessionMessage],
        place: Place | None = None,
    ) -> None:
        """Serve one connection in the era its client opens with, until it closes.

        When the server stops, calls in flight are finished first, then the connection is closed.

        Args:
            read: Gives the messages of the client.
            write: Takes those of the server.
            place: Of the session among those of all clients; None if it does not count.
        """
        ...

    async def stopping(self) -> None:
        """Return when the server begins to stop: accept nothing new from then on."""
        ...

    async def drained(self) -> None:
        """Return when no call is in flight any more, or the grace period is over."""
        ...

    def stop(self) -> None:
        """Ask the whole server to stop, as SIGTERM does."""
        ...

    async def report(self) -> Mapping[str, Any]:
        """How the server is: `ready`, `status` (ok, degraded or stopping), `plugins` by name.

        Texts of exceptions are left out, but what plugins say is there: it is for the operator.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Transport:
    """A way to reach the server. Exactly one of `serve` and `http` is set.

    Attributes:
        name: What `--transport` takes.
        description: One sentence for `mcpkit serve --help`.
        serve: Owns its channel: runs until the channel closes or the server has drained. When it
            returns, the server stops.
        http: Shares the HTTP port: an async context manager that yields its routes and is open
            while they are served.
    """

    name: str
    description: str
    serve: Callable[[Endpoint], Awaitable[None]] | None = None
    http: Callable[[Endpoint], AbstractAsyncContextManager[Sequence[BaseRoute]]] | None = None
