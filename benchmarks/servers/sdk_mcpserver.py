"""The SDK's high-level server with three tools, over stdio or streamable HTTP."""

import sys

from mcp.server.mcpserver import MCPServer

server = MCPServer("bench", version="1", log_level="WARNING")


@server.tool()
def echo(text: str) -> str:
    """Say it."""
    return text


@server.tool()
def upper(text: str) -> str:
    """Say it loudly."""
    return text.upper()


@server.tool()
def lower(text: str) -> str:
    """Say it softly."""
    return text.lower()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        server.run(transport="streamable-http", port=int(sys.argv[1]))
    else:
        server.run()
