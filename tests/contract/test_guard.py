"""Who may talk to the HTTP port: Host, Origin, keys, sizes and TLS, with real processes."""

import json
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx2
import mcp
import pytest
import trustme
import websockets
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

from tests.conftest import Run, Serve, ServerProcess, environment, start_server
from tests.contract.conftest import websocket_client

pytestmark = [pytest.mark.anyio, pytest.mark.contract]

KEY = "correct-horse-battery-staple"
OTHER = "another-key-of-good-length"
ALL = ("-t", "streamable-http", "-t", "sse", "-t", "websocket", "--port", "0")

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
ACCEPT = {"Accept": "application/json, text/event-stream"}


async def post(url: str, headers: dict[str, str] | None = None, body: Any = INITIALIZE) -> Any:
    async with httpx2.AsyncClient() as http:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        merged = {"Content-Type": "application/json", **ACCEPT, **(headers or {})}
        return await http.post(url, content=content, headers=merged)


@pytest.fixture(scope="module")
def keyed(test_plugins: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that wants a key."""
    keys = {"MCPKIT_AUTH__API_KEYS__ALICE": KEY, "MCPKIT_AUTH__API_KEYS__BOB": OTHER}
    server = start_server(ALL, environment(test_plugins, keys), tmp_path_factory.mktemp("keyed"))
    yield server
    server.close()


async def test_foreign_hosts_and_origins_are_refused_with_a_hint(network: ServerProcess) -> None:
    url = network.url()

    good = await post(url, {"Origin": "http://localhost:3000"})
    host = await post(url, {"Host": "evil.example"})
    origin = await post(url, {"Origin": "https://evil.example"})
    opaque = await post(url, {"Origin": "null"})

    assert good.status_code == 200
    assert (host.status_code, "http.allowed_hosts" in host.text) == (421, True)
    assert (origin.status_code, "http.allowed_origins" in origin.text) == (403, True)
    assert opaque.status_code == 403


async def test_websocket_handshakes_are_checked_alike(keyed: ServerProcess) -> None:
    url = keyed.url("websocket")
    key = {"X-API-Key": KEY}

    async def refused(**options: Any) -> int:
        options.setdefault("subprotocols", ["mcp"])
        with pytest.raises(websockets.InvalidStatus) as caught:
            async with websockets.connect(url, **options):
                pytest.fail("the handshake was accepted")
        return caught.value.response.status_code

    assert await refused() == 401
    assert await refused(additional_headers={"X-API-Key": "wrong-key-of-some-length"}) == 401
    assert await refused(additional_headers=key, origin="https://evil.example") == 403
    assert await refused(additional_headers=key, subprotocols=["other"]) == 403


async def test_probes_need_neither_host_nor_key(keyed: ServerProcess) -> None:
    base = keyed.url().removesuffix("/mcp")

    async with httpx2.AsyncClient() as http:
        live = await http.get(f"{base}/livez", headers={"Host": "10.1.2.3:8000"})
        ready = await http.get(f"{base}/readyz", headers={"Host": "10.1.2.3:8000"})
        known = await http.get(f"{base}/readyz", headers={"X-API-Key": KEY})
        hello = await http.get(f"{base}/hello")

    assert (live.status_code, live.json()) == (200, {"status": "ok"})
    assert ready.json()["plugins"]["conversation"] == {"ready": True}
    assert known.json()["plugins"]["conversation"]["status"] == "loaded"
    assert hello.status_code == 401


@pytest.mark.parametrize("transport", ["streamable-http", "sse", "websocket"])
@pytest.mark.parametrize("header", [{"Authorization": f"Bearer {KEY}"}, {"X-API-Key": KEY}])
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_key_opens_every_network_transport(
    keyed: ServerProcess, transport: str, header: dict[str, str], mode: Any
) -> None:
    url = keyed.url(transport)
    with anyio.fail_after(20):
        async with httpx2.AsyncClient(headers=header) as http:
            target = {
                "streamable-http": lambda: streamable_http_client(url, http_client=http),
                "sse": lambda: sse_client(url, headers=header),
                "websocket": lambda: websocket_client(url, additional_headers=header),
            }[transport]()
            async with mcp.Client(target, mode=mode) as client:
                result = await client.call_tool("conversation_echo", {"text": "in"})

    assert result.structured_content == {"result": "in"}


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"X-API-Key": "wrong-key-of-some-length"},
        {"Authorization": "Basic abc"},
        {"X-API-Key": "é"},
    ],
)
async def test_without_the_right_key_nothing_opens(
    keyed: ServerProcess, header: dict[str, str]
) -> None:
    encoded: Any = {name: value.encode() for name, value in header.items()}
    for transport, method in (("streamable-http", "POST"), ("sse", "GET")):
        async with httpx2.AsyncClient() as http:
            response = await http.request(method, keyed.url(transport), headers=encoded)
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == "Bearer"
        assert "Bearer KEY" in response.json()["hint"]
        assert KEY not in response.text


async def test_a_session_belongs_to_the_key_that_opened_it(keyed: ServerProcess) -> None:
    opened = await post(keyed.url(), {"X-API-Key": KEY})
    session = {"Mcp-Session-Id": opened.headers["mcp-session-id"]}
    ping = {"jsonrpc": "2.0", "id": 2, "method": "ping"}

    mine = await post(keyed.url(), {"X-API-Key": KEY, **session}, ping)
    theirs = await post(keyed.url(), {"X-API-Key": OTHER, **session}, ping)

    assert mine.status_code == 200
    assert theirs.status_code == 404


async def test_an_oversized_body_is_refused_and_the_server_goes_on(serve: Serve) -> None:
    server = serve(*ALL, "--set", "http.max_body_size=2048")
    url = server.url()

    declared = await post(url, body=b"x" * 5000)
    async with httpx2.AsyncClient() as http:

        async def chunks() -> Any:
            for _ in range(5):
                yield b"x" * 1000

        streamed = await http.post(url, content=chunks(), headers=ACCEPT)
    async with websockets.connect(
        server.url("websocket"), subprotocols=[websockets.Subprotocol("mcp")]
    ) as websocket:
        await websocket.send("x" * 5000)
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await websocket.recv()
    good = await post(url)

    assert declared.status_code == 413
    assert streamed.status_code == 413
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009
    assert good.status_code == 200


async def test_unreadable_websocket_messages_are_answered(network: ServerProcess) -> None:
    async with websockets.connect(
        network.url("websocket"), subprotocols=[websockets.Subprotocol("mcp")]
    ) as websocket:
        answers = []
        for text in ("garbage", "[]", '{"id": 7}', json.dumps(INITIALIZE)):
            await websocket.send(text)
            answers.append(json.loads(await websocket.recv()))

    assert [answer.get("error", {}).get("code") for answer in answers] == [
        -32700,
        -32600,
        -32600,
        None,
    ]
    assert answers[2]["id"] == 7


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, ssl.SSLContext]:
    """A certificate for 127.0.0.1, its key, and a context that trusts it."""
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(folder / "certificate.pem")
    issued.private_key_pem.write_to_path(folder / "key.pem")
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return folder / "certificate.pem", folder / "key.pem", context


async def test_tls_serves_https(serve: Serve, certificate: Any) -> None:
    chain, key, context = certificate
    server = serve(*ALL, "--tls-certificate", str(chain), "--tls-key", str(key))
    url = server.url()

    async with (
        httpx2.AsyncClient(verify=context) as http,
        mcp.Client(streamable_http_client(url, http_client=http)) as client,
    ):
        result = await client.call_tool("conversation_echo", {"text": "safe"})

    assert url.startswith("https://127.0.0.1:")
    assert result.structured_content == {"result": "safe"}


HTTP = ("serve", "-t", "streamable-http")


@pytest.mark.parametrize(
    ("arguments", "code", "error", "hint"),
    [
        (("serve", "-t", "streamble-http"), 2, "Did you mean 'streamable-http'?", "Choose from"),
        ((*HTTP, "--host", "0.0.0.0"), 1, "without authentication", "--allow-unauthenticated"),
        ((*HTTP, "--tls-certificate", "a.pem"), 2, "tls_key together", "option that sets http"),
        (
            (*HTTP, "--port", "0", "--tls-certificate", "a.pem", "--tls-key", "b.pem"),
            1,
            "'a.pem' does not exist",
            "http.tls_certificate",
        ),
        ((*HTTP, "--host", "no-such-host.invalid"), 1, "without authentication", ""),
        ((*HTTP, "--port", "99999"), 2, "http.port must be at most 65535", ""),
        (("serve", "--set", "auth.api_keys=short"), 2, "shorter than 16", ""),
        ((*HTTP, "--port", "0", "--set", "http.sse_path=/mcp", "-t", "sse"), 1, "'/mcp'", "path"),
    ],
)
def test_a_server_that_cannot_start_says_why(
    run: Run, arguments: tuple[str, ...], code: int, error: str, hint: str
) -> None:
    result = run(*arguments)

    assert result.returncode == code
    assert "Error: " in result.stderr
    assert error in result.stderr
    assert hint in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_a_port_in_use_is_named(run: Run) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        result = run(*HTTP, "--port", str(port))

    assert result.returncode == 1
    assert f"Cannot listen on 127.0.0.1:{port}" in result.stderr
    assert "--port 8001" in result.stderr


def test_a_certificate_with_another_key_is_refused(
    run: Run, certificate: Any, tmp_path: Path
) -> None:
    chain, _, _ = certificate
    other = tmp_path / "other.pem"
    trustme.CA().issue_cert("127.0.0.1").private_key_pem.write_to_path(other)

    result = run(*HTTP, "--port", "0", "--tls-certificate", str(chain), "--tls-key", str(other))

    assert result.returncode == 1
    assert "cannot be used" in result.stderr


async def test_a_bind_beyond_loopback_with_a_key_still_checks_the_host(serve: Serve) -> None:
    server = serve(
        *("-t", "streamable-http", "--port", "0", "--host", "0.0.0.0"),
        *("--public-url", "https://mcp.example.org"),
        env={"MCPKIT_AUTH__API_KEYS": KEY},
    )
    url = server.url().replace("0.0.0.0", "127.0.0.1")
    key = {"X-API-Key": KEY}

    public = await post(
        url, {**key, "Host": "mcp.example.org", "Origin": "https://mcp.example.org"}
    )
    foreign = await post(url, {**key, "Host": "evil.example"})

    assert public.status_code == 200
    assert foreign.status_code == 421


async def test_a_plugin_brings_a_transport_of_its_own(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "server.sock"
    server = serve("-t", "unix-socket", "--set", f"plugins.conversation.socket={path}")
    server.wait_for("Serving unix-socket")
    with anyio.fail_after(10):
        while not path.exists():
            await anyio.sleep(0.02)
        stream = await anyio.connect_unix(path)
        async with stream:
            await stream.send(b"nonsense\n" + json.dumps(INITIALIZE).encode() + b"\n")
            received = b""
            while received.count(b"\n") < 2:
                received += await stream.receive()

    answers = [json.loads(line) for line in received.splitlines()]
    assert answers[0]["error"]["code"] == -32700
    assert answers[1]["result"]["serverInfo"]["name"] == "mcpkit"
    assert server.stop() == 0


def test_malformed_lines_on_stdio_are_answered_and_the_good_ones_too(serve: Serve) -> None:
    server = serve()
    assert server.process.stdin is not None
    assert server.process.stdout is not None
    lines = [b"garbage", b"\xff\xfe", b"[]", b'{"id": 7}', b"", json.dumps(INITIALIZE).encode()]
    server.process.stdin.write(b"\n".join(lines) + b"\n")
    server.process.stdin.write(b'{"jsonrpc": "2.0", "id": 8, "method": "ping"}')  # no newline
    server.process.stdin.close()

    answers = [json.loads(line) for line in server.process.stdout.read().splitlines()]

    codes = [answer["error"]["code"] for answer in answers if "error" in answer]
    assert codes == [-32700, -32700, -32600, -32600]
    assert [answer["id"] for answer in answers if "result" in answer] == [1, 8]
    assert server.process.wait(15) == 0
