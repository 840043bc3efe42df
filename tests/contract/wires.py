"""Wires: a raw client for each transport, which sends anything and reads what comes back."""

import contextlib
import json
import queue
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any, Protocol
from urllib.parse import urljoin

import httpx2
import websockets
from websockets.sync.client import ClientConnection, connect

PATIENCE = 5.0
"""Seconds in which a good request must be answered, whatever came before it."""

LEAKS = ("Traceback", 'File "', "pydantic", "site-packages")
"""What clients must never read: it tells of the inside."""


def parse(text: str | bytes) -> Any:
    """Parse what a server sent: JSON, strictly, and without a word of the inside."""
    text = text.decode() if isinstance(text, bytes) else text
    for leak in LEAKS:
        assert leak not in text, text[:2000]

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON: {text[:2000]}")

    return json.loads(text, parse_constant=refuse)


class Wire(Protocol):
    """A connection, open until the server closes it."""

    def send(self, frame: bytes) -> None:
        """Send one frame, whatever it holds."""

    def receive(self, seconds: float) -> Any:
        """The next message.

        Raises:
            EOFError: The server has closed the connection.
            queue.Empty: None came in time.
        """


class Reader:
    """Reads frames in a thread, so that neither side ever waits for the other."""

    def __init__(self, frames: Iterable[str | bytes]) -> None:
        self._queue: queue.SimpleQueue[str | bytes | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, args=(frames,), daemon=True)
        self._thread.start()

    def _run(self, frames: Iterable[str | bytes]) -> None:
        with contextlib.suppress(OSError, ValueError, httpx2.HTTPError):
            for frame in frames:
                self._queue.put(frame)
        self._queue.put(None)

    def receive(self, seconds: float) -> Any:
        """The next message, parsed."""
        frame = self._queue.get(timeout=max(seconds, 0))
        if frame is None:
            raise EOFError
        return parse(frame)


numbers = count(1)


def request(method: str, params: dict[str, Any] | None = None) -> tuple[str, bytes]:
    """A good request with an id that no garbage has."""
    number = f"probe-{next(numbers)}"
    message = {"jsonrpc": "2.0", "id": number, "method": method}
    return number, json.dumps(message | ({"params": params} if params else {})).encode()


def ask(wire: Wire, method: str, params: dict[str, Any] | None = None) -> Any:
    """Ask something good and return its answer, which must come in time whatever came before."""
    number, frame = request(method, params)
    wire.send(frame)
    deadline = time.monotonic() + PATIENCE
    while (message := wire.receive(deadline - time.monotonic())).get("id") != number:
        pass
    return message


class Lines:
    """Lines over a pair of pipes, or over a Unix socket."""

    def __init__(self, write: Any, read: Any) -> None:
        self._write = write
        self._read = read
        self._reader = Reader(read)

    def send(self, frame: bytes) -> None:
        """Write a line; line feeds within the frame make it several."""
        self._write.write(frame + b"\n")
        self._write.flush()

    def receive(self, seconds: float) -> Any:
        """The next message."""
        return self._reader.receive(seconds)


@contextlib.contextmanager
def unix_socket(path: str) -> Iterator[Lines]:
    """Connect to a Unix socket."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        with connection.makefile("rwb") as file:
            yield Lines(file, file)
            connection.shutdown(socket.SHUT_RDWR)


class WebSocket:
    """Text and binary frames."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._count = 0

    def send(self, frame: bytes) -> None:
        """Send a frame, every third as binary; bytes that are no UTF-8 go as text too."""
        self._count += 1
        try:
            self._connection.send(frame, text=bool(self._count % 3))
        except websockets.ConnectionClosed as exc:
            raise EOFError from exc

    def receive(self, seconds: float) -> Any:
        """The next message."""
        try:
            return parse(self._connection.recv(seconds))
        except TimeoutError as exc:
            raise queue.Empty from exc
        except websockets.ConnectionClosed as exc:
            raise EOFError from exc

    def abort(self) -> None:
        """Leave without saying goodbye."""
        self._connection.socket.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def websocket(url: str) -> Iterator[WebSocket]:
    """Connect over WebSocket."""
    subprotocols = [websockets.Subprotocol("mcp")]
    with connect(url, subprotocols=subprotocols, max_size=None, compression=None) as connection:
        yield WebSocket(connection)


class EventStream:
    """The legacy HTTP transport: posts, and an event stream that answers.

    Attributes:
        statuses: HTTP status codes of the posts.
    """

    def __init__(self, http: httpx2.Client, url: str, reader: Reader) -> None:
        self._http = http
        self._url = url
        self._reader = reader
        self.statuses: list[int] = []

    def send(self, frame: bytes) -> None:
        """Post a frame."""
        response = self._http.post(self._url, content=frame, headers=JSON)
        for leak in LEAKS:
            assert leak not in response.text
        self.statuses.append(response.status_code)

    def receive(self, seconds: float) -> Any:
        """The next message of the event stream."""
        return self._reader.receive(seconds)

    def abort(self) -> None:
        """Leave: nothing is to be said."""


JSON = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}


def events(lines: Iterable[str]) -> Iterator[str]:
    """The data of each event of a stream."""
    for line in lines:
        if line.startswith("data: "):
            yield line.removeprefix("data: ")


@contextlib.contextmanager
def event_stream(url: str, headers: dict[str, str] | None = None) -> Iterator[EventStream]:
    """Connect over legacy SSE."""
    with (
        httpx2.Client(timeout=PATIENCE, headers=headers) as http,
        http.stream("GET", url, timeout=httpx2.Timeout(PATIENCE, read=60)) as stream,
    ):
        data = events(stream.iter_lines())
        target = urljoin(url, next(data))
        yield EventStream(http, target, Reader(data))


def post(http: httpx2.Client, url: str, frame: bytes, headers: dict[str, Any]) -> int:
    """Post something, and return the HTTP status; an open subscription is not read to its end."""
    with http.stream("POST", url, content=frame, headers=JSON | headers) as response:
        if b"subscriptions/listen" in frame and response.status_code == 200:
            return 200
        text = response.read().decode()
        for message in events(text.splitlines()) if "data: " in text else [text]:
            if message:
                parse(message)
        return response.status_code
