"""Resources, prompts, completion, and a parameter that travels in a header."""

import base64
import json
from typing import Annotated, Any

import mcp_types as types
from mcp.server.mcpserver.prompts.base import UserMessage
from pydantic import Field

from mcpkit_plugin_conformance.content import PNG
from mcpkit_plugin_conformance.declared import plugin


@plugin.tool()
def test_x_mcp_header(
    region: Annotated[
        str,
        Field(
            description="Travels as Mcp-Param-Region", json_schema_extra={"x-mcp-header": "Region"}
        ),
    ] = "none",
) -> str:
    """Tell what the header said."""
    return f"region={region}"


@plugin.resource("test://static-text", mime_type="text/plain")
def static_text() -> str:
    """A text."""
    return "This is the content of the static text resource."


@plugin.resource("test://static-binary", mime_type="image/png")
def static_binary() -> bytes:
    """A picture."""
    return base64.b64decode(PNG)


@plugin.resource("test://watched-resource", mime_type="text/plain")
def watched() -> str:
    """Something to subscribe to."""
    return "Watched resource content"


@plugin.resource("test://template/{id}/data", mime_type="application/json")
def templated(id: str) -> str:  # noqa: A002  # the suite's name
    """Data of one id."""
    return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})


@plugin.prompt()
def test_simple_prompt() -> str:
    """Ask nothing."""
    return "This is a simple prompt for testing."


@plugin.prompt()
def test_prompt_with_arguments(
    arg1: Annotated[str, Field(description="One")], arg2: Annotated[str, Field(description="Two")]
) -> str:
    """Put two arguments in."""
    return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"


@plugin.prompt()
def test_prompt_with_embedded_resource(
    resourceUri: Annotated[str, Field(description="Its URI")],  # noqa: N803  # the suite's name
) -> list[UserMessage]:
    """Show a resource."""
    text = "Embedded resource content for testing."
    contents = types.TextResourceContents(uri=resourceUri, mime_type="text/plain", text=text)
    return [
        UserMessage(types.EmbeddedResource(resource=contents)),
        UserMessage("Please process the embedded resource above."),
    ]


@plugin.prompt()
def test_prompt_with_image() -> list[UserMessage]:
    """Show a picture."""
    return [
        UserMessage(types.ImageContent(data=PNG, mime_type="image/png")),
        UserMessage("Please analyze the image above."),
    ]


@plugin.completion()
def complete(ref: Any, argument: types.CompletionArgument, context: Any) -> list[str]:
    """Complete by what could follow."""
    return [f"{argument.value}-{ending}" for ending in ("one", "two")]
