"""Connections of the 2025 protocols: clients that read slowly cost little."""

import logging
from typing import Any

import anyio
import pytest
from mcp.server.subscriptions import InMemorySubscriptionBus, ResourceUpdated, ToolsListChanged

from mcpkit.core.connections import BACKLOG, Connections
from mcpkit.core.transports.http_connections import LOGGERS

pytestmark = pytest.mark.anyio


class Opened:
    """What a client said when it opened."""


class SlowSession:
    """A session whose client reads nothing until it may."""

    protocol_version = "2025-11-25"

    def __init__(self) -> None:
        self.client_params = Opened()
        self.session = self
        self.reads = anyio.Event()
        self.told: list[str] = []

    async def send_notification(self, notification: Any) -> None:
        await self.reads.wait()
        self.told.append(notification.method)


async def test_equal_events_wait_once_for_a_client_that_reads_slowly(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bus, session = InMemorySubscriptionBus(), SlowSession()
    connections: Any = Connections(bus)
    with caplog.at_level(logging.WARNING), anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(connections.forward, session, None)
            await anyio.wait_all_tasks_blocked()
            for _ in range(2 * BACKLOG):
                await bus.publish(ToolsListChanged())
                await bus.publish(ResourceUpdated(uri="own://not-wanted"))
            session.reads.set()
            await anyio.wait_all_tasks_blocked()
            await bus.publish(ToolsListChanged())
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()

    assert not caplog.records
    assert 2 <= len(session.told) <= 3
    assert "mcpkit.core.connections" in LOGGERS
