"""Tools that ask the client while they run, as the 2025 protocols do."""

from typing import Annotated, Any

import mcp_types as types
from pydantic import BaseModel, Field

from mcpkit import Context
from mcpkit_plugin_conformance.declared import plugin


@plugin.tool()
async def test_sampling(
    prompt: Annotated[str, Field(description="What to ask the model")], ctx: Context
) -> str:
    """Ask the client's model."""
    message = types.SamplingMessage(role="user", content=types.TextContent(text=prompt))
    result = await ctx.session.create_message(
        messages=[message], max_tokens=100, related_request_id=ctx.request_id
    )
    return f"LLM response: {getattr(result.content, 'text', '')}"


class Answer(BaseModel):
    """What the user may answer."""

    response: str = Field(description="User's response")


@plugin.tool()
async def test_elicitation(
    message: Annotated[str, Field(description="What to ask the user")], ctx: Context
) -> str:
    """Ask the user."""
    return f"User response: {await _answer(ctx, message, Answer)}"


def _choice(**schema: Any) -> Any:
    return Field(json_schema_extra=schema)


class Defaults(BaseModel):
    """Every primitive type with a default (SEP-1034)."""

    name: str = "John Doe"
    age: int = 30
    score: float = 95.5
    status: Annotated[str, _choice(enum=["active", "inactive", "pending"])] = "active"
    verified: bool = True


@plugin.tool()
async def test_elicitation_sep1034_defaults(ctx: Context) -> str:
    """Ask with defaults."""
    return f"Elicitation completed: {await _answer(ctx, 'Who are you?', Defaults)}"


def _titled(**options: str) -> list[dict[str, str]]:
    return [{"const": value, "title": title} for value, title in options.items()]


class Choices(BaseModel):
    """Every way to write a choice (SEP-1330)."""

    untitledSingle: Annotated[str, _choice(enum=["option1", "option2", "option3"])]
    titledSingle: Annotated[str, _choice(oneOf=_titled(value1="First Option", value2="Second"))]
    legacyEnum: Annotated[str, _choice(enum=["opt1", "opt2"], enumNames=["Option One", "Two"])]
    untitledMulti: Annotated[
        list[str], _choice(items={"type": "string", "enum": ["option1", "option2", "option3"]})
    ]
    titledMulti: Annotated[
        list[str], _choice(items={"anyOf": _titled(value1="First Choice", value2="Second")})
    ]


@plugin.tool()
async def test_elicitation_sep1330_enums(ctx: Context) -> str:
    """Ask for choices."""
    return f"Elicitation completed: {await _answer(ctx, 'Choose', Choices)}"


async def _answer(ctx: Context, message: str, schema: type[BaseModel]) -> str:
    result = await ctx.elicit(message, schema)
    content = result.data.model_dump_json() if result.action == "accept" else "{}"
    return f"action={result.action}, content={content}"
