"""Floods of one connection: what a client without a key may cost."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ServerProcess, environment, start_server
from tests.contract.raw_http import Raw, connection
from tests.contract.test_connections import CALL, HTTP, WAIT, settings

pytestmark = pytest.mark.contract

KEY = "correct-horse-battery-staple"


@pytest.fixture(scope="module")
def closed(test_plugins: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that wants a key, and takes small requests."""
    env = environment(test_plugins) | {"MCPKIT_AUTH__API_KEYS": KEY}
    limits = settings(max_body_size=500_000)
    server = start_server((*HTTP, *limits), env, tmp_path_factory.mktemp("closed"))
    try:
        yield server
    finally:
        server.close()


def sent_until_closed(raw: Raw, piece: bytes, most: int) -> int:
    """How many bytes a connection takes before the server closes it."""
    sent = 0
    while sent < most and raw.is_open():
        raw.send(piece)
        sent += len(piece)
    return sent


@pytest.mark.parametrize("key", [{}, {"X_API_Key": KEY}], ids=["refused", "with a key"])
def test_a_body_of_tiny_chunks_is_cut(closed: ServerProcess, key: dict[str, str]) -> None:
    with connection(closed.url()) as raw:
        raw.send(raw.head(Transfer_Encoding="chunked", **key) + b"\r\n")
        if not key:
            assert raw.status() == 401

        sent = sent_until_closed(raw, b"1\r\n \r\n" * 10_000, 30_000_000)

        assert sent < 12_000_000  # what the kernel buffers, and little more
    closed.wait_for("127.0.0.1: the body of a request has more framing than content")


def test_a_body_in_small_chunks_is_read(closed: ServerProcess) -> None:
    body = json.dumps({"padding": "x" * 100_000}).encode()
    chunks = b"".join(b"8\r\n%b\r\n" % body[at : at + 8] for at in range(0, len(body) - 8, 8))
    with connection(closed.url()) as raw:
        raw.send(raw.head(Transfer_Encoding="chunked", X_API_Key=KEY) + b"\r\n")
        raw.send(chunks + b"0\r\n\r\n")

        assert raw.status() == 400  # it is no message, but it was read


def test_a_body_that_goes_on_after_its_answer_is_cut(closed: ServerProcess) -> None:
    with connection(closed.url()) as raw:
        raw.send(raw.head(Content_Length="100000000") + b"\r\n")
        assert raw.status() == 401

        sent = sent_until_closed(raw, b" " * 65536, 90_000_000)

        assert sent < 20_000_000
    closed.wait_for("127.0.0.1: the body of a request went on after its answer")


def test_requests_that_do_not_wait_for_answers_have_a_limit(closed: ServerProcess) -> None:
    with connection(closed.url()) as raw:
        sent = sent_until_closed(raw, b"GET / HTTP/1.1\r\nHost:a\r\n\r\n" * 10_000, 60_000_000)

        assert sent < 12_000_000
    closed.wait_for("127.0.0.1: more than 16 requests wait for an answer")


def test_some_requests_at_once_are_all_answered(closed: ServerProcess) -> None:
    with connection(closed.url()) as raw:
        raw.send((raw.head("GET", "/livez") + b"\r\n") * 16)

        assert [raw.status() for _ in range(16)] == [200] * 16


@pytest.mark.parametrize("last", ["request", "handshake"])
def test_a_client_that_leaves_before_its_answers_is_no_error(
    closed: ServerProcess, last: str
) -> None:
    start = len(closed.lines)
    call = json.loads(json.dumps(WAIT))
    call["params"]["arguments"]["seconds"] = 0.3
    with connection(closed.url()) as raw:
        raw.post(call, X_API_Key=KEY, **CALL)
        assert raw.status() == 200  # the header of its stream
        if last == "request":
            raw.send(raw.head("GET", "/livez") + b"\r\n")
        else:
            upgrade = {"Connection": "Upgrade", "Upgrade": "websocket"}
            raw.send(raw.head("GET", "/ws", **upgrade) + b"\r\n")
    with connection(closed.url()) as other:
        other.post({**call, "id": 2}, X_API_Key=KEY, **CALL)
        assert other.read_until(b'"result"')  # the first one is over as well

    assert "Traceback" not in "".join(closed.lines[start:])
