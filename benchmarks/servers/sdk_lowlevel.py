"""The SDK's low-level server with three tools, over stdio: what we compare ourselves with."""

from typing import Any

import anyio
import mcp_types as types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

TOOLS = [
    types.Tool(
        name=name,
        description=f"Say {name}",
        input_schema={
            "type": "object",
            "properties": {"text": {"type": "string"}},
            "required": ["text"],
        },
    )
    for name in ("echo", "upper", "lower")
]


async def list_tools(ctx: Any, params: Any) -> types.ListToolsResult:
    """Answer `tools/list`."""
    return types.ListToolsResult(tools=TOOLS)


async def call_tool(ctx: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
    """Answer `tools/call`."""
    text = str((params.arguments or {})["text"])
    return types.CallToolResult(content=[types.TextContent(text=text)])


server = Server("bench", version="1", on_list_tools=list_tools, on_call_tool=call_tool)


async def main() -> None:
    """Serve until the input ends."""
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


if __name__ == "__main__":
    anyio.run(main)
