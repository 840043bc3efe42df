"""Handlers that block the event loop: the log names the tool, and the line."""

import logging
import threading

import pytest

from mcpkit import Plugin
from mcpkit.core import call_watch
from mcpkit.testing import connect

pytestmark = pytest.mark.anyio


class Told(logging.Handler):
    """Notices the first record."""

    def __init__(self) -> None:
        super().__init__()
        self.event = threading.Event()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())
        self.event.set()


async def test_a_handler_that_blocks_the_event_loop_is_named_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(call_watch, "PATIENCE", 0.05)
    monkeypatch.setattr(call_watch, "INTERVAL", 0.01)
    told = Told()
    plugin = Plugin()

    @plugin.tool
    async def stuck(seconds: float) -> bool:
        """Block."""
        return told.event.wait(seconds)

    call_watch.logger.addHandler(told)
    try:
        async with connect(it=plugin) as client:
            first = await client.call_tool("it_stuck", {"seconds": 10})
            told.event.clear()
            again = await client.call_tool("it_stuck", {"seconds": 0.3})
    finally:
        call_watch.logger.removeHandler(told)

    assert [first.structured_content, again.structured_content] == [
        {"result": True}, {"result": False},
    ]  # fmt: skip
    (message,) = told.messages
    assert message.startswith("Plugin 'it': tool 'it_stuck' blocks the event loop, at ")
    assert f"{__file__}:" in message
    assert " in stuck:" in message
