"""Serving: a running server speaks its transports until it is told to stop.

A signal, or the end of a transport that owns its channel, begins the stop: nothing new is accepted,
calls in flight finish within the grace period, transports close, lifespans close.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import anyio

from mcpkit.core.app import App
from mcpkit.core.contributions import Transport
from mcpkit.core.deferred import deferred
from mcpkit.core.descriptors import STDOUT, reserved
from mcpkit.core.errors import MCPKitError
from mcpkit.core.groups import ungrouped
from mcpkit.core.outcomes import log_summary
from mcpkit.core.running import Running
from mcpkit.core.stopping import TRANSPORTS, Limits, Stop

serve_http = deferred("mcpkit.core.transports.http:serve_http")

logger = logging.getLogger(__name__)


async def serve(app: App, names: Sequence[str | Transport], stop: Stop) -> None:
    """Serve transports, by name or as they are, until the server stops.

    While it runs, `print` writes to stderr: stdout belongs to the protocol.

    Args:
        app: What is served.
        names: The transports.
        stop: How this process stops.

    Raises:
        NotFoundError: A transport is unknown.
        ServeError: A transport cannot listen.
        PluginError: A strict plugin did not start.
    """
    transports = [
        app.transport(name) if isinstance(name, str) else name for name in dict.fromkeys(names)
    ]
    with reserved(STDOUT), ungrouped(MCPKitError):
        try:
            async with anyio.create_task_group() as tasks:
                stop.start(tasks.cancel_scope)
                async with (
                    stop.limits.running(app) as running,
                    anyio.create_task_group() as watching,
                ):
                    stop.serve(running)
                    watching.start_soon(_finish, running, stop.limits)
                    log_summary(app.records)
                    await _speak(app, running, transports)
                    watching.cancel_scope.cancel()
                tasks.cancel_scope.cancel()
        finally:
            stop.limits.end()


async def _finish(running: Running, limits: Limits) -> None:
    """Limit the time of calls in flight when the stop begins, and name those that exceed it."""
    await running.stopping()
    limits.finish()
    seconds = running.settings.lifespan.grace_period
    with anyio.move_on_after(seconds) as grace:
        await running.gate.idle()
    if grace.cancelled_caught:
        names = "; ".join(running.gate.names())
        logger.warning("The grace period of %g s is over: abandoning %s", seconds, names)


async def _speak(app: App, running: Running, transports: Sequence[Transport]) -> None:
    """Run all transports side by side; when one ends, the others are told to stop."""
    shared = [transport for transport in transports if transport.http is not None]
    async with anyio.create_task_group() as watching:
        watching.start_soon(_abandon_when_late, running, watching.cancel_scope)
        async with anyio.create_task_group() as speaking:
            for transport in transports:
                if transport.serve is not None:
                    speaking.start_soon(_speak_alone, transport, running)
            if shared:
                routes = await app.routes(running)
                speaking.start_soon(serve_http, running, shared, routes)
        watching.cancel_scope.cancel()


async def _speak_alone(transport: Transport, running: Running) -> None:
    if transport.serve is None:
        return
    logger.info("Serving %s", transport.name)
    try:
        await transport.serve(running)
    finally:
        running.stop()


async def _abandon_when_late(running: Running, transports: anyio.CancelScope) -> None:
    """End transports that do not close although nothing is in flight any more."""
    await running.drained()
    await anyio.sleep(TRANSPORTS)
    logger.warning("A transport did not close within %g s", TRANSPORTS)
    transports.cancel()
