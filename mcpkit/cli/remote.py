"""Servers by URL: which transport a URL means, and why a server refuses.

The official client turns the status of a refused request into a general error, so the status is
taken from the response itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, urlsplit

import click
import httpx2
import websockets
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

from mcpkit.client.websocket import websocket_client
from mcpkit.core.errors import MCPKitError

TIMEOUT = 30.0
"""Seconds that connecting to another server may take."""

PATHS = {"http": "/mcp", "https": "/mcp", "ws": "/ws", "wss": "/ws"}
"""Path of a URL without one, by its scheme: those of `mcpkit serve`."""

REDIRECTS = frozenset({301, 302, 303, 307, 308})

KEYED = frozenset({"authorization", "x-api-key"})


@dataclass(kw_only=True)
class Remote:
    """A server at a URL.

    Attributes:
        url: With scheme and path.
        headers: Sent with each request.
        refusal: Status of the last response that refused a request; None if there is none.
    """

    url: SplitResult
    headers: Mapping[str, str]
    refusal: int | None = field(default=None, init=False)

    async def transport(self, stack: AsyncExitStack) -> Any:
        """The transport of the official client that the URL means."""
        url = self.url.geturl()
        if self.url.scheme in {"ws", "wss"}:
            return websocket_client(url, headers=self.headers, open_timeout=TIMEOUT)
        if self._is_sse:
            return sse_client(url, httpx_client_factory=self._client)
        timeout = httpx2.Timeout(TIMEOUT, read=None)
        return streamable_http_client(
            url, http_client=await stack.enter_async_context(self._client(timeout=timeout))
        )

    def explain(self, error: BaseException) -> MCPKitError | None:
        """The error that says why the server refused; None where it did not."""
        status = self.refusal
        if isinstance(error, websockets.InvalidStatus):
            status = error.response.status_code
        if status == 401:
            return self._unauthorized()
        if status == 403:
            return MCPKitError(
                f"{self.name} refuses the request: 403 Forbidden",
                hint="The key may not be good for this, or the server for this address",
            )
        if status in REDIRECTS:
            return MCPKitError(
                f"{self.name} leads to another URL: status {status}",
                hint="Pass that URL if you trust it: redirects are not followed, "
                "because headers may hold a key",
            )
        if status in {404, 405}:
            return MCPKitError(
                f"{self.name} is not an MCP server: status {status}",
                hint="Is the path right? `mcpkit serve` has /mcp, /sse and /ws",
            )
        return None

    @property
    def name(self) -> str:
        """The URL without what may be secret: user, password and query."""
        place = self.url.netloc.rpartition("@")[2]
        return repr(f"{self.url.scheme}://{place}{self.url.path}")

    def _unauthorized(self) -> MCPKitError:
        if KEYED & {name.lower() for name in self.headers}:
            return MCPKitError(
                f"{self.name} does not accept the key: 401 Unauthorized",
                hint="Look at auth.api_keys of the server, and at the header's spelling",
            )
        return MCPKitError(
            f"{self.name} wants a key: 401 Unauthorized",
            hint="Pass one with --header 'X-API-Key: …', or a token with "
            "--header 'Authorization: Bearer …'",
        )

    def _client(
        self,
        headers: dict[str, str] | None = None,
        timeout: httpx2.Timeout | None = None,
        auth: httpx2.Auth | None = None,
    ) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            headers={**self.headers, **(headers or {})},
            timeout=timeout or httpx2.Timeout(TIMEOUT),
            auth=auth,
            event_hooks={"response": [self._look]},
        )

    async def _look(self, response: httpx2.Response) -> None:
        if response.request.method != "POST" and not self._is_sse:
            return  # a stream, or the end of a session, which a server need not have
        # Errors of JSON-RPC have a status as well; the client tells them.
        is_error = response.headers.get("content-type", "").startswith("application/json")
        is_kept = response.status_code in {401, 403} or not is_error
        is_refused = response.is_error or response.status_code in REDIRECTS
        self.refusal = response.status_code if is_refused and is_kept else None

    @property
    def _is_sse(self) -> bool:
        return self.url.path.rstrip("/").endswith("/sse")


def remote(text: str, headers: Mapping[str, str]) -> Remote:
    """The server that `--url` names; scheme and path may be left out.

    Raises:
        click.BadParameter: It is no URL of a server.
    """
    try:
        url = urlsplit(text if "://" in text else f"http://{text}")
        is_complete = bool(url.hostname) and url.port != 0
    except ValueError:
        is_complete = False
    if not is_complete or url.scheme not in PATHS:
        raise click.BadParameter(
            "it is no URL such as http://127.0.0.1:8000/mcp or ws://127.0.0.1:8000/ws",
            param_hint="--url",
        )
    return Remote(url=url._replace(path=url.path or PATHS[url.scheme]), headers=headers)
