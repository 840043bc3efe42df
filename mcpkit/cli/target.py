"""The target of a command: the server in this process, or any other MCP server.

`--url` and `--command` reach others through the official client; without them the installed plugins
are loaded and served in memory.
"""

from __future__ import annotations

import functools
import os
import shlex
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mcpkit.cli.options import effective_settings, load_app, plugin_options
from mcpkit.cli.output import print_line

if TYPE_CHECKING:  # importing the core costs: commands do it when they run
    from mcpkit.cli.questions import Questions
    from mcpkit.cli.remote import Remote
    from mcpkit.core.app import App
    from mcpkit.core.settings.sources import Effective
    from mcpkit.core.stopping import Limits

ResultT = TypeVar("ResultT")

RESOURCE_NOT_FOUND = -32002
"""JSON-RPC error of servers before SEP-2164; later ones tell invalid parameters."""


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
    legacy: bool

    @property
    def is_local(self) -> bool:
        """Whether it is the server in this process."""
        return not (self.url or self.command)

    def settings(self) -> Effective:
        """Read the settings of the server in this process, with a log that tells failures alone.

        Raises:
            SettingsError: Something in them is wrong.
        """
        return effective_settings(self.settings_path, self.assignments, self.log_level or "error")

    def load(self) -> App | None:
        """Load the plugins of the server in this process; None for another server."""
        if not self.is_local:
            return None
        return load_app(self.settings(), no_plugins=self.no_plugins)

    def run(
        self,
        app: App | None,
        use: Callable[[Any], Awaitable[ResultT]],
        *,
        questions: Questions | None = None,
    ) -> ResultT:
        """Connect, use the client, disconnect.

        Args:
            app: What `load` gave: the server in this process, or None for the other.
            use: Gets the client.
            questions: Answers what the server asks its user; without it, the server may not ask.

        Raises:
            NotFoundError: What was asked for is not there, or the arguments of a prompt are wrong.
            MCPKitError: The server cannot be reached, or refused what was asked, or a question
                could not be answered.
        """
        from mcpkit.core.errors import MCPKitError
        from mcpkit.core.stopping import run_limited

        try:
            result = run_limited(functools.partial(self._run, app, use, questions))
        except MCPKitError:
            if questions is None or questions.failure is None:
                raise
        if questions is not None and questions.failure is not None:
            raise questions.failure
        return result

    async def _run(
        self,
        app: App | None,
        use: Callable[[Any], Awaitable[ResultT]],
        questions: Questions | None,
        limits: Limits,
    ) -> ResultT:
        from mcp.shared.exceptions import MCPError
        from mcp_types import CONNECTION_CLOSED, INVALID_PARAMS, METHOD_NOT_FOUND

        from mcpkit.core.errors import MCPKitError, NotFoundError
        from mcpkit.core.groups import leaves, ungrouped

        remote = self._remote()
        try:
            with ungrouped():
                async with self._client(app, limits, remote, questions) as client:
                    return await use(client)
        except (MCPKitError, click.ClickException):
            raise
        except Exception as exc:
            error = next(leaves(exc))
            if remote is not None and (refusal := remote.explain(error)) is not None:
                raise refusal from error
            is_closed = isinstance(exc, MCPError) and exc.code == CONNECTION_CLOSED
            if isinstance(exc, MCPError) and not (is_closed and self.command):
                is_wrong = exc.code in {INVALID_PARAMS, METHOD_NOT_FOUND, RESOURCE_NOT_FOUND}
                raise (NotFoundError if is_wrong else MCPKitError)(exc.message) from exc
            where = remote.name if remote is not None else self.command and repr(self.command)
            if where is None:
                raise
            raise MCPKitError(
                f"Cannot talk to {where}: {str(error) or type(error).__name__}",
                hint="Run the command by itself: it should wait for input, and print nothing"
                if self.command
                else "Is it running, and is the address right?",
            ) from error

    @asynccontextmanager
    async def _client(
        self,
        app: App | None,
        limits: Limits,
        remote: Remote | None,
        questions: Questions | None,
    ) -> AsyncIterator[Any]:
        import mcp

        from mcpkit.core.extensions.following import FollowTasks

        async with AsyncExitStack() as stack:
            server: Any
            if app is not None:
                server = (await stack.enter_async_context(limits.running(app))).server
            elif remote is not None:
                server = await remote.transport(stack)
            else:
                program, *arguments = shlex.split(str(self.command))
                server = mcp.StdioServerParameters(  # by default it gets PATH and HOME alone
                    command=program, args=arguments, env=dict(os.environ)
                )
            extensions = [FollowTasks()]
            async with mcp.Client(
                server,
                mode="legacy" if self.legacy else "auto",
                logging_callback=_log,
                elicitation_callback=None if questions is None else questions.answer,
                extensions=extensions,
            ) as client:
                yield client

    def _remote(self) -> Remote | None:
        if self.url and self.command:
            raise click.UsageError("--url and --command exclude each other")
        if not self.url:
            return None
        from mcpkit.cli.remote import remote

        return remote(self.url, dict(map(_header, self.headers)))


def target_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that choose a target, and pass it as `target`."""

    @click.option("--url", help="Use the MCP server at this URL instead; ws:// is WebSocket.")
    @click.option("--command", help="Use the MCP server that this command starts instead.")
    @click.option(
        "--header",
        "headers",
        multiple=True,
        metavar="NAME: VALUE",
        help="Send a header with --url, such as 'X-API-Key: …'. Repeatable.",
    )
    @click.option(
        "--legacy", is_flag=True, help="Speak the protocols of 2025: some tools ask only there."
    )
    @plugin_options
    @functools.wraps(function)
    def with_target(*args: Any, **options: Any) -> Any:
        fields = Target.__dataclass_fields__
        chosen = {name: options.pop(name) for name in fields}
        if chosen["headers"] and not chosen["url"]:
            raise click.UsageError("--header goes with --url")
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
