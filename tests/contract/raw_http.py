"""Raw HTTP: a socket that sends what it likes, when it likes, and tells what came back."""

import json
import re
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

PATIENCE = 10.0
"""Seconds in which the server has to do what is expected of it."""

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "raw", "version": "1"},
    },
}


class Raw:
    """One connection to a server."""

    def __init__(self, url: str, source: str = "127.0.0.1") -> None:
        self._url = urlsplit(url)
        self.host = self._url.netloc
        address = (str(self._url.hostname), self._url.port)
        self._socket = socket.create_connection(address, PATIENCE, (source, 0))
        self._received = b""

    def send(self, data: bytes) -> None:
        """Send some bytes; those that the server takes no more are dropped."""
        try:
            self._socket.sendall(data)
        except OSError:
            return

    def head(self, method: str = "POST", path: str = "/mcp", **fields: str) -> bytes:
        """The header of a request, without the empty line at its end."""
        usual = {
            "Host": self.host,
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
        }
        names = {name.replace("_", "-"): value for name, value in fields.items()}
        lines = [f"{name}: {value}" for name, value in {**usual, **names}.items()]
        return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, ""]).encode("latin-1")

    def post(self, message: Any = INITIALIZE, **fields: str) -> None:
        """Send a whole request."""
        body = json.dumps(message).encode()
        self.send(self.head(Content_Length=str(len(body)), **fields) + b"\r\n" + body)

    def status(self) -> int:
        """The status of the next response; its body is read as well. 0 if there is none."""
        while b"\r\n\r\n" not in self._received:
            if not self._read():
                return 0
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        self.fields = dict(
            line.lower().split(": ", 1) for line in head.decode("latin-1").split("\r\n")[1:]
        )
        length = int(self.fields.get("content-length", "0"))
        while len(self._received) < length and self._read():
            pass
        self.body, self._received = self._received[:length], self._received[length:]
        return int(head.split(b" ", 2)[1])

    def read_until(self, pattern: bytes) -> bytes:
        """What matches first in what has come so far."""
        while (found := re.search(pattern, self._received)) is None:
            assert self._read(), "the server has closed the connection"
        return found[0]

    def seconds_until_closed(self, drip: bytes = b"") -> float:
        """Wait until the server closes; send some bytes again and again meanwhile."""
        start = time.monotonic()
        self._socket.settimeout(0.05)
        while time.monotonic() - start < PATIENCE:
            self.send(drip)
            try:
                if not self._read():
                    return time.monotonic() - start
            except TimeoutError:
                continue
        raise AssertionError("the server keeps the connection")

    def is_open(self) -> bool:
        """Whether the server has not closed the connection so far."""
        self._socket.setblocking(False)
        try:
            return self._read()
        except BlockingIOError:
            return True
        finally:
            self._socket.settimeout(PATIENCE)

    def _read(self) -> bool:
        try:
            data = self._socket.recv(65536)
        except (ConnectionError, ssl.SSLError):
            return False
        self._received += data
        return bool(data)

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()


@contextmanager
def connections(url: str, count: int, source: str = "127.0.0.1") -> Iterator[list[Raw]]:
    """Some connections, closed at the end."""
    opened = [Raw(url, source) for _ in range(count)]
    try:
        yield opened
    finally:
        for connection in opened:
            connection.close()


@contextmanager
def connection(url: str, source: str = "127.0.0.1") -> Iterator[Raw]:
    """One connection, closed at the end."""
    with connections(url, 1, source) as (opened,):
        yield opened
