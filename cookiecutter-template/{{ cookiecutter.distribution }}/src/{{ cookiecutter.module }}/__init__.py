"""{{ cookiecutter.__docstring }}"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from mcpkit import Context, Plugin, ToolAnnotations, ToolError
from pydantic import BaseModel, Field

from .settings import {{ cookiecutter.class_name }}Settings

__all__ = ["plugin"]


class State:
    """What lives as long as the server: an HTTP client, a connection pool, a counter."""

    greeted: int = 0


class Greeting(BaseModel):
    """A greeting, as structured output: its fields are the tool's output schema."""

    text: str = Field(description="The greeting")
    number: int = Field(description="How many people were greeted so far, this one included")


plugin = Plugin(
    settings={{ cookiecutter.class_name }}Settings,
    instructions="Use the {{ cookiecutter.plugin_name }} tools to greet people.",
)


@plugin.lifespan
@asynccontextmanager
async def lifespan(settings: {{ cookiecutter.class_name }}Settings) -> AsyncIterator[State]:
    """Open what handlers share, and close it when the server stops."""
    yield State()


@plugin.tool(
    title="Greet somebody",
    annotations=ToolAnnotations(read_only_hint=True, open_world_hint=False),
)
def greet(
    name: Annotated[str, Field(description="Whom to greet")],
    ctx: Context[{{ cookiecutter.class_name }}Settings, State],
) -> Greeting:
    """Greet somebody by name."""
    if not name.strip():
        raise ToolError("The name is empty: ask the user whom to greet")
    ctx.state.greeted += 1
    return Greeting(text=f"{ctx.settings.salutation} {name}!", number=ctx.state.greeted)


@plugin.resource("{{ cookiecutter.__scheme }}://salutation", title="Salutation")
def salutation(ctx: Context[{{ cookiecutter.class_name }}Settings, State]) -> str:
    """The word that greetings begin with."""
    return ctx.settings.salutation


@plugin.prompt(title="Welcome somebody")
def welcome(name: Annotated[str, Field(description="Whom to welcome")]) -> str:
    """Welcome somebody warmly."""
    return f"Greet {name}, then ask how you can help."
