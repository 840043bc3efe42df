"""The peers over streamable HTTP: `python http_peers.py NAME PORT [TOOLS]`.

Their tools take what the tools of the generated plugins take, one of them as an async function.
"""

import sys
from typing import Any

import uvicorn


def echo(text: str, count: int = 1, loud: bool = False) -> str:
    """Say a text over and over, loudly if wanted."""
    return text * count


async def echo_async(text: str, count: int = 1, loud: bool = False) -> str:
    """Say a text over and over, loudly if wanted."""
    return text * count


def fill(server: Any, tools: int) -> Any:
    """Register the two tools, and more up to a number."""
    server.tool()(echo)
    server.tool()(echo_async)
    for number in range(2, tools):
        server.tool(name=f"tool_{number}")(echo)
    return server


def sdk_server(tools: int) -> Any:
    """The SDK's high-level server."""
    from mcp.server.mcpserver import MCPServer

    return fill(MCPServer("bench", version="1", log_level="WARNING"), tools)


def sdk_as_shipped(port: int, tools: str = "2") -> None:
    """As its documentation runs it."""
    sdk_server(int(tools)).run(transport="streamable-http", port=port)


def sdk_best(port: int, tools: str = "2") -> None:
    """JSON answers, uvloop, httptools, no access log."""
    serve(sdk_server(int(tools)).streamable_http_app(json_response=True), port)


def fastmcp_as_shipped(port: int, tools: str = "2") -> None:
    """As its documentation runs it."""
    from fastmcp import FastMCP

    server = fill(FastMCP("bench", version="1"), int(tools))
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

    serve(Starlette(routes=[Route("/mcp", answer, methods=["POST"])]), port)


def serve(app: Any, port: int) -> None:
    """Serve as fast as uvicorn can."""
    uvicorn.run(
        app, port=port, loop="uvloop", http="httptools", access_log=False, log_level="warning"
    )


if __name__ == "__main__":
    globals()[sys.argv[1]](int(sys.argv[2]), *sys.argv[3:])
