"""Connections to the HTTP port: how long, how large and how many, with real sockets."""

import json
import re
import resource
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest
import trustme
from websockets.sync.client import connect

from tests.conftest import Serve, ServerProcess, environment, start_server
from tests.contract.raw_http import INITIALIZE, connection, connections
from tests.contract.wires import event_stream, request

pytestmark = pytest.mark.contract

HTTP = ("-t", "streamable-http", "-t", "sse", "-t", "websocket", "--port", "0")
KEY = "correct-horse-battery-staple"
STRANGER = "127.0.0.2"
"""An address of this machine that is no trusted proxy."""
OTHER = "127.0.0.3"

WAIT = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {
        "name": "conversation_wait",
        "arguments": {"seconds": 20},
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "raw", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {},
            "progressToken": 1,
        },
    },
}
"""A call that takes long, and begins its stream at once."""

CALL = {
    "MCP_Protocol_Version": "2026-07-28",
    "Mcp_Method": "tools/call",
    "Mcp_Name": "conversation_wait",
}

LIMIT = 0.5
"""Seconds that the hurried server gives."""


def settings(**values: Any) -> list[str]:
    return [part for name, value in values.items() for part in ("--set", f"http.{name}={value}")]


@pytest.fixture(scope="module")
def hurried(
    test_plugins: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    """A server that waits for nobody."""
    limits = settings(
        header_timeout=LIMIT, body_timeout=LIMIT, idle_timeout=LIMIT, max_header_size=2048
    )
    folder = tmp_path_factory.mktemp("hurried")
    server = start_server((*HTTP, *limits), environment(test_plugins), folder)
    try:
        yield server
    finally:
        server.close()


@pytest.mark.parametrize("drip", [b"", b"x"], ids=["silent", "dripping"])
@pytest.mark.parametrize(
    ("length", "setting"), [(None, "http.header_timeout"), ("1000", "http.body_timeout")]
)
def test_a_request_that_comes_too_slowly_is_refused(
    hurried: ServerProcess, length: str | None, setting: str, drip: bytes
) -> None:
    with connection(hurried.url()) as raw:
        raw.send(raw.head() + b"X-Slow: " if length is None else raw.head(Content_Length=length))
        raw.send(b"\r\n{" if length is not None else b"")

        seconds = raw.seconds_until_closed(drip)

        assert LIMIT <= seconds < 4 * LIMIT
        assert raw.status() == 408
    hurried.wait_for(f"127.0.0.1: .* took longer than {setting}")


@pytest.mark.parametrize("asks", [False, True], ids=["fresh", "after a response"])
def test_an_idle_connection_is_closed(hurried: ServerProcess, asks: bool) -> None:
    with connection(hurried.url()) as raw:
        if asks:
            raw.post()
            assert raw.status() == 200

        seconds = raw.seconds_until_closed()

        assert LIMIT <= seconds < 4 * LIMIT
        assert raw.status() == 0


def test_half_of_the_next_request_is_no_reason_to_stay(hurried: ServerProcess) -> None:
    with connection(hurried.url()) as raw:
        raw.post()
        assert raw.status() == 200
        raw.send(raw.head())

        raw.seconds_until_closed(b"")

        assert raw.status() == 408


def test_streams_and_long_calls_are_not_idle(hurried: ServerProcess) -> None:
    call = {"name": "conversation_wait", "arguments": {"seconds": 4 * LIMIT}}
    url = hurried.url()
    with (
        connect(hurried.url("websocket"), subprotocols=["mcp"]) as websocket,  # type: ignore[list-item]
        event_stream(hurried.url("sse")) as stream,
        httpx2.Client() as http,
    ):
        opened = http.post(
            url, json=INITIALIZE, headers={"Accept": "application/json, text/event-stream"}
        )
        fields = {"Mcp_Session_Id": opened.headers["mcp-session-id"], "Connection": "keep-alive"}
        with connection(url) as caller, connection(url) as listener, connection(url) as clock:
            listener.send(listener.head("GET", **fields) + b"\r\n")
            caller.post(json.loads(request("tools/call", call)[1]), **fields)
            clock.seconds_until_closed()

            assert listener.status() == 200
            assert caller.status() == 200  # the header of its stream
            with connection(url) as again:
                again.seconds_until_closed()
            assert listener.is_open()
            assert caller.is_open()
        number, ping = request("ping")
        websocket.send(ping.decode())
        assert json.loads(websocket.recv(5))["id"] == number
        stream.send(ping)
        assert stream.statuses == [202]


def test_a_header_at_the_limit_is_taken_and_a_byte_more_is_not(hurried: ServerProcess) -> None:
    statuses = []
    with connection(hurried.url()) as raw:
        body = json.dumps(INITIALIZE).encode()
        head = raw.head(Content_Length=str(len(body)), X_Filler="")
        start = len(b"POST  HTTP/1.1\r\n")
    for excess in (0, 1):
        with connection(hurried.url()) as raw:
            filler = b"x" * (2048 - (len(head) - start) + excess)
            raw.send(head[:-2] + filler + b"\r\n\r\n" + body)
            statuses.append(raw.status())

    assert statuses == [200, 431]
    hurried.wait_for("larger than http.max_header_size")


def test_fields_at_the_limit_are_taken_and_one_more_is_not(hurried: ServerProcess) -> None:
    statuses = []
    for count in (100, 101):
        with connection(hurried.url()) as raw:
            own = raw.head(Content_Length="2").count(b"\r\n") - 1
            raw.send(raw.head(Content_Length="2") + b"A: b\r\n" * (count - own) + b"\r\n{}")
            statuses.append(raw.status())

    assert statuses == [400, 431]  # the message is none, but it was read
    hurried.wait_for("larger than http.max_header_fields")


@pytest.mark.parametrize(
    "start",
    [
        b"POST /mcp HTTP/1.1\r\nX-A: ",
        b"POST /",
        b"POST /mcp HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Trailer: ",
        b"POST /mcp HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;",
    ],
    ids=["header", "path", "trailer", "chunk extension"],
)
def test_a_header_without_end_is_cut(hurried: ServerProcess, start: bytes) -> None:
    with connection(hurried.url()) as raw:
        raw.send(start)
        sent = 0
        while sent < 50_000_000 and raw.is_open():
            raw.send(b"a" * 65536)
            sent += 65536

        assert sent < 20_000_000  # what the kernel buffers, and little more
        assert not raw.is_open()


def test_large_bodies_and_pipelined_requests_are_no_large_headers(hurried: ServerProcess) -> None:
    message = {**INITIALIZE, "padding": "x" * 300_000}
    with connection(hurried.url()) as raw:
        for _ in range(3):
            raw.post(message)
        raw.post()

        assert [raw.status() for _ in range(4)] == [200] * 4


UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec_WebSocket_Version": "13",
}


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"X": "y" * 9000}, 431),  # longer than a line that the WebSocket library reads
        ({"X": "y" * 70_000}, 431),
        ({"X": "y\x00z"}, 400),
        ({"Sec_WebSocket_Extensions": "\xff"}, 400),
        ({"Sec_WebSocket_Version": "99"}, 400),
    ],
)
def test_a_websocket_handshake_that_cannot_be_read_is_refused(
    network: ServerProcess, fields: dict[str, str], status: int
) -> None:
    with connection(network.url()) as raw:
        raw.send(raw.head("GET", "/ws", **{**UPGRADE, **fields}) + b"\r\n")

        assert raw.status() == status
        raw.seconds_until_closed()


def test_no_key_stands_in_the_log_of_a_handshake(serve: Serve) -> None:
    server = serve(*HTTP, "--log-level", "debug", env={"MCPKIT_AUTH__API_KEYS": KEY})
    with connection(server.url()) as raw:
        raw.send(raw.head("GET", "/ws", **UPGRADE, X_API_Key=KEY, Sec_WebSocket_Protocol="mcp"))
        raw.send(b"\r\n")
        assert raw.status() == 101

    server.stop()

    assert KEY not in "".join(server.lines)


def test_a_stranger_cannot_fill_the_log(serve: Serve) -> None:
    server = serve(*HTTP, *settings(header_timeout=0.4))
    with connections(server.url(), 40) as opened:
        for raw in opened:
            raw.send(raw.head())
        for raw in opened:
            raw.seconds_until_closed()
    for _ in range(20):
        with connection(server.url()) as raw:
            raw.send(b"\0\r\n\r\n")
            assert raw.status() == 400

    server.stop()

    text = "".join(server.lines)
    assert len(re.findall("Closed a connection .* http.header_timeout\n", text)) == 6
    assert re.search(r"35 more like this within \d+ s: Closed a connection of 127.0.0.1", text)
    assert text.count("Invalid HTTP request") <= 6


@pytest.fixture(scope="module")
def small(test_plugins: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server for few connections, and fewer from one peer."""
    limits = settings(max_connections=8, max_connections_per_peer=2)
    folder = tmp_path_factory.mktemp("small")
    server = start_server((*HTTP, *limits), environment(test_plugins), folder)
    try:
        yield server
    finally:
        server.close()


def test_idle_connections_give_way_to_others(small: ServerProcess) -> None:
    url = small.url()
    with connections(url, 30) as idle:
        start = time.monotonic()
        with connection(url) as raw:
            raw.post()
            status = raw.status()

        assert status == 200
        assert time.monotonic() - start < 3
        assert sum(one.is_open() for one in idle) <= 8
    small.wait_for("8 connections are open, as many as http.max_connections")


def test_when_all_are_busy_one_more_is_told_to_come_back(small: ServerProcess) -> None:
    url = small.url()
    with connections(url, 6) as most, ExitStack() as opened:
        for raw in most:
            raw.post(WAIT, **CALL, X_Forwarded_For="10.0.0.1")
            assert raw.status() == 200  # the header of its stream
        with connection(url) as same:
            same.post(X_Forwarded_For="10.0.0.1")
            assert same.status() == 429  # the share of one client
        others = opened.enter_context(connections(url, 2, STRANGER))
        for raw in others:
            raw.post(WAIT, **CALL)
            assert raw.status() == 200

        with connection(url) as late, connection(url) as probe:
            late.post()
            status = late.status()
            probe.send(probe.head("GET", "/livez") + b"\r\n")

            assert probe.status() == 200
        assert status == 503
        assert late.fields["retry-after"] == "1"
        assert all(raw.is_open() for raw in [*most, *others])


def test_idle_websockets_give_way_to_others(small: ServerProcess) -> None:
    url = small.url()
    with (
        connect(small.url("websocket"), subprotocols=["mcp"]) as busy,  # type: ignore[list-item]
        connections(url, 5) as own,  # one client may not use all
        connections(url, 2, STRANGER) as others,
    ):
        sockets = [*own, *others]
        busy.send(json.dumps(WAIT))
        busy.recv(5)  # its first progress
        for raw in sockets:
            raw.send(raw.head("GET", "/ws", **UPGRADE, Sec_WebSocket_Protocol="mcp") + b"\r\n")
            assert raw.status() == 101

        with connection(url, OTHER) as late:
            late.post()

            assert late.status() == 200
        assert sum(raw.is_open() for raw in sockets) == 6
        assert busy.ping().wait(5)


def test_one_peer_cannot_take_what_others_need(small: ServerProcess) -> None:
    url = small.url()
    with connections(url, 2, STRANGER) as busy, connections(url, 3) as trusted:
        for raw in [*busy, *trusted]:
            raw.post(WAIT, **CALL)
            assert raw.status() == 200

        with connection(url, STRANGER) as same, connection(url, OTHER) as other:
            same.post()
            other.post()
            statuses = same.status(), other.status()

        assert statuses == (503, 200)
        assert all(raw.is_open() for raw in [*busy, *trusted])
    small.wait_for("127.0.0.2 has 2 connections, as many as http.max_connections_per_peer")


def test_idle_connections_of_one_peer_give_way_to_its_own(small: ServerProcess) -> None:
    url = small.url()
    with connections(url, 6, STRANGER) as strangers, connection(url, OTHER) as other:
        other.post()
        assert other.status() == 200
        strangers[-1].post()

        assert strangers[-1].status() == 200
        assert sum(raw.is_open() for raw in strangers) <= 2
        assert other.is_open()


def test_connections_with_a_key_stay_when_strangers_come(serve: Serve) -> None:
    env = {"MCPKIT_AUTH__API_KEYS": KEY}
    server = serve(*HTTP, *settings(max_connections=8), env=env)
    url = server.url()
    with connections(url, 4) as known:
        for raw in known:
            raw.post(X_API_Key=KEY)
            assert raw.status() == 200

        with connections(url, 40, STRANGER) as strangers:
            for raw in strangers:
                raw.post()
            for raw in known:
                raw.post({"jsonrpc": "2.0", "id": 2, "method": "ping"}, X_API_Key=KEY)
            statuses = [raw.status() for raw in known]

    assert statuses == [400] * 4  # on the same connections; no session is named


def test_tls_handshakes_count_and_end(serve: Serve, tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "certificate.pem")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    context = ssl.create_default_context()
    authority.configure_trust(context)
    tls = ("--tls-certificate", "certificate.pem", "--tls-key", "key.pem")
    server = serve(*HTTP, *tls, *settings(max_connections=6, header_timeout=LIMIT))
    url = server.url()
    with connections(url, 20, STRANGER) as silent:
        answer = httpx2.get(url.replace("/mcp", "/livez"), verify=context)
        still_open = [raw for raw in silent if raw.is_open()]
        seconds = [raw.seconds_until_closed() for raw in still_open]

    assert answer.status_code == 200
    assert len(still_open) <= 6
    assert max(seconds) < 4 * LIMIT
    server.wait_for("127.0.0.2: .*handshake.* longer than http.header_timeout")


def test_a_process_out_of_files_makes_room(serve: Serve) -> None:
    server = serve(*HTTP)
    url = server.url()
    pid = server.process.pid
    used = len([*Path(f"/proc/{pid}/fd").iterdir()])
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 5, hard))
    with connections(url, 30, STRANGER), connection(url) as raw:
        raw.post()

        assert raw.status() == 200
    server.wait_for("Cannot accept a connection: .*ulimit -n")
