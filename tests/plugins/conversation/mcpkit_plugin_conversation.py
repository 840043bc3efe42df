"""What the contract tests talk about: a little of everything, and all that one hook can add."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import anyio
import click
import mcp_types as types
from mcp.server.mcpserver import Elicit, Resolve
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from mcpkit import Context, Plugin, PluginSettings, RateLimitedError, ToolError
from mcpkit.core.contributions import Endpoint, Transport
from mcpkit.core.transports.lines import serve_lines


class Settings(PluginSettings):
    """Where the plugin leaves its traces."""

    journal: Path | None = None
    socket: Path | None = None


class Journal:
    """Notes what happened, for the test to read."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def note(self, line: str) -> None:
        """Append one line."""
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(f"{line}\n")


plugin = Plugin(settings=Settings, instructions="Talk.")


@plugin.lifespan
@asynccontextmanager
async def lifespan(settings: Settings) -> AsyncIterator[Journal]:
    """Note when it opens and closes; print, to disturb the protocol if that were possible."""
    journal = Journal(settings.journal)
    sys.stdout.write("noise on stdout\n")
    journal.note("open")
    try:
        yield journal
    finally:
        journal.note("close")


@plugin.tool()
def echo(text: str) -> str:
    """Say the same."""
    print("noise from a handler")  # noqa: T201  # what a careless plugin does
    os.write(1, b"noise on descriptor 1\n")
    return text


@plugin.tool()
async def wait(seconds: float, ctx: Context[Settings, Journal]) -> str:
    """Wait, reporting progress; note how it ended."""
    ctx.state.note("waiting")
    try:
        await ctx.report_progress(0, 2)
        await anyio.sleep(seconds)
        await ctx.report_progress(2, 2)
    except anyio.get_cancelled_exc_class():
        ctx.state.note("cancelled")
        raise
    ctx.state.note("waited")
    return f"waited {seconds:g} s"


class Name(BaseModel):
    """A name."""

    name: str


def ask_name() -> Elicit[Name]:
    """Ask the user."""
    return Elicit("What is your name?", Name)


@plugin.tool()
def greet(name: Annotated[Name, Resolve(ask_name)]) -> str:
    """Greet the user by name."""
    return f"Hello {name.name}"


@plugin.tool()
def fail() -> str:
    """Fail on purpose."""
    raise ToolError("Try echo instead")


@plugin.tool()
def limit(seconds: float | None = None) -> str:
    """Refuse: asked too often."""
    raise RateLimitedError("Ask less often", retry_after=seconds)


@plugin.tool()
def crash() -> str:
    """Fail by accident."""
    raise RuntimeError("the secret is 42")


@plugin.tool()
async def rename(ctx: Context[Settings, Journal]) -> str:
    """Publish changes."""
    await ctx.notify_tools_changed()
    await ctx.notify_resource_updated("conversation://topic")
    return "published"


@plugin.resource("conversation://topic")
def topic() -> str:
    """What we talk about."""
    return "the weather"


@plugin.resource("conversation://people/{name}")
def person(name: str) -> dict[str, str]:
    """Somebody."""
    return {"name": name}


@plugin.prompt()
def discuss(subject: str) -> str:
    """Discuss something."""
    return f"Let us discuss {subject}"


@plugin.completion()
def complete(ref: Any, argument: types.CompletionArgument, context: Any) -> list[str]:
    """Complete every argument alike."""
    return [f"{argument.value}{ending}" for ending in ("a", "b")]


@plugin.hookimpl
def mcpkit_routes(settings: Settings, endpoint: Endpoint) -> list[Route]:
    """A page beside the protocol."""

    async def hello(request: Request) -> PlainTextResponse:
        return PlainTextResponse("hello")

    return [Route("/hello", hello)]


@plugin.hookimpl
def mcpkit_commands() -> list[click.Command]:
    """A command of its own."""

    @click.command()
    @click.argument("name")
    def greet(name: str) -> None:
        """Greet NAME."""
        click.echo(f"Hello {name}")

    return [greet]


@plugin.hookimpl
def mcpkit_transports(settings: Settings) -> list[Transport]:
    """A Unix socket: one connection per client, lines as on stdio."""

    async def serve(endpoint: Endpoint) -> None:
        path = settings.socket or Path("mcpkit.sock")
        listener = await anyio.create_unix_listener(path)
        async with listener, anyio.create_task_group() as tasks:

            async def connection(stream: Any) -> None:
                async with stream:
                    await serve_lines(endpoint, stream, stream)

            tasks.start_soon(listener.serve, connection)
            await endpoint.drained()
            tasks.cancel_scope.cancel()

    return [Transport(name="unix-socket", description="A Unix socket", serve=serve)]
