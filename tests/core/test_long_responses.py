"""Long messages over HTTP: they are sent in pieces, and others have their turn in between."""

from collections.abc import MutableMapping
from typing import Any

import anyio
import pytest

from mcpkit.core.transports.responses import PIECE, Response

pytestmark = pytest.mark.anyio

PARTS = [b'{"result":', b"1" * (3 * PIECE + 7), b"", b"}"]


class Sent:
    """Keeps what a response sent, and counts the turns of others."""

    def __init__(self) -> None:
        self.events: list[MutableMapping[str, Any]] = []
        self.turns = 0

    async def send(self, event: MutableMapping[str, Any]) -> None:
        self.events.append(event)

    async def receive(self) -> MutableMapping[str, Any]:
        await anyio.sleep_forever()
        raise AssertionError("unreachable")

    async def others(self) -> None:
        while True:
            await anyio.lowlevel.checkpoint()
            self.turns += 1

    @property
    def body(self) -> bytes:
        return b"".join(event.get("body", b"") for event in self.events)

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.events[0]["headers"])


async def answered(*, streams: bool) -> Sent:
    sent = Sent()
    response = Response({}, sent.receive, sent.send, [(b"x-more", b"1")])
    async with anyio.create_task_group() as group:
        group.start_soon(sent.others)
        if streams:
            await response.begin()
        await response.end_in_parts(PARTS)
        await response.end_in_parts(PARTS)  # it is over
        group.cancel_scope.cancel()
    return sent


async def test_a_long_message_is_sent_piece_by_piece() -> None:
    sent = await answered(streams=False)

    message = b"".join(PARTS)
    assert sent.body == message
    assert sent.headers[b"content-length"] == b"%d" % len(message)
    assert sent.headers[b"content-type"] == b"application/json"
    assert sent.headers[b"x-more"] == b"1"
    assert max(len(event.get("body", b"")) for event in sent.events) == PIECE
    assert sent.turns >= 4
    assert [event.get("more_body", False) for event in sent.events[-2:]] == [True, False]


async def test_a_long_message_is_one_event_of_a_stream() -> None:
    sent = await answered(streams=True)

    assert sent.body == b"event: message\r\ndata: %b\r\n\r\n" % b"".join(PARTS)
    assert sent.headers[b"content-type"] == b"text/event-stream"
    assert b"content-length" not in sent.headers
