"""Memory of an idle session over streamable HTTP, in KiB, from the growth of the resident set."""

import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

import httpx2

from benchmarks.http import BEST, FASTMCP, OURS, SHIPPED
from benchmarks.measuring import Table, take_turns
from benchmarks.requests import LEGACY, MODERN, open_session
from benchmarks.serving import Contestant, Running, served

SESSIONS = 200
FIRST = 50
"""Sessions before those that count: they bring in what the server loads late."""

ROUNDS = 3
"""Most rounds: memory varies little."""

SETTLED = 1.0
"""Seconds without anything to do before memory is read."""

NOTE = (
    f"{SESSIONS} sessions of {LEGACY} are opened after {FIRST} that do not count, then left alone; "
    f"{MODERN} has no sessions."
)


def measure_sessions(rounds: int) -> list[Table]:
    """The growth of a server by each idle session, without and with an open stream."""
    tables = []
    for with_stream, title in (
        (False, "Memory of an idle session over HTTP"),
        (True, "Memory of an idle session over HTTP with an open GET stream"),
    ):
        measures: dict[str, Callable[[], float]] = {
            contestant.name: partial(_per_session, contestant, with_stream=with_stream)
            for contestant in (BEST, SHIPPED, FASTMCP, OURS)
        }
        figures = take_turns(measures, min(rounds, ROUNDS), warm=0)
        tables.append(Table(title, "KiB per session", BEST.name, figures, notes=[NOTE]))
    return tables


def _per_session(contestant: Contestant, *, with_stream: bool) -> float:
    with served(contestant) as server, _opened(server, FIRST, with_stream=with_stream):
        before = _settled(server)
        with _opened(server, SESSIONS, with_stream=with_stream):
            growth = _settled(server) - before
    if growth <= 0:
        sys.exit(f"{contestant.name} did not grow by {SESSIONS} sessions: nothing was measured")
    return growth / SESSIONS


def _settled(server: Running) -> int:
    time.sleep(SETTLED)
    return server.resident_kib()


@contextmanager
def _opened(server: Running, count: int, *, with_stream: bool) -> Iterator[None]:
    """Open sessions; in the end, see that they are still open, and close their streams."""
    with httpx2.Client() as http:
        sessions = [open_session(http, server.url) for _ in range(count)]
        streams = [_stream(server, headers) for headers in sessions] if with_stream else []
        yield
        for stream in streams:
            _close(server, stream)
        for headers in sessions:
            ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
            answer = http.post(server.url, json=ping, headers=headers)
            if answer.status_code != 200 or '"result"' not in answer.text:
                sys.exit(f"{server.contestant.name} lost a session: {answer.text[:500]}")


def _close(server: Running, stream: socket.socket) -> None:
    """Close a stream that its server left open."""
    stream.setblocking(False)
    with stream, suppress(BlockingIOError):
        while data := stream.recv(4096):
            if b"\r\n0\r\n\r\n" in data:
                break
        sys.exit(f"{server.contestant.name} closed the stream of an idle session")


def _stream(server: Running, headers: dict[str, str]) -> socket.socket:
    """Open the stream of a session on which its server may speak first."""
    stream = socket.create_connection(("127.0.0.1", server.port), timeout=30)
    sent = {**headers, "Accept": "text/event-stream", "Host": f"127.0.0.1:{server.port}"}
    lines = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
    stream.sendall(f"GET /mcp HTTP/1.1\r\n{lines}\r\n".encode())
    status = stream.recv(4096).split(b"\r\n")[0]
    if b" 200 " not in status:
        sys.exit(f"{server.contestant.name} opens no stream: {status.decode()}")
    return stream
