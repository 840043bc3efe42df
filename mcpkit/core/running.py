"""A running server: what transports speak for, and how it stops."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import anyio
from anyio.abc import ObjectReceiveStream, ObjectSendStream
from mcp.server.lowlevel import Server
from mcp.server.subscriptions import ListenHandler
from mcp.shared.message import SessionMessage

from mcpkit.core.clients import Clients, Place, RequestLimit
from mcpkit.core.draining import CountedReceive, CountedSend, Unanswered
from mcpkit.core.errors import MCPKitError
from mcpkit.core.health import Answer, HealthChecks
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
        health: Asks plugins how they are.
        clients: What each client of the network transports uses.
    """

    server: Server[Any]
    settings: Settings
    gate: Gate
    listen: ListenHandler
    records: Sequence[PluginRecord]
    health: HealthChecks
    clients: Clients

    @property
    def in_flight(self) -> int:
        """Calls and tasks that run now; open subscriptions do not count."""
        return self.gate.in_flight

    async def serve_stream(
        self,
        read: ObjectReceiveStream[SessionMessage | Exception],
        write: ObjectSendStream[SessionMessage],
        place: Place | None = None,
    ) -> None:
        """Serve one connection in the era its client opens with, until it closes.

        When the server stops, calls in flight are finished first, then the connection is closed.

        Args:
            read: Gives the messages of the client.
            write: Takes those of the server.
            place: Of the session among those of all clients; None if it does not count.
        """
        limit = RequestLimit(self.settings.calls.limit_per_connection, place)
        unanswered = Unanswered(limit)
        options = self.server.create_initialization_options()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._close_when_drained, unanswered, tasks.cancel_scope)
            await self.server.run(
                CountedReceive(read, unanswered, write), CountedSend(write, unanswered), options
            )
            tasks.cancel_scope.cancel()

    async def _close_when_drained(
        self, unanswered: Unanswered, connection: anyio.CancelScope
    ) -> None:
        await self.gate.closed()
        with anyio.move_on_after(self.settings.lifespan.grace_period):
            await unanswered.wait()
        await self._linger()
        connection.cancel()

    async def stopping(self) -> None:
        """Return when the server begins to stop."""
        await self.gate.closed()

    async def drained(self) -> None:
        """Return when no call is in flight any more, or the grace period is over."""
        await self.gate.closed()
        with anyio.move_on_after(self.settings.lifespan.grace_period):
            await self.gate.idle()
        await self._linger()
        self.listen.close()

    async def _linger(self) -> None:
        await anyio.sleep(max(0.0, self.gate.last_answer + LINGER - time.monotonic()))

    def stop(self) -> None:
        """Ask the whole server to stop, as SIGTERM does."""
        self.gate.close()

    async def report(self, *, in_full: bool = False) -> Mapping[str, Any]:
        """How the server is; plugins are asked in threads, and at most once a second.

        Args:
            in_full: Whether to show the texts of exceptions, which may hold secrets; else their
                classes alone.

        Returns:
            `ready`: whether it takes calls; `status`: ok, starting (some plugins are not there
            yet), degraded or stopping; `plugins`: by name, each with its status, reason and hint
            when it failed, and its health.
        """
        loaded = [record for record in self.records if record.status is Status.LOADED]
        answers = await self.health.ask(loaded)
        plugins = {
            record.name: _describe(record, answers.get(record.name), in_full=in_full)
            for record in self.records
        }
        bad = [name for name, entry in plugins.items() if not entry["ready"]]
        strict = any(self.settings.strict or self.settings.plugin(name).strict for name in bad)
        stopping = self.gate.is_closed
        starting = all(plugins[name]["status"] == Status.STARTING for name in bad)
        status = (
            "stopping" if stopping else "ok" if not bad else "starting" if starting else "degraded"
        )
        return {"ready": not stopping and not strict, "status": status, "plugins": plugins}


def _describe(record: PluginRecord, answer: Answer | None, *, in_full: bool) -> dict[str, Any]:
    described: dict[str, Any] = {
        "distribution": record.distribution,
        "version": record.version,
        "status": str(record.status),
        "ready": record.status not in {Status.FAILED, Status.STARTING},
    }
    if record.error is not None:
        hint = record.error.hint
        described |= {"stage": str(record.stage), "reason": _reason(record.error, in_full=in_full)}
        described |= {"hint": hint} if hint else {}
    elif record.reason:
        described["reason"] = record.reason
    elif answer is not None:
        described["ready"] = answer.health.ready
        if answer.error is not None:
            described["reason"] = _reason(answer.error, in_full=in_full)
        if answer.health.message:
            described["message"] = answer.health.message
        if answer.health.data:
            described["data"] = dict(answer.health.data)
    return described


def _reason(error: MCPKitError, *, in_full: bool) -> str:
    """Why a plugin failed; of an exception of its own the class alone, unless in full."""
    if in_full or error.__cause__ is None:
        return error.message
    return f"{type(error.__cause__).__name__}; see the log"
