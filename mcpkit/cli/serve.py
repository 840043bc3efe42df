"""`mcpkit serve`."""

from __future__ import annotations

import importlib.util
import logging
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcpkit.cli.collector import paused_collector
from mcpkit.cli.options import effective_settings, load_app, plugin_options
from mcpkit.core.deferred import deferred
from mcpkit.core.descriptors import STDIN, reserve
from mcpkit.core.errors import MCPKitError, SettingsError
from mcpkit.shared import hosting

if TYPE_CHECKING:  # importing the core costs: commands do it when they run
    from mcpkit.core.app import App
    from mcpkit.core.contributions import Transport

complete_transports = deferred("mcpkit.cli.completing:complete_transports")

logger = logging.getLogger(__name__)


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
    shell_complete=complete_transports,
    help="stdio (default), streamable-http (or http), sse, websocket, or one of a plugin. "
    "Repeatable: HTTP transports share one port.",
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
@click.option(
    "-C",
    "--directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Work in this folder, and look for settings there.",
)
@click.option(
    "--shared",
    is_flag=True,
    help="Over stdio: join the warm server of the same settings, or start it. "
    "See: mcpkit shared status.",
)
@click.option(hosting.OPTION, "inherited", hidden=True)
@plugin_options
def serve(
    transports: tuple[str, ...],
    directory: Path | None,
    shared: bool,
    inherited: str | None,
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
    if directory is not None:
        os.chdir(directory)
    host = None if inherited is None else _inherited(inherited)
    if host is not None or shared:
        _refuse_network(transports, http)
    overrides: dict[tuple[str, ...], Any] = {("http", key): text for key, text in http.items()}
    overrides |= {("eager",): eager, ("strict",): strict}
    overrides[("transports",)] = list(transports) or None
    with paused_collector():
        effective = effective_settings(settings_path, assignments, log_level, overrides)
    logger.info("Settings from %s", ", ".join(effective.files) or "no file")
    if shared:
        _tell_alone(click.get_current_context().obj)
    if (host is not None or shared) and set(effective.settings.transports) != {"stdio"}:
        raise SettingsError(
            f"{effective.origin('transports')}: --shared serves stdio alone",
            hint="Serve the network without --shared, or say --transport stdio",
        )
    lazy = not effective.settings.eager
    named = effective.settings.transports
    if set(named) == {"stdio"}:
        _tell_useless(http)
    with paused_collector():
        import anyio

        from mcpkit.core.serving import serve as serve_app
        from mcpkit.core.stopping import Stop

    with Stop() as stop:
        with paused_collector():
            if host is None and "stdio" in named:
                reserve(STDIN)
            app = load_app(effective, no_plugins=no_plugins, use_catalogues=lazy)
        # One client over stdio feels the start and the memory more than the loop.
        alone = host is None and set(named) == {"stdio"}
        use_uvloop = not alone and importlib.util.find_spec("uvloop") is not None
        anyio.run(
            serve_app,
            app,
            named if host is None else [_shared_transport(app, host)],
            stop,
            backend_options={"use_uvloop": use_uvloop},
        )


def _tell_alone(reason: MCPKitError | None) -> None:
    if reason is None:
        logger.info("A server cannot be shared here: serving this client alone")
        return
    from mcpkit.core.logs import about

    text = "Serving this client alone, not by a shared server: %s"
    logger.warning(text, reason.message, extra=about(hint=reason.hint))


def _inherited(text: str) -> hosting.Inherited:
    try:
        inherited = hosting.Inherited.parse(text)
        inherited.keep()
    except (ValueError, OSError) as exc:
        raise click.UsageError(f"{hosting.OPTION} is for mcpkit itself: say --shared") from exc
    return inherited


def _tell_useless(http: dict[str, Any]) -> None:
    """Warn of options of the network where the server is reached over stdio alone."""
    given = [f"--{name.replace('_', '-')}" for name, value in http.items() if value is not None]
    if given:
        from mcpkit.core.logs import about

        hint = "Say --transport streamable-http as well"
        text = "Nothing listens on the network, so %s has no effect: the server speaks stdio alone"
        logger.warning(text, ", ".join(given), extra=about(hint=hint))


def _refuse_network(transports: tuple[str, ...], http: dict[str, Any]) -> None:
    """Refuse options of the network: a shared server is reached over stdio alone.

    Raises:
        click.UsageError: There is one.
    """
    for name in transports:
        if name != "stdio":
            raise click.UsageError(f"--shared serves stdio alone, not {name}")
    for name, value in http.items():
        if value is not None:
            option = name.replace("_", "-")
            raise click.UsageError(f"--shared serves stdio alone: --{option} is for the network")


def _shared_transport(app: App, host: hosting.Inherited) -> Transport:
    from mcpkit.core.transports.unix import Door, unix_transport

    started = time.time()

    def describe(connections: int) -> dict[str, object]:
        told = hosting.describe(host, started=started, connections=connections)
        grace = app.settings.lifespan.grace_period
        return {**told, "grace": grace, "plugins": [record.name for record in app.offered]}

    door = Door(
        path=Path(host.socket),
        idle_timeout=app.settings.shared.idle_timeout,
        ready=host.tell_ready,
        describe=describe,
        look=hosting.bound_log,
    )
    return unix_transport(door)
