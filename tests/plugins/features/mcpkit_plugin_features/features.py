"""Everything that a plugin can ask of the protocol, once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import anyio
import mcp_types as types
from anyio import from_thread
from mcp.server.apps import client_supports_apps
from mcp.server.caching import CacheHint
from mcp.server.mcpserver import Elicit, Resolve
from pydantic import BaseModel, Field

from mcpkit import Changes, Context, Plugin, PluginSettings, ToolError

SCHEMA = {
    "type": "object",
    "properties": {"kind": {"enum": ["a", "b"]}, "size": {"$ref": "#/$defs/size"}},
    "$defs": {"size": {"type": "integer", "minimum": 1}},
    "if": {"properties": {"kind": {"const": "b"}}, "required": ["kind"]},
    "then": {"required": ["size"]},
    "required": ["kind"],
    "unevaluatedProperties": False,
}


class Settings(PluginSettings):
    """Where the plugin leaves its traces."""

    journal: Path | None = None


@dataclass
class State:
    """What the lifespan keeps."""

    journal: Path | None
    wanted: anyio.Event

    def note(self, line: str) -> None:
        """Append one line."""
        if self.journal is not None:
            with self.journal.open("a", encoding="utf-8") as file:
                file.write(f"{line}\n")


class Place(BaseModel):
    """A place."""

    name: str = Field(description="What it is called")
    height: float = Field(description="Above the sea, in metres")


class Name(BaseModel):
    """A name."""

    name: str


def ask_name() -> Elicit[Name]:
    """Ask for a name."""
    return Elicit("What is your name?", Name)


Ctx = Context[Settings, State]


def make(side: str) -> Plugin:
    """Make the plugin of one side."""
    plugin = Plugin(settings=Settings, instructions=f"Keep {side}.")
    plugin.skills(Path(__file__).parent / side)

    @plugin.lifespan
    @asynccontextmanager
    async def lifespan(settings: Settings, changes: Changes) -> AsyncIterator[State]:
        state = State(settings.journal, anyio.Event())

        async def publish_from_behind() -> None:
            while True:
                await state.wanted.wait()
                state.wanted = anyio.Event()
                await changes.resource_updated(f"{side}://behind")
                await changes.prompts_changed()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(publish_from_behind)
            yield state
            tasks.cancel_scope.cancel()

    _add_tools(plugin, side)
    _add_questions(plugin)
    _add_listed(plugin, side)
    return plugin


def _add_tools(plugin: Plugin, side: str) -> None:
    @plugin.tool(
        title="Place",
        annotations=types.ToolAnnotations(read_only_hint=True),
        icons=[types.Icon(src="https://example.org/icon.png", mime_type="image/png")],
        meta={"example.org/side": side},
    )
    def place(name: str) -> Place:
        """Tell of a place."""
        return Place(name=name, height=1.5)

    @plugin.tool(input_schema=SCHEMA)
    def raw(arguments: dict[str, Any]) -> str:
        """Take what only JSON Schema can describe."""
        return ",".join(f"{key}={arguments[key]}" for key in sorted(arguments))

    @plugin.tool()
    def routed(
        region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})],
    ) -> str:
        """Take a parameter that travels in a header too."""
        return region

    @plugin.tool()
    async def log(ctx: Ctx) -> str:
        """Log at two levels."""
        await ctx.debug(f"{side} debug")
        await ctx.warning(f"{side} warning")
        return "logged"

    @plugin.tool()
    async def wait(ctx: Ctx) -> str:
        """Wait for ever, reporting progress."""
        ctx.state.note(f"{side} waits")
        try:
            await ctx.report_progress(1, 2, "half")
            await anyio.sleep(60)
        finally:
            ctx.state.note(f"{side} async stopped")
        return "never"

    @plugin.tool()
    def wait_in_thread(ctx: Ctx) -> str:
        """Wait for ever in a thread, looking whether anybody still waits for it."""
        ctx.state.note(f"{side} waits")
        try:
            while True:
                from_thread.check_cancelled()
                from_thread.run(anyio.sleep, 0.02)
        finally:
            ctx.state.note(f"{side} sync told")

    @plugin.tool()
    async def publish(where: Literal["inside", "behind"], ctx: Ctx) -> str:
        """Publish changes, from this call or from the lifespan's background task."""
        if where == "behind":
            ctx.state.wanted.set()
        else:
            await ctx.notify_resource_updated(f"{side}://behind")
            await ctx.notify_prompts_changed()
        return "published"

    @plugin.tool(app=f"ui://{side}/page.html")
    def show(ctx: Ctx) -> str:
        """Show a page."""
        return "a page" if client_supports_apps(ctx) else "a text"

    @plugin.tool(task="optional")
    async def work(seconds: float, ctx: Ctx) -> str:
        """Work for a while."""
        await ctx.report_progress(1, 2, "halfway")
        await anyio.sleep(seconds)
        return f"{side} worked"

    @plugin.tool(task="required")
    async def ask_in_task(ctx: Ctx) -> str:
        """Ask while it runs as a task."""
        answer = await ctx.elicit("What is your name?", Name)
        return f"Hello {answer.data.name}" if answer.action == "accept" else "Nobody"


def _add_questions(plugin: Plugin) -> None:
    @plugin.tool()
    async def sample(ctx: Ctx) -> str:
        """Ask the client's model."""
        message = types.SamplingMessage(role="user", content=types.TextContent(text="Say hi"))
        result = await ctx.session.create_message(
            messages=[message], max_tokens=10, related_request_id=ctx.request_id
        )
        return getattr(result.content, "text", "")

    @plugin.tool()
    async def roots(ctx: Ctx) -> str:
        """Ask for the client's roots."""
        result = await ctx.session.list_roots()
        return " ".join(str(root.uri) for root in result.roots)

    @plugin.tool()
    async def elicit(ctx: Ctx) -> str:
        """Ask the user."""
        answer = await ctx.elicit("What is your name?", Name)
        return answer.data.name if answer.action == "accept" else answer.action

    @plugin.tool()
    async def resolve(name: Annotated[Name, Resolve(ask_name)]) -> str:
        """Ask the user, in whichever way the era has."""
        return name.name

    @plugin.tool()
    async def rounds(ctx: Ctx) -> str | types.InputRequiredResult:
        """Ask the client's model between two rounds."""
        answer = (ctx.input_responses or {}).get("hi")
        if isinstance(answer, types.CreateMessageResult):
            return f"{ctx.request_state} {getattr(answer.content, 'text', '')}"
        message = types.SamplingMessage(role="user", content=types.TextContent(text="Say hi"))
        params = types.CreateMessageRequestParams(messages=[message], max_tokens=10)
        ask = {"hi": types.CreateMessageRequest(params=params)}
        return types.InputRequiredResult(input_requests=ask, request_state="kept")


def _add_listed(plugin: Plugin, side: str) -> None:
    @plugin.resource(f"ui://{side}/page.html", meta={"ui": {"prefersBorder": True}})
    def page() -> str:
        """A page."""
        return f"<p>{side}</p>"

    scope: Any = "private" if side == "left" else "public"

    @plugin.resource(f"{side}://behind", cache=CacheHint(ttl_ms=5000, scope=scope))
    def behind() -> str:
        """What lies behind."""
        return f"behind {side}"

    @plugin.resource(f"{side}://people/{{name}}")
    def person(name: str) -> str:
        """Somebody."""
        return name

    @plugin.prompt()
    def discuss(subject: str) -> str:
        """Discuss something."""
        if subject == "nothing":
            raise ToolError("Name something")
        return f"Let us discuss {subject}, {side}"

    @plugin.completion()
    async def complete(ref: Any, argument: Any, context: Any, ctx: Ctx) -> list[str]:
        """Complete every argument, by what the plugin knows."""
        of = ref.name if isinstance(ref, types.PromptReference) else ref.uri
        return [f"{argument.value}-{ctx.plugin}-{argument.name}", of]
