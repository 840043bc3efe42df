"""Tools that return each kind of content, log, report progress, and fail."""

from typing import Any

import anyio
import mcp_types as types
from mcp.shared.exceptions import MCPError

from mcpkit import Context, ToolError
from mcpkit_plugin_conformance.declared import plugin

PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
    "+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
WAV = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA="


def _text_resource(uri: str, mime_type: str, text: str) -> types.EmbeddedResource:
    return types.EmbeddedResource(
        resource=types.TextResourceContents(uri=uri, mime_type=mime_type, text=text)
    )


@plugin.tool()
def test_simple_text() -> str:
    """Return one text."""
    return "This is a simple text response for testing."


@plugin.tool()
def test_image_content() -> list[types.ImageContent]:
    """Return a picture."""
    return [types.ImageContent(data=PNG, mime_type="image/png")]


@plugin.tool()
def test_audio_content() -> list[types.AudioContent]:
    """Return a sound."""
    return [types.AudioContent(data=WAV, mime_type="audio/wav")]


@plugin.tool()
def test_embedded_resource() -> list[types.EmbeddedResource]:
    """Return a resource."""
    text = "This is an embedded resource content."
    return [_text_resource("test://embedded-resource", "text/plain", text)]


@plugin.tool()
def test_multiple_content_types() -> list[
    types.TextContent | types.ImageContent | types.EmbeddedResource
]:
    """Return a text, a picture and a resource."""
    data = '{"test": "data", "value": 123}'
    return [
        types.TextContent(text="Multiple content types test:"),
        types.ImageContent(data=PNG, mime_type="image/png"),
        _text_resource("test://mixed-content-resource", "application/json", data),
    ]


@plugin.tool()
async def test_tool_with_logging(ctx: Context) -> str:
    """Log three times."""
    for message in ("started", "processing data", "completed"):
        verb = "Tool" if message == "processing data" else "Tool execution"
        await ctx.info(f"{verb} {message}")
        await anyio.sleep(0.05)
    return "Logged"


@plugin.tool()
async def test_logging_tool(ctx: Context) -> str:
    """Log at every level: what the client did not ask for must not arrive."""
    for level in ("debug", "info", "warning", "error"):
        await ctx.log(level, f"At level {level}")  # type: ignore[arg-type]
    return "Logged"


@plugin.tool()
async def test_tool_with_progress(ctx: Context) -> str:
    """Report progress three times."""
    for done in (0, 50, 100):
        await ctx.report_progress(done, 100, f"Completed step {done} of 100")
        await anyio.sleep(0.05)
    return "Done"


@plugin.tool()
def test_error_handling() -> str:
    """Fail on purpose."""
    raise ToolError("This tool intentionally returns an error for testing")


@plugin.tool()
async def test_reconnection(ctx: Context) -> str:
    """Close the event stream in the middle of the call; the client resumes it."""
    await anyio.sleep(0.1)  # the client has the event by which it resumes
    await ctx.close_sse_stream()
    await anyio.sleep(0.2)
    return "Reconnection test completed"


@plugin.tool()
def test_missing_capability(ctx: Context) -> str:
    """Refuse a client that cannot sample."""
    capabilities = ctx.client_capabilities
    if capabilities is None or capabilities.sampling is None:
        data = {"requiredCapabilities": {"sampling": {}}}
        message = "This tool needs a client that can sample"
        raise MCPError(types.MISSING_REQUIRED_CLIENT_CAPABILITY, message, data)
    return "The client can sample"


@plugin.tool()
async def test_trigger_tool_change(ctx: Context) -> str:
    """Publish that the list of tools has changed."""
    await ctx.notify_tools_changed()
    return "Published"


@plugin.tool()
async def test_trigger_prompt_change(ctx: Context) -> str:
    """Publish that the list of prompts has changed."""
    await ctx.notify_prompts_changed()
    return "Published"


SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}


@plugin.tool(input_schema=SCHEMA)
def json_schema_2020_12_tool(arguments: dict[str, Any]) -> str:
    """Take what a JSON Schema describes that no signature could."""
    return f"{arguments.get('name', 'Somebody')} is known"
