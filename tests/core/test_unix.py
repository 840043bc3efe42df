"""The door of a shared server: who is let in, who is told, and when it closes."""

import json
import logging
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
from anyio.abc import SocketStream

from mcpkit.core.peers import ASK, JOIN, WELCOME
from mcpkit.core.settings import Settings
from mcpkit.core.transports import unix
from mcpkit.core.transports.unix import Door, unix_transport

pytestmark = pytest.mark.anyio


@pytest.fixture
def path() -> Iterator[Path]:
    """Of the socket: short, as sockets need."""
    folder = tempfile.mkdtemp(prefix="door-")
    yield Path(folder, "s")
    shutil.rmtree(folder)


class Endpoint:
    """A server that serves nothing: connections stay until they are told to end."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.settings = Settings()
        self.stopped = anyio.Event()
        self.ended = anyio.Event()
        self.crashes = False

    async def stopping(self) -> None:
        await self.stopped.wait()

    async def serve_stream(self, read: Any, write: Any) -> None:
        if self.crashes:
            raise RuntimeError("unheard of")
        await self.ended.wait()


@asynccontextmanager
async def served(path: Path, idle_timeout: float = 60) -> AsyncIterator[Endpoint]:
    """A server at a door; at the end it stops."""
    ready = anyio.Event()
    endpoint: Any = Endpoint()
    door = Door(
        path=path,
        idle_timeout=idle_timeout,
        ready=ready.set,
        describe=lambda count: {"clients": count},
        look=lambda: None,
    )
    transport = unix_transport(door)
    assert transport.serve is not None
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(transport.serve, endpoint)
            await ready.wait()
            yield endpoint
            endpoint.stopped.set()
            endpoint.ended.set()


async def say(path: Path, word: bytes) -> SocketStream:
    stream = await anyio.connect_unix(path)
    if word:
        await stream.send(word)
    return stream


async def rest_of(stream: SocketStream) -> bytes:
    """Everything until the end; that a word was not even read ends it too."""
    received = b""
    async with stream:
        with suppress(anyio.BrokenResourceError):
            async for chunk in stream:
                received += chunk
    return received


async def is_let_in(path: Path) -> bool:
    async with await say(path, JOIN) as stream:
        return await stream.receive() == WELCOME


async def test_who_asks_is_told_and_counts_for_nothing(path: Path) -> None:
    async with served(path):
        client = await say(path, JOIN)
        assert await client.receive() == WELCOME
        answers = [json.loads(await rest_of(await say(path, ASK))) for _ in range(2)]

    assert answers == [{"clients": 1}, {"clients": 1}]
    assert await rest_of(client) == b""


@pytest.mark.parametrize("word", [b"x", b"{"])
async def test_who_says_anything_else_is_not_let_in(path: Path, word: bytes) -> None:
    async with served(path):
        assert await rest_of(await say(path, word)) == b""


async def test_who_says_nothing_is_not_waited_for(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unix, "WORD", 0.05)
    async with served(path):
        assert await rest_of(await say(path, b"")) == b""


async def test_another_user_is_not_let_in(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(unix, "peer", lambda connection: (1, os.geteuid() + 1))
    async with served(path):
        assert await rest_of(await say(path, JOIN)) == b""

    assert "this server is not theirs" in caplog.text


async def test_a_system_that_tells_no_user_is_believed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unix, "peer", lambda connection: (None, None))
    async with served(path):
        assert await is_let_in(path)


async def test_a_session_that_crashes_costs_itself_alone(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with served(path) as endpoint:
        endpoint.crashes = True
        assert await rest_of(await say(path, JOIN)) == WELCOME
        endpoint.crashes = False
        assert await is_let_in(path)

    assert "A session has crashed" in caplog.text


async def test_it_stays_as_long_as_anything_runs(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(unix, "WORD", 0)
    monkeypatch.setattr(unix, "LOOK", 0.01)
    looked = SimpleNamespace(count=0)
    async with served(path, idle_timeout=0.05) as endpoint:
        endpoint.in_flight = 1
        began = anyio.current_time()
        while anyio.current_time() < began + 0.2:
            looked.count += path.exists()
            await anyio.sleep(0.02)
        was_there = path.exists()
        endpoint.in_flight = 0
        while path.exists():
            await anyio.sleep(0.01)

    assert was_there
    assert "Nobody has needed the server" in caplog.text


async def test_what_is_open_when_it_stops_is_finished(path: Path) -> None:
    async with served(path) as endpoint:
        client = await say(path, JOIN)
        assert await client.receive() == WELCOME
        endpoint.stopped.set()
        while path.exists():
            await anyio.sleep(0.01)
        with anyio.move_on_after(0.1) as waited:
            await client.receive()

    assert waited.cancelled_caught
    assert await rest_of(client) == b""
