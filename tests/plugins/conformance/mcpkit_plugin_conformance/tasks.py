"""Tools that run as tasks (SEP-2663)."""

from typing import Annotated

import anyio
import mcp_types as types
from mcp.server.mcpserver import Elicit, Resolve
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel, Field

from mcpkit import Context, ToolError
from mcpkit_plugin_conformance.declared import plugin


@plugin.tool()
def greet(name: Annotated[str, Field(description="Whom")]) -> str:
    """Greet somebody, at once."""
    return f"Hello, {name}!"


@plugin.tool(task="optional")
async def slow_compute(
    seconds: Annotated[float, Field(description="How long it takes", ge=0, le=60)],
    label: Annotated[str, Field(description="What it is called")] = "",
) -> str:
    """Take some time."""
    await anyio.sleep(seconds)
    return f"Computed {label} in {seconds:g} s"


@plugin.tool(task="required")
async def failing_job() -> str:
    """Fail after a second."""
    await anyio.sleep(1)
    raise ToolError("The job failed")


@plugin.tool(task="optional")
async def protocol_error_job() -> str:
    """Fail on the level of the protocol."""
    raise MCPError(types.INTERNAL_ERROR, "The job could not be run")


class Confirmation(BaseModel):
    """Yes or no."""

    confirm: bool


@plugin.tool(task="optional")
async def confirm_delete(
    filename: Annotated[str, Field(description="Which file")], ctx: Context
) -> str:
    """Delete a file once the user agrees."""
    result = await ctx.elicit(f"Delete {filename}?", Confirmation)
    agreed = result.action == "accept" and result.data.confirm
    return f"{filename} was {'deleted' if agreed else 'kept'}"


class Name(BaseModel):
    """A name."""

    name: str


@plugin.tool(task="optional")
async def multi_input(ctx: Context) -> str:
    """Ask two things at once."""
    names: list[str] = []

    async def ask(which: str) -> None:
        result = await ctx.elicit(f"What is the {which} name?", Name)
        names.append(result.data.name if result.action == "accept" else "nobody")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask, "first")
        tasks.start_soon(ask, "second")
    return f"Got {' and '.join(names)}"


def ask_for_name() -> Elicit[Name]:
    """Ask before the task begins."""
    return Elicit("What is your name?", Name)


@plugin.tool(task="required")
async def test_tool_with_task(user_name: Annotated[Name, Resolve(ask_for_name)]) -> str:
    """Ask for a name, then work as a task."""
    await anyio.sleep(0.1)
    return f"Worked for {user_name.name}"
