"""FastMCP with three tools, over stdio."""

from fastmcp import FastMCP

server = FastMCP("bench", version="1")


@server.tool
def echo(text: str) -> str:
    """Say it."""
    return text


@server.tool
def upper(text: str) -> str:
    """Say it loudly."""
    return text.upper()


@server.tool
def lower(text: str) -> str:
    """Say it softly."""
    return text.lower()


if __name__ == "__main__":
    server.run(transport="stdio", show_banner=False)
