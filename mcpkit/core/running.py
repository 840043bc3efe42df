"""A running server: what transports speak for, and how it stops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import anyio
import pluggy
from anyio.abc import ObjectReceiveStream, ObjectSendStream
from mcp.server.lowlevel import Server
from mcp.server.subscriptions import ListenHandler
from mcp.shared.message import SessionMessage

from mcpkit.core.contributions import Health
from mcpkit.core.draining import CountedReceive, CountedSend, Unanswered
from mcpkit.core.errors import PluginError
from mcpkit.core.hooks import ask
from mcpkit.core.middleware import Gate
from mcpkit.core.settings import Settings
from mcpkit.core.status import PluginRecord, Status

LINGER = 0.5
"""Seconds that connections stay open after the last answer: a client may still ask for the schema
of the result it got."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """The endpoint of every transport (`mcpkit.core.contributions.Endpoint`).

    Attributes:
        server: The SDK server that answers; its lifespan is already entered.
        settings: Of the whole server.
        gate: Counts requests in flight, and closes.
        listen: Open subscriptions of the modern protocol.
        records: Every plugin with its status.
        states: What lifespans yielded, by plugin.
        manager: Where the loaded plugins are registered.
    """

    server: Server[Any]
    settings: Settings
    gate: Gate
    listen: ListenHandler
    records: Sequence[PluginRecord]
    states: Mapping[str, Any]
    manager: pluggy.PluginManager

    @property
    def in_flight(self) -> int:
        """Calls and tasks that run now; open subscriptions do not count."""
        return self.gate.in_flight

    async def serve_stream(
        self,
        read: ObjectReceiveStream[SessionMessage | Exception],
        write: ObjectSendStream[SessionMessage],
    ) -> None:
        """Serve one connection in the era its client opens with, until it closes.

        When the server stops, calls in flight are finished first, then the connection is closed.
        """
        unanswered = Unanswered()
        options = self.server.create_initialization_options()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._close_when_drained, unanswered, tasks.cancel_scope)
            await self.server.run(
                CountedReceive(read, unanswered), CountedSend(write, unanswered), options
            )
            tasks.cancel_scope.cancel()

    async def _close_when_drained(
        self, unanswered: Unanswered, connection: anyio.CancelScope
    ) -> None:
        await self.gate.closed()
        with anyio.move_on_after(self.settings.lifespan.grace_period):
            await unanswered.wait()
        await anyio.sleep(LINGER)
        connection.cancel()

    async def stopping(self) -> None:
        """Return when the server begins to stop."""
        await self.gate.closed()

    async def drained(self) -> None:
        """Return when no call is in flight any more, or the grace period is over."""
        await self.gate.closed()
        with anyio.move_on_after(self.settings.lifespan.grace_period):
            await self.gate.idle()
        await anyio.sleep(LINGER)
        self.listen.close()

    def stop(self) -> None:
        """Ask the whole server to stop, as SIGTERM does."""
        self.gate.close()

    def report(self) -> Mapping[str, Any]:
        """How the server is.

        Returns:
            `ready`: whether it takes calls; `status`: ok, degraded or stopping; `plugins`: by
            name, each with its status, reason and hint when it failed, and its health.
        """
        plugins = {record.name: self._describe(record) for record in self.records}
        bad = [name for name, entry in plugins.items() if not entry["ready"]]
        strict = any(self.settings.strict or self.settings.plugin(name).strict for name in bad)
        stopping = self.gate.is_closed
        status = "stopping" if stopping else "degraded" if bad else "ok"
        return {"ready": not stopping and not strict, "status": status, "plugins": plugins}

    def health(self, record: PluginRecord) -> Health:
        """Ask a plugin how it is; one that cannot answer is not ready."""
        try:
            answers = ask(
                self.manager,
                record.plugin,
                "mcpkit_health",
                settings=record.settings,
                state=self.states.get(record.name),
            )
        except PluginError as exc:
            return Health(ready=False, message=exc.message)
        for answer in answers:
            if not isinstance(answer, Health):
                return Health(ready=False, message="Its health hook returned no Health")
            return answer
        return Health()

    def _describe(self, record: PluginRecord) -> dict[str, Any]:
        described: dict[str, Any] = {
            "distribution": record.distribution,
            "version": record.version,
            "status": str(record.status),
            "ready": record.status is not Status.FAILED,
        }
        if record.status is Status.LOADED:
            health = self.health(record)
            described["ready"] = health.ready
            if health.message:
                described["message"] = health.message
            if health.data:
                described["data"] = dict(health.data)
        elif record.error is not None:
            described |= {
                "stage": str(record.stage),
                "reason": record.error.message,
                "hint": record.error.hint,
            }
        elif record.reason:
            described["reason"] = record.reason
        return described
