"""Garbage over every transport: the server answers or refuses, tells nothing, and goes on."""

import json
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import ServerProcess
from tests.contract import garbage, garbage_http
from tests.contract.wires import (
    JSON,
    PATIENCE,
    Lines,
    Wire,
    ask,
    event_stream,
    post,
    request,
    unix_socket,
    websocket,
)

pytestmark = pytest.mark.contract

Connect = Callable[[], AbstractContextManager[Wire]]

NOT_OURS = re.compile(
    r"Exception in callback <built-in method set_result.*?InvalidStateError.*?\n", re.DOTALL
)
"""What uvloop logs when a Unix socket of anyio becomes readable just as its reader is cancelled."""


def fuzzed(examples: int) -> Callable[..., Any]:
    """Settings of a test: the same examples in each run, and no more than fit the time."""
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


def assert_unharmed(server: ServerProcess) -> None:
    """The process runs, and nothing surprised it."""
    assert server.process.poll() is None
    log = NOT_OURS.sub("", "".join(server.lines))
    assert "Traceback" not in log, log[-6000:]


def assert_survives(
    server: ServerProcess, connect: Connect, *, examples: int, closes: bool = False
) -> None:
    """Send garbage over one connection; whatever it was, something good is answered after it.

    Args:
        server: What must stay alive.
        connect: Opens a connection.
        examples: How many lists of frames are sent.
        closes: Whether the transport may close a connection for what was sent; the next one is
            asked then.
    """
    stack = ExitStack()
    wires: list[Wire] = []

    def wire() -> Wire:
        if not wires:
            wires.append(stack.enter_context(connect()))
            assert "result" in ask(wires[0], "initialize", garbage.INITIALIZE)
        return wires[0]

    @fuzzed(examples)
    @given(st.lists(garbage.frames, min_size=1, max_size=8))
    def run(frames: list[bytes]) -> None:
        try:
            for frame in frames:
                wire().send(frame)
            assert "result" in ask(wire(), "ping")
        except EOFError:
            assert closes
            wires.clear()
            stack.close()
            assert "result" in ask(wire(), "ping")
        assert_unharmed(server)

    with stack:
        run()


def test_stdio_survives_garbage(stdio: ServerProcess) -> None:
    lines = Lines(stdio.process.stdin, stdio.process.stdout)
    assert_survives(stdio, lambda: nullcontext(lines), examples=300)


def test_websocket_survives_garbage(network: ServerProcess) -> None:
    url = network.url("websocket")
    assert_survives(network, lambda: websocket(url), examples=200, closes=True)


def test_legacy_sse_survives_garbage(network: ServerProcess) -> None:
    url = network.url("sse")
    assert_survives(network, lambda: event_stream(url), examples=150)


@pytest.mark.parametrize("stays", [True, False])
def test_a_plugins_transport_survives_garbage_as_first_words(
    unix: tuple[ServerProcess, str], stays: bool
) -> None:
    server, path = unix

    @fuzzed(120)
    @given(st.lists(garbage.frames, min_size=1, max_size=8))
    def run(frames: list[bytes]) -> None:
        with unix_socket(path) as lines:
            for frame in frames:
                lines.send(frame)
            if stays:  # in whatever era the connection was opened
                ask(lines, "tools/list", json.loads(garbage.MODERN_PARAMS))
        assert_unharmed(server)

    run()
    with unix_socket(path) as lines:
        assert "result" in ask(lines, "initialize", garbage.INITIALIZE)


@pytest.mark.parametrize("transport", ["sse", "websocket"])
def test_clients_may_leave_in_the_middle_of_anything(
    network: ServerProcess, transport: str
) -> None:
    url = network.url(transport)
    connect: Callable[[str], Any] = event_stream if transport == "sse" else websocket

    @fuzzed(20)
    @given(st.lists(garbage.odd_frames, min_size=1, max_size=8))
    def run(frames: list[bytes]) -> None:
        with connect(url) as wire:
            wire.send(request("initialize", garbage.INITIALIZE)[1])
            for frame in frames:
                wire.send(frame)
            wire.abort()
        assert_unharmed(network)

    run()
    with connect(url) as wire:
        assert "result" in ask(wire, "initialize", garbage.INITIALIZE)
    assert_unharmed(network)


@pytest.fixture(scope="module")
def http() -> Iterator[httpx2.Client]:
    """An HTTP client."""
    with httpx2.Client(timeout=PATIENCE) as client:
        yield client


@pytest.fixture(scope="module")
def eras(http: httpx2.Client, network: ServerProcess) -> dict[str, dict[str, str]]:
    """Headers of a request that opens a session, of one in a session, and of a modern one."""
    _, frame = request("initialize", garbage.INITIALIZE)
    opened = http.post(network.url(), content=frame, headers=JSON)
    session = {
        "Mcp-Session-Id": opened.headers["mcp-session-id"],
        "MCP-Protocol-Version": "2025-11-25",
    }
    modern = {"MCP-Protocol-Version": garbage.MODERN, "Mcp-Method": "tools/list"}
    return {"opening": {}, "session": session, "modern": modern}


def assert_answers(http: httpx2.Client, server: ServerProcess, eras: Any) -> None:
    """A session and the modern protocol are still served."""
    _, ping = request("ping")
    _, tools = request("tools/list", json.loads(garbage.MODERN_PARAMS))
    assert post(http, server.url(), ping, eras["session"]) == 200
    assert post(http, server.url(), tools, eras["modern"]) == 200
    assert_unharmed(server)


@pytest.mark.parametrize("era", ["opening", "session", "modern"])
def test_http_refuses_what_is_no_message(
    http: httpx2.Client, network: ServerProcess, eras: Any, era: str
) -> None:
    @fuzzed(100)
    @given(garbage.broken_messages)
    def run(frame: bytes) -> None:
        assert 400 <= post(http, network.url(), frame, eras[era]) < 500

    run()
    assert_answers(http, network, eras)


@pytest.mark.parametrize("era", ["opening", "session"])
def test_http_never_fails_whatever_it_is_sent(
    http: httpx2.Client, network: ServerProcess, eras: Any, era: str
) -> None:
    @fuzzed(150)
    @given(garbage.frames)
    def run(frame: bytes) -> None:
        assert post(http, network.url(), frame, eras[era]) < 500

    run()
    assert_answers(http, network, eras)


def test_modern_http_never_fails_whatever_it_is_sent(
    http: httpx2.Client, network: ServerProcess, eras: Any
) -> None:
    @fuzzed(300)
    @given(garbage_http.modern_posts())
    def run(parts: tuple[dict[str, str], bytes]) -> None:
        headers = {name: value.encode("latin-1") for name, value in parts[0].items()}
        assert post(http, network.url(), parts[1], headers) < 500

    run()
    assert_answers(http, network, eras)


def test_what_is_hardly_http_is_refused(
    http: httpx2.Client, network: ServerProcess, eras: Any
) -> None:
    host, _, port = network.url().split("/")[2].partition(":")

    @fuzzed(100)
    @given(garbage_http.torn_requests(f"{host}:{port}"))
    def run(sent: bytes) -> None:
        with socket.create_connection((host, int(port)), timeout=PATIENCE) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            with connection.makefile("rb") as file:
                status = file.readline()
        assert status == b"" or status.startswith((b"HTTP/1.1 2", b"HTTP/1.1 4")), status

    run()
    assert_answers(http, network, eras)


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Mcp-Method", "tools/list"),
        ("Mcp-Method", "TOOLS/CALL"),
        ("Mcp-Method", None),
        ("Mcp-Name", "conversation_fail"),
        ("Mcp-Name", "=?base64?!?="),
        ("Mcp-Name", ""),
        ("Mcp-Name", None),
        ("MCP-Protocol-Version", "2027-01-01"),
        ("MCP-Protocol-Version", "2025-11-25"),
        ("MCP-Protocol-Version", ""),
        ("MCP-Protocol-Version", None),
    ],
)
def test_headers_that_disagree_with_the_body_are_refused(
    http: httpx2.Client, network: ServerProcess, header: str, value: str | None
) -> None:
    meta = json.loads(garbage.META)
    arguments = {"name": "conversation_echo", "arguments": {"text": "x"}, "_meta": meta}
    number, frame = request("tools/call", arguments)
    right = {
        "MCP-Protocol-Version": garbage.MODERN,
        "Mcp-Method": "tools/call",
        "Mcp-Name": "conversation_echo",
    }
    wrong = {name: text for name, text in (right | {header: value}).items() if text is not None}

    good = http.post(network.url(), content=frame, headers=JSON | right)
    bad = http.post(network.url(), content=frame, headers=JSON | wrong)

    assert (good.status_code, bad.status_code) == (200, 400)
    assert (bad.json()["error"]["code"], bad.json()["id"]) == (-32020, number)
