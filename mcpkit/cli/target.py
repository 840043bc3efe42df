"""The target of a command: the server in this process, or any other MCP server.

`--url` and `--command` reach others through the official client; without them the installed plugins
are loaded and served in memory.
"""

from __future__ import annotations

import functools
import shlex
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mcpkit.cli.options import plugin_options, quiet_app
from mcpkit.cli.output import print_line

if TYPE_CHECKING:  # importing the core costs: commands do it when they run
    from mcpkit.core.stopping import Limits

ResultT = TypeVar("ResultT")

TIMEOUT = 30.0
"""Seconds that connecting to another server may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a command's client connects to."""

    url: str | None
    command: str | None
    headers: tuple[str, ...]
    settings_path: Path | None
    assignments: tuple[str, ...]
    log_level: str | None
    no_plugins: bool

    def run(self, use: Callable[[Any], Awaitable[ResultT]]) -> ResultT:
        """Connect, use the client, disconnect.

        Raises:
            MCPKitError: The server cannot be reached, or refused what was asked.
        """
        from mcpkit.core.stopping import run_limited

        return run_limited(functools.partial(self._run, use))

    async def _run(self, use: Callable[[Any], Awaitable[ResultT]], limits: Limits) -> ResultT:
        from mcp.shared.exceptions import MCPError

        from mcpkit.core.errors import MCPKitError
        from mcpkit.core.groups import leaves, ungrouped

        try:
            with ungrouped():
                async with self._client(limits) as client:
                    return await use(client)
        except MCPError as exc:
            raise MCPKitError(exc.message) from exc
        except (MCPKitError, click.ClickException):
            raise
        except Exception as exc:
            where = self.url or self.command
            if where is None:
                raise
            error = next(leaves(exc))
            raise MCPKitError(
                f"Cannot talk to {where!r}: {str(error) or type(error).__name__}",
                hint="Is it running, is the address right, does it want a key (--header)?",
            ) from error

    @asynccontextmanager
    async def _client(self, limits: Limits) -> AsyncIterator[Any]:
        import mcp

        from mcpkit.core.extensions.following import FollowTasks

        if self.url and self.command:
            raise click.UsageError("--url and --command exclude each other")
        async with AsyncExitStack() as stack:
            server: Any
            if self.url:
                server = await self._remote(stack)
            elif self.command:
                program, *arguments = shlex.split(self.command)
                server = mcp.StdioServerParameters(command=program, args=arguments)
            else:
                app = quiet_app(
                    self.settings_path, self.assignments, self.log_level, self.no_plugins
                )
                server = (await stack.enter_async_context(limits.running(app))).server
            extensions = [FollowTasks()]
            async with mcp.Client(server, logging_callback=_log, extensions=extensions) as client:
                yield client

    async def _remote(self, stack: AsyncExitStack) -> Any:
        import httpx2
        from mcp.client.sse import sse_client
        from mcp.client.streamable_http import streamable_http_client

        headers = dict(map(_header, self.headers))
        url = str(self.url)
        if url.rstrip("/").endswith("/sse"):
            return sse_client(url, headers=headers)
        timeout = httpx2.Timeout(TIMEOUT, read=None)
        http = await stack.enter_async_context(httpx2.AsyncClient(headers=headers, timeout=timeout))
        return streamable_http_client(url, http_client=http)


def target_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that choose a target, and pass it as `target`."""

    @click.option("--url", help="Use the MCP server at this URL instead.")
    @click.option("--command", help="Use the MCP server that this command starts instead.")
    @click.option(
        "--header",
        "headers",
        multiple=True,
        metavar="NAME: VALUE",
        help="Send a header with --url, such as 'X-API-Key: …'. Repeatable.",
    )
    @plugin_options
    @functools.wraps(function)
    def with_target(*args: Any, **options: Any) -> Any:
        fields = Target.__dataclass_fields__
        chosen = {name: options.pop(name) for name in fields}
        return function(*args, target=Target(**chosen), **options)

    return with_target


async def _log(params: Any) -> None:
    """Print what the server logs to its client."""
    print_line(f"{params.level}: {params.data}", err=True)


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        # It is not shown: it may hold a key.
        raise click.BadParameter("it is not 'NAME: VALUE'", param_hint="--header")
    return name.strip(), value.strip()
