"""Serving: a running server speaks its transports until it is told to stop.

SIGTERM and SIGINT, or the end of a transport that owns its channel, begin the stop: nothing new is
accepted, calls in flight finish within the grace period, transports close, lifespans close.
"""

from __future__ import annotations

import logging
import signal
from collections.abc import Sequence

import anyio

from mcpkit.core.app import App
from mcpkit.core.contributions import Transport
from mcpkit.core.deferred import deferred
from mcpkit.core.descriptors import STDOUT, reserved
from mcpkit.core.errors import MCPKitError
from mcpkit.core.groups import ungrouped
from mcpkit.core.running import Running

serve_http = deferred("mcpkit.core.transports.http:serve_http")

logger = logging.getLogger(__name__)

LAST_GRACE = 5.0
"""Seconds that transports get to close after everything in flight is done."""


async def serve(app: App, names: Sequence[str | Transport]) -> None:
    """Serve transports, by name or as they are, until the server stops.

    While it runs, `print` writes to stderr: stdout belongs to the protocol.

    Raises:
        NotFoundError: A transport is unknown.
        ServeError: A transport cannot listen.
        PluginError: A strict plugin did not start.
    """
    transports = [
        app.transport(name) if isinstance(name, str) else name for name in dict.fromkeys(names)
    ]
    with reserved(STDOUT), ungrouped(MCPKitError):
        async with anyio.create_task_group() as tasks:
            stop = _Stop(tasks.cancel_scope)
            tasks.start_soon(stop.on_signals)
            async with app.running() as running:
                stop.running = running
                await _speak(app, running, transports)
            tasks.cancel_scope.cancel()


class _Stop:
    """Stops the server at the first signal, and abandons it at the second."""

    def __init__(self, everything: anyio.CancelScope) -> None:
        self.running: Running | None = None
        self._everything = everything

    async def on_signals(self) -> None:
        """Wait for SIGTERM and SIGINT; needs the main thread."""
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async for number in signals:
                name = signal.Signals(number).name
                if self.running is None or self.running.gate.is_closed:
                    logger.warning("%s: stopping at once", name)
                    self._everything.cancel()
                else:
                    logger.info("%s: finishing calls in flight, then stopping", name)
                    self.running.stop()


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
                speaking.start_soon(serve_http, running, shared, app.routes(running))
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
    await anyio.sleep(LAST_GRACE)
    logger.warning("A transport did not close within %g s", LAST_GRACE)
    transports.cancel()
