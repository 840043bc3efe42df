"""`mcpkit serve`."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import click

from mcpkit.cli.collector import paused_collector
from mcpkit.cli.options import effective_settings, load_app, plugin_options


@click.command(
    epilog="A host such as Claude Desktop starts `mcpkit serve` itself. For many users: "
    "mcpkit serve --transport streamable-http",
)
@click.option(
    "-t",
    "--transport",
    "transports",
    multiple=True,
    metavar="NAME",
    help="stdio (default), streamable-http, sse, websocket, or one of a plugin. Repeatable: "
    "HTTP transports share one port.",
)
@click.option("--host", help="Address to listen on; 127.0.0.1 by default.")
@click.option("-p", "--port", type=int, help="TCP port; 8000 by default, 0 takes a free one.")
@click.option("--path", help="Path of streamable HTTP; /mcp by default.")
@click.option("--public-url", help="URL that clients use behind a proxy.")
@click.option(
    "--allow-unauthenticated",
    is_flag=True,
    default=None,
    help="Listen beyond this machine without authentication.",
)
@click.option("--tls-certificate", help="PEM file with the certificate chain.")
@click.option("--tls-key", help="PEM file with the private key.")
@click.option(
    "--eager", is_flag=True, default=None, help="Import all plugins now, not at their first call."
)
@click.option("--strict", is_flag=True, default=None, help="Refuse to start when any plugin fails.")
@plugin_options
def serve(
    transports: tuple[str, ...],
    eager: bool | None,
    strict: bool | None,
    settings_path: Path | None,
    assignments: tuple[str, ...],
    log_level: str | None,
    no_plugins: bool,
    **http: Any,
) -> None:
    """Serve the installed plugins to MCP clients, over stdio unless told otherwise.

    SIGTERM and Ctrl-C let calls in flight finish; a second one stops at once.
    """
    overrides = {f"http.{name}": value for name, value in http.items()}
    overrides |= {"eager": eager, "strict": strict, "transports": list(transports) or None}
    with paused_collector():
        effective = effective_settings(settings_path, assignments, log_level, overrides)
    lazy = not effective.settings.eager
    with paused_collector():
        import anyio

        from mcpkit.core.serving import serve as serve_app

        app = load_app(effective, no_plugins=no_plugins, use_catalogues=lazy)
    has_uvloop = importlib.util.find_spec("uvloop") is not None
    anyio.run(
        serve_app,
        app,
        effective.settings.transports,
        backend_options={"use_uvloop": has_uvloop},
    )
