"""Garbage over every transport: the server answers or refuses, tells nothing, and goes on."""

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import ServerProcess, environment, start_server
from tests.contract import garbage
from tests.contract.garbage import INITIALIZE
from tests.contract.wires import (
    JSON,
    PATIENCE,
    Lines,
    Wire,
    event_stream,
    parse,
    unix_socket,
    websocket,
)

pytestmark = pytest.mark.contract

UVICORN = re.compile(
    r"Invalid UTF-8 sequence received from client\.\nTraceback.*?UnicodeDecodeError.*?\n", re.DOTALL
)
"""What uvicorn logs when it closes a WebSocket because of such a text frame."""

numbers = count(1)


def fuzzed(examples: int) -> Callable[..., Any]:
    """Settings of a test: the same examples in each run, and no more than fit the time."""
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


def request(method: str, params: dict[str, Any] | None = None) -> tuple[str, bytes]:
    """A good request with an id that no garbage has."""
    number = f"probe-{next(numbers)}"
    message = {"jsonrpc": "2.0", "id": number, "method": method}
    return number, json.dumps(message | ({"params": params} if params else {})).encode()


def ask(wire: Wire, method: str, params: dict[str, Any] | None = None, *, good: bool = True) -> list[Any]:
    """Ask something good, and return what came before its answer."""
    number, frame = request(method, params)
    wire.send(frame)
    deadline = time.monotonic() + PATIENCE
    before = []
    while (message := wire.receive(deadline - time.monotonic())).get("id") != number:
        before.append(message)
    assert not good or "result" in message, message
    return before


class Peer:
    """A client that sends garbage, and connects anew where a transport closes for it.

    Args:
        server: What must stay alive.
        connect: Opens a connection.
        closes: Whether the transport may close a connection for what was sent.
    """

    def __init__(
        self,
        server: ServerProcess,
        connect: Callable[[], AbstractContextManager[Wire]],
        *,
        closes: bool = False,
    ) -> None:
        self._server = server
        self._connect = connect
        self._closes = closes
        self._stack = ExitStack()
        self._wire: Wire | None = None

    def __enter__(self) -> "Peer":
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def open(self) -> Wire:
        """The connection, opened and initialized."""
        if self._wire is None:
            self._wire = self._stack.enter_context(self._connect())
            ask(self._wire, "initialize", INITIALIZE)
        return self._wire

    def forget(self) -> None:
        """Close the connection."""
        self._stack.close()
        self._wire = None

    def survive(self, frames: list[bytes]) -> list[Any]:
        """Send garbage, then something good; return what came in between."""
        try:
            for frame in frames:
                self.open().send(frame)
            answers = ask(self.open(), "ping")
        except EOFError:
            assert self._closes
            self.forget()
            answers = ask(self.open(), "ping")
        assert_unharmed(self._server)
        return answers


def assert_unharmed(server: ServerProcess) -> None:
    """The process runs, and nothing surprised it."""
    assert server.process.poll() is None
    log = UVICORN.sub("", "".join(server.lines))
    assert "Traceback" not in log, log[-6000:]


@pytest.fixture(scope="module")
def stdio(
    test_plugins: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[ServerProcess, Lines]]:
    """A process that serves standard input and output, and the client's end of it."""
    server = start_server((), environment(test_plugins), tmp_path_factory.mktemp("stdio"))
    try:
        yield server, Lines(server.process.stdin, server.process.stdout)
    finally:
        server.close()


@pytest.fixture(scope="module")
def unix(
    test_plugins: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[ServerProcess, str]]:
    """A process that serves a Unix socket, and the path of that."""
    folder = tmp_path_factory.mktemp("unix")
    path = folder / "s"
    arguments = ("-t", "unix-socket", "--set", f"plugins.conversation.socket={path}")
    server = start_server(arguments, environment(test_plugins), folder)
    try:
        server.wait_for("Serving unix-socket")
        while not path.exists():
            time.sleep(0.02)
        yield server, str(path)
    finally:
        server.close()


some_frames = st.lists(garbage.frames, min_size=1, max_size=8)


def test_stdio_survives_garbage(stdio: tuple[ServerProcess, Lines]) -> None:
    server, lines = stdio

    @fuzzed(120)
    @given(some_frames)
    def run(frames: list[bytes]) -> None:
        peer.survive(frames)

    with Peer(server, lambda: ExitStackOf(lines)) as peer:
        run()


class ExitStackOf:
    """A connection that is not ours to close."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def __enter__(self) -> Wire:
        return self._wire

    def __exit__(self, *error: object) -> None:
        return


def test_connections_survive_garbage_as_their_first_words(
    unix: tuple[ServerProcess, str],
) -> None:
    server, path = unix

    @fuzzed(80)
    @given(some_frames)
    def run(frames: list[bytes]) -> None:
        with unix_socket(path) as lines:
            for frame in frames:
                lines.send(frame)
            ask(lines, "tools/list", json.loads(garbage.MODERN_PARAMS), good=False)
        assert_unharmed(server)

    run()


def test_websocket_survives_garbage(network: ServerProcess) -> None:
    @fuzzed(80)
    @given(some_frames)
    def run(frames: list[bytes]) -> None:
        peer.survive(frames)

    with Peer(network, lambda: websocket(network.url("websocket")), closes=True) as peer:
        run()


def test_legacy_sse_survives_garbage(network: ServerProcess) -> None:
    @fuzzed(60)
    @given(some_frames)
    def run(frames: list[bytes]) -> None:
        peer.survive(frames)

    with Peer(network, lambda: event_stream(network.url("sse"))) as peer:
        run()


def post(http: httpx2.Client, url: str, frame: bytes, headers: dict[str, Any]) -> int:
    """Post something, read the answer to its end unless that is an open subscription."""
    with http.stream("POST", url, content=frame, headers=JSON | headers) as response:
        if b"subscriptions/listen" in frame and response.status_code == 200:
            return 200
        text = response.read().decode()
        data = [line[6:] for line in text.splitlines() if line.startswith("data: ")]
        for message in data or [text]:
            if message.strip() and response.status_code != 404:
                parse(message)
        return response.status_code


@pytest.fixture(scope="module")
def http() -> Iterator[httpx2.Client]:
    with httpx2.Client(timeout=PATIENCE) as client:
        yield client


@pytest.fixture(scope="module")
def session(http: httpx2.Client, network: ServerProcess) -> dict[str, str]:
    """Headers of a session of the 2025 protocols."""
    _, frame = request("initialize", INITIALIZE)
    response = http.post(network.url(), content=frame, headers=JSON)
    return {
        "Mcp-Session-Id": response.headers["mcp-session-id"],
        "MCP-Protocol-Version": "2025-11-25",
    }


def modern(method: str = "tools/list") -> dict[str, str]:
    """Headers of a request of the modern protocol."""
    return {"MCP-Protocol-Version": garbage.MODERN, "Mcp-Method": method}


def assert_answers(http: httpx2.Client, server: ServerProcess, session: dict[str, str]) -> None:
    """Both eras are still served."""
    _, ping = request("ping")
    _, tools = request("tools/list", json.loads(garbage.MODERN_PARAMS))
    assert post(http, server.url(), ping, session) == 200
    assert post(http, server.url(), tools, modern()) == 200
    assert_unharmed(server)


@pytest.mark.parametrize("era", ["opening", "session", "modern"])
def test_http_refuses_what_is_no_message(
    http: httpx2.Client, network: ServerProcess, session: dict[str, str], era: str
) -> None:
    headers = {"opening": {}, "session": session, "modern": modern("ping")}[era]

    @fuzzed(60)
    @given(garbage.broken_messages)
    def run(frame: bytes) -> None:
        assert 400 <= post(http, network.url(), frame, headers) < 500

    run()
    assert_answers(http, network, session)


@pytest.mark.parametrize("era", ["opening", "session"])
def test_http_never_fails_whatever_it_is_sent(
    http: httpx2.Client, network: ServerProcess, session: dict[str, str], era: str
) -> None:
    headers = session if era == "session" else {}

    @fuzzed(100)
    @given(garbage.frames)
    def run(frame: bytes) -> None:
        assert post(http, network.url(), frame, headers) < 500

    run()
    assert_answers(http, network, session)


def test_modern_http_never_fails_whatever_it_is_sent(
    http: httpx2.Client, network: ServerProcess, session: dict[str, str]
) -> None:
    @fuzzed(150)
    @given(garbage.modern_posts())
    def run(parts: tuple[dict[str, str], bytes]) -> None:
        headers, body = parts
        encoded: Any = {name: value.encode("latin-1") for name, value in headers.items()}
        status = post(http, network.url(), body, encoded)
        SEEN[(status, headers.get("Mcp-Method"))] += 1
        assert status < 500

    run()
    print(SEEN)
    assert_answers(http, network, session)
from collections import Counter
SEEN=Counter()
