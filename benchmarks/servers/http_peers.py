"""The peers over streamable HTTP: `python http_peers.py NAME PORT`."""

import sys
from typing import Any

import uvicorn


def sdk_app(tools: int = 1, **options: Any) -> Any:
    """The SDK's high-level server with a tool, or many."""
    from mcp.server.mcpserver import MCPServer

    server = MCPServer("bench", version="1", log_level="WARNING")

    @server.tool()
    def echo(text: str) -> str:
        """Say it."""
        return text

    for number in range(tools - 1):

        @server.tool(name=f"tool_{number}")
        def tool(text: str, count: int = 1, loud: bool = False) -> str:
            """Say a text over and over, loudly if wanted."""
            return text * count

    return server, server.streamable_http_app(**options)


def sdk_as_shipped(port: int) -> None:
    """As its documentation runs it."""
    server, _ = sdk_app()
    server.run(transport="streamable-http", port=port)


def sdk_best(port: int, tools: str = "1") -> None:
    """JSON answers, uvloop, httptools, no access log."""
    _, app = sdk_app(int(tools), json_response=True)
    uvicorn.run(
        app, port=port, loop="uvloop", http="httptools", access_log=False, log_level="warning"
    )


def fastmcp_as_shipped(port: int) -> None:
    """As its documentation runs it."""
    from fastmcp import FastMCP

    server = FastMCP("bench", version="1")

    @server.tool
    def echo(text: str) -> str:
        """Say it."""
        return text

    server.run(transport="http", port=port, show_banner=False)


def starlette_echo(port: int) -> None:
    """No protocol at all: the limit."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async def answer(request: Request) -> JSONResponse:
        message = await request.json()
        text = message["params"]["arguments"]["text"]
        result = {"content": [{"type": "text", "text": text}]}
        return JSONResponse({"jsonrpc": "2.0", "id": message["id"], "result": result})

    app = Starlette(routes=[Route("/mcp", answer, methods=["POST"])])
    uvicorn.run(
        app, port=port, loop="uvloop", http="httptools", access_log=False, log_level="warning"
    )


if __name__ == "__main__":
    globals()[sys.argv[1]](int(sys.argv[2]), *sys.argv[3:])
