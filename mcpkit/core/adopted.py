"""Adopted SDK servers, as lists, requests and subscriptions need them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from mcp.server.context import ServerRequestContext

from mcpkit.core.components import Component
from mcpkit.core.contributions import Method


class Adopted(Protocol):
    """The SDK servers among the plugins, while they serve."""

    @property
    def have_middleware(self) -> bool:
        """Whether a list may be another for each client."""
        ...

    async def refresh(self) -> bool:
        """Take over what they have registered by now, and tell whether something has changed."""
        ...

    async def shown(
        self, ctx: ServerRequestContext[Any, Any], components: Mapping[str, Component]
    ) -> Mapping[str, Component]:
        """The components of a list as the middleware of their servers shows them to a client."""
        ...

    def method(self, name: str) -> tuple[str, Method] | None:
        """A method that an extension of one of them adds, after the name of its plugin."""
        ...

    def watching(self, uris: Iterable[str]) -> AbstractContextManager[None]:
        """Publish changes of resources until the end of the context."""
        ...

    def watch(self, uri: str) -> None:
        """Publish changes of a resource from now on."""
        ...

    def unwatch(self, uri: str) -> None:
        """Take back one `watch`."""
        ...
