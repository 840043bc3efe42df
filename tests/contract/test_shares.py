"""Shares: what one client may use of the network transports, with real sockets."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.conftest import ServerProcess, environment, start_server
from tests.contract.raw_http import INITIALIZE
from tests.contract.wires import JSON

pytestmark = pytest.mark.contract

NETWORK = ("-t", "streamable-http", "-t", "sse", "-t", "websocket", "--port", "0")
KEYS = {"ann": "a" * 20, "bob": "b" * 20}


@pytest.fixture(scope="module")
def narrow(test_plugins: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with little room for each client."""
    limits = {"http.max_sessions_per_client": 3}
    arguments = [part for item in limits.items() for part in ("--set", "{}={}".format(*item))]
    env = environment(test_plugins, {"MCPKIT_AUTH__API_KEYS": json.dumps(KEYS)})
    server = start_server((*NETWORK, *arguments), env, tmp_path_factory.mktemp("narrow"))
    try:
        yield server
    finally:
        server.close()


def client_of(name: str) -> httpx2.Client:
    return httpx2.Client(headers={**JSON, "X-API-Key": KEYS[name]})


def websocket(server: ServerProcess, name: str) -> ClientConnection:
    return connect(
        server.url("websocket"),
        subprotocols=["mcp"],  # type: ignore[list-item]
        additional_headers={"X-API-Key": KEYS[name]},
        max_size=None,
    )


def say(http: httpx2.Client, url: str, message: Any, session: str = "") -> httpx2.Response:
    fields = {"Mcp-Session-Id": session} if session else {}
    return http.post(url, json=message, headers=fields)


PING = {"jsonrpc": "2.0", "id": 2, "method": "ping"}


def test_sessions_of_every_transport_count_for_the_client_that_has_them(
    narrow: ServerProcess,
) -> None:
    with contextlib.ExitStack() as opened:
        ann, bob = opened.enter_context(client_of("ann")), opened.enter_context(client_of("bob"))
        opened.enter_context(websocket(narrow, "ann"))
        opened.enter_context(ann.stream("GET", narrow.url("sse")))
        names = []
        for _ in range(3):
            answered = say(ann, narrow.url(), INITIALIZE)
            names.append(answered.headers["mcp-session-id"])
        statuses = [say(ann, narrow.url(), PING, name).status_code for name in names]
        opened.enter_context(websocket(narrow, "ann"))  # the idle session makes room
        with pytest.raises(InvalidStatus) as refused:
            websocket(narrow, "ann")
        stream = ann.get(narrow.url("sse"))
        session = say(ann, narrow.url(), INITIALIZE)
        other = say(bob, narrow.url(), INITIALIZE)

    assert statuses == [404, 404, 200]
    assert refused.value.response.status_code == 503
    assert refused.value.response.headers["retry-after"] == "10"
    assert (stream.status_code, stream.headers["retry-after"]) == (503, "10")
    assert (session.status_code, session.json()["error"]["code"]) == (503, 503)
    assert other.status_code == 200
    narrow.wait_for("client:ann has 3 sessions, as many as http.max_sessions_per_client allows")
