"""The guard as an ASGI application: near misses of names and keys, CORS, and what it logs."""

import json
import logging
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from mcpkit.core.settings import AuthSettings, HttpSettings
from mcpkit.core.transports.guard import Guard
from mcpkit.core.transports.principals import Networks, network_of, principal_of

pytestmark = pytest.mark.anyio

KEY = "correct-horse-battery-staple"
PAGE = "http://localhost:3000"


@dataclass
class Reply:
    """What the guard, or the application behind it, answered."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""


async def principal(scope: Scope, receive: Receive, send: Send) -> None:
    """The application behind the guard: it reads the request, and tells who asks."""
    assert (await receive())["type"] == "http.request"
    await PlainTextResponse(principal_of(scope))(scope, receive, send)


def guard(http: dict[str, Any] | None = None, keys: dict[str, str] | None = None) -> Guard:
    secrets = {name: SecretStr(key) for name, key in (keys or {}).items()}
    return Guard(principal, HttpSettings(**(http or {})), AuthSettings(api_keys=secrets))


async def ask(
    guarded: Guard,
    *headers: tuple[str, str],
    path: str = "/mcp",
    method: str = "POST",
    host: str | None = "localhost:8000",
) -> Reply:
    """Ask with some header fields, and with Host unless it is among them or None."""
    names = {name.lower() for name, _ in headers}
    known = "host" in names or host is None
    all_headers = [*headers] if known else [("Host", str(host)), *headers]
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "client": ("10.1.2.3", 4567),
        "headers": [
            (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in all_headers
        ],
    }
    reply = Reply()

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            reply.status = message["status"]
            reply.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            reply.body += message["body"].decode()

    await guarded(scope, receive, send)
    return reply


@pytest.mark.parametrize(
    "host", ["localhost", "LocalHost:8000", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:65535"]
)
async def test_names_of_this_machine_are_allowed_with_any_port(host: str) -> None:
    assert (await ask(guard(), ("Host", host))).status == 200


@pytest.mark.parametrize(
    "host",
    [
        *("localhost.evil.com", "evil-localhost", "localhost.", "127.0.0.1.", "127.0.0.1.evil.com"),
        *("localhost:", "localhost:80:80", "localhost:8a", "localhost:-1", "localhost:\xb2"),
        *("me@localhost", "localhost@evil.com", "localhost/evil.com", "localhost evil.com"),
        *("::1", "[::1", "[::1%25eth0]", "[::ffff:127.0.0.1]", "[::1].evil.com", "[::2]"),
        *("0.0.0.0", "127.0.0.2", "127.1", "2130706433", "local", "ocalhost", "*"),
    ],
)
async def test_near_misses_of_its_names_are_not(host: str) -> None:
    reply = await ask(guard(), ("Host", host))

    assert reply.status == 421
    assert "http.allowed_hosts" in reply.body


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("example.org", 200),
        ("EXAMPLE.org:9", 200),
        ("api.example.com", 200),
        ("mcp.example.net", 200),
        ("mcp.example.net:443", 200),
        ("mcp.example.net:444", 421),
        ("api.example.com:9", 421),
        ("sub.example.org", 421),
        ("notexample.org", 421),
        ("example.org.evil.com", 421),
        ("example.org.", 421),
    ],
)
async def test_hosts_of_the_settings_are_allowed_and_their_near_misses_not(
    host: str, status: int
) -> None:
    guarded = guard(
        {
            "allowed_hosts": ("example.org:*", "api.example.com"),
            "public_url": "https://mcp.example.net:443/mcp",
        }
    )

    assert (await ask(guarded, ("Host", host))).status == status


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://localhost", 200),
        ("https://localhost:3000", 200),
        ("HTTP://LOCALHOST:3000", 200),
        ("http://[::1]:3000", 200),
        ("https://mcp.example.net", 200),
        ("http://mcp.example.net", 403),
        ("http://localhost:1234@evil.com", 403),
        ("http://localhost.evil.com", 403),
        ("http://localhost:3000.evil.com", 403),
        ("http://localhost:3000/", 403),
        ("http://localhost:3000 http://evil.com", 403),
        ("http://localhost:", 403),
        ("ftp://localhost", 403),
        ("localhost", 403),
        ("null", 403),
        ("", 403),
    ],
)
async def test_origins_of_this_machine_are_allowed_and_near_misses_not(
    origin: str, status: int
) -> None:
    guarded = guard({"public_url": "https://mcp.example.net/mcp"})

    assert (await ask(guarded, ("Origin", origin))).status == status


@pytest.mark.parametrize("path", ["/mcp", "/livez"])
@pytest.mark.parametrize(
    "twice",
    [
        [("Host", "localhost"), ("Host", "localhost")],
        [("Host", "localhost"), ("Host", "evil.com")],
        [("Origin", PAGE), ("Origin", "http://evil.com")],
        [("Authorization", f"Bearer {KEY}"), ("Authorization", "Bearer x")],
        [("X-API-Key", KEY), ("X-API-Key", KEY)],
    ],
)
async def test_a_field_that_decides_comes_once(twice: list[tuple[str, str]], path: str) -> None:
    assert (await ask(guard(keys={"alice": KEY}), *twice, path=path)).status == 400


@pytest.mark.parametrize("first", [KEY, f"{KEY}2", "unknown"])
@pytest.mark.parametrize("second", [KEY, f"{KEY}2", "unknown"])
async def test_two_different_keys_are_refused(first: str, second: str) -> None:
    guarded = guard(keys={"alice": KEY, "bob": f"{KEY}2"})
    bearer, named = ("Authorization", f"Bearer {first}"), ("X-API-Key", second)
    expected = 400 if first != second else 401 if first == "unknown" else 200

    assert (await ask(guarded, bearer, named)).status == expected
    assert (await ask(guarded, bearer, named, path="/livez")).status == 200
    assert (await ask(guard(), bearer, named)).status == 200


async def test_other_fields_may_come_twice() -> None:
    reply = await ask(guard(keys={"a": KEY}), ("X-API-Key", KEY), ("Accept", "a"), ("Accept", "b"))

    assert reply.status == 200


async def test_a_request_without_host_is_bad() -> None:
    assert (await ask(guard(), ("Host", ""))).status == 400
    assert (await ask(guard(), host=None)).status == 400


NAMES = "Add it to http.allowed_hosts, or set http.public_url"
PAGES = "Add it to http.allowed_origins, or set http.public_url"
KEYS = "Send an API key as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'"


@pytest.mark.parametrize(
    ("headers", "path", "status", "error", "hint"),
    [
        ([], "/mcp", 400, "The header Host is missing", "Send it (RFC 9112, section 3.2)"),
        (
            [("Host", "localhost"), ("X-API-Key", KEY), ("X-API-Key", KEY)],
            *("/mcp", 400, "The header X-Api-Key appears more than once", "Send it once"),
        ),
        (
            [("Host", "localhost"), ("X-API-Key", KEY), ("Authorization", "Bearer x")],
            *("/mcp", 400, "Authorization and X-API-Key hold different keys", "Send one of them"),
        ),
        ([("Host", "evil.com")], "/mcp", 421, "Host 'evil.com' is not served here", NAMES),
        (
            [("Host", "localhost"), ("Origin", "null")],
            *("/mcp", 403, "Origin 'null' is not allowed", PAGES),
        ),
        ([("Host", "localhost")], "/mcp", 401, "An API key is required", KEYS),
        (
            [("Host", "localhost"), ("X-API-Key", f"{KEY}x")],
            *("/mcp", 401, "The API key is not known", KEYS),
        ),
        (
            [("Host", "localhost")],
            *("/token", 404, "This server has no authorization server", KEYS),
        ),
    ],
)
async def test_a_refusal_says_what_is_wrong_and_what_to_do(
    headers: list[tuple[str, str]], path: str, status: int, error: str, hint: str
) -> None:
    reply = await ask(guard(keys={"alice": KEY}), *headers, path=path, host=None)

    assert reply.status == status
    assert list(json.loads(reply.body).values()) == [error, hint]


async def test_credentials_of_another_scheme_leave_the_key_alone() -> None:
    guarded = guard(keys={"alice": KEY, "bob": f"{KEY}2"})
    basic, bob = ("Authorization", "Basic x"), ("X-API-Key", f"{KEY}2")

    assert (await ask(guarded, basic, bob)).body == "client:bob"


async def test_probes_need_no_name_and_no_key_but_know_one() -> None:
    guarded = guard(keys={"alice": KEY})

    assert (await ask(guarded, ("Host", "10.0.0.1"), path="/livez")).status == 200
    assert (await ask(guarded, path="/livez", host=None)).body == "peer:10.1.2.3"
    assert (await ask(guarded, ("X-API-Key", KEY), path="/readyz")).body == "client:alice"
    assert (await ask(guarded, ("Host", "10.0.0.1"), path="/livez/")).status == 421


@pytest.mark.parametrize(("kind", "passes"), [("lifespan", True), ("websocket", False)])
async def test_only_requests_and_handshakes_are_checked(kind: str, passes: bool) -> None:
    seen: list[Any] = []

    async def note(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append((scope, receive, send))

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": kind, "path": "/ws", "headers": [], "extensions": {}}
    await Guard(note, HttpSettings(), AuthSettings())(scope, receive, send)

    assert (seen == [(scope, receive, send)]) is passes
    assert bool(sent) is not passes


@pytest.mark.parametrize(
    "given",
    [
        ("X-API-Key", KEY),
        ("x-api-key", f" {KEY}\t"),
        ("Authorization", f"Bearer {KEY}"),
        ("Authorization", f"bearer   {KEY}"),
    ],
)
async def test_a_key_tells_whose_request_it_is(given: tuple[str, str]) -> None:
    reply = await ask(guard(keys={"alice": KEY, "bob": f"{KEY}2"}), given)

    assert reply.body == "client:alice"


@pytest.mark.parametrize(
    "key",
    [
        *(KEY[:-1], KEY[1:], f"{KEY}x", f"x{KEY}", KEY.upper(), KEY.replace("-", " ")),
        *(f"{KEY},{KEY}", f"{KEY}\0", f"{KEY}\xe9", "\xe9", "", "alice", "x" * 60_000),
    ],
)
@pytest.mark.parametrize("name", ["X-API-Key", "Authorization"])
async def test_near_misses_of_a_key_open_nothing(name: str, key: str) -> None:
    value = key if name == "X-API-Key" else f"Bearer {key}"
    reply = await ask(guard(keys={"alice": KEY, "bob": f"{KEY}-and-more"}), (name, value))

    assert reply.status == 401
    assert reply.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "value", [KEY, f"Basic {KEY}", "Bearer", f"Bearer,{KEY}", f"Bearer\t{KEY}"]
)
async def test_other_ways_to_authorize_open_nothing(value: str) -> None:
    assert (await ask(guard(keys={"alice": KEY}), ("Authorization", value))).status == 401


async def test_white_space_around_a_key_is_no_part_of_it_and_nothing_else() -> None:
    guarded = guard(keys={"alice": f"X{KEY}X"})

    assert (await ask(guarded, ("X-API-Key", f"\t X{KEY}X \t"))).body == "client:alice"
    assert (await ask(guarded, ("X-API-Key", f"X{KEY}X\v"))).status == 401


async def test_one_of_many_keys_is_found_at_once() -> None:
    keys = {f"client{number}": f"{KEY}{number:06}" for number in range(2000)}
    guarded = guard(keys=keys)

    reply = await ask(guarded, ("X-API-Key", keys["client1999"]))

    assert reply.body == "client:client1999"


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "path",
    [
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-authorization-server",
        "/mcp/.well-known/openid-configuration",
        "/.well-known",
        "/register",
        "/authorize",
        "/token",
    ],
)
async def test_a_search_for_an_authorization_server_finds_none(path: str, method: str) -> None:
    guarded = guard(keys={"alice": KEY})

    assert (await ask(guarded, path=path, method=method)).status == 404
    assert (await ask(guarded, ("X-API-Key", KEY), path=path, method=method)).status == 200
    assert (await ask(guarded, ("Host", "evil.com"), path=path, method=method)).status == 421


@pytest.mark.parametrize("path", ["/registered", "/mcp/register", "/well-known/x", "/tokens", "/"])
async def test_other_paths_want_a_key(path: str) -> None:
    assert (await ask(guard(keys={"alice": KEY}), path=path)).status == 401


async def test_a_preflight_request_needs_no_key() -> None:
    reply = await ask(
        guard(keys={"alice": KEY}),
        ("Origin", PAGE),
        ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers", "authorization,mcp-session-id,mcp-param-region"),
        ("Access-Control-Request-Private-Network", "true"),
        method="OPTIONS",
    )

    allowed = {key.lower(): value for key, value in reply.headers.items()}
    assert reply.status == 200
    assert allowed["access-control-allow-origin"] == PAGE
    assert "DELETE" in allowed["access-control-allow-methods"]
    wanted = "authorization,mcp-session-id,mcp-param-region"
    assert allowed["access-control-allow-headers"] == wanted
    assert allowed["access-control-allow-private-network"] == "true"
    assert "access-control-allow-credentials" not in allowed
    assert "Origin" in allowed["vary"]


@pytest.mark.parametrize("origin", ["http://evil.com", "null"])
async def test_a_preflight_request_of_another_origin_is_refused(origin: str) -> None:
    asked = ("Access-Control-Request-Method", "POST")
    reply = await ask(guard(), ("Origin", origin), asked, method="OPTIONS")

    assert reply.status == 403
    assert not [name for name in reply.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    ("path", "key", "status"),
    [("/mcp", KEY, 200), ("/mcp", "wrong", 401), ("/register", "wrong", 404), ("/readyz", "", 200)],
)
async def test_pages_may_read_every_answer(path: str, key: str, status: int) -> None:
    reply = await ask(guard(keys={"alice": KEY}), ("Origin", PAGE), ("X-API-Key", key), path=path)

    assert reply.status == status
    assert reply.headers["access-control-allow-origin"] == PAGE
    assert "Mcp-Session-Id" in reply.headers["access-control-expose-headers"]
    assert "WWW-Authenticate" in reply.headers["access-control-expose-headers"]
    assert "Retry-After" in reply.headers["access-control-expose-headers"]
    assert "Origin" in reply.headers["vary"]
    assert "access-control-allow-credentials" not in reply.headers


async def test_programs_get_no_headers_for_pages() -> None:
    reply = await ask(guard())

    assert not [name for name in reply.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    ("header", "setting"),
    [("Host", "http.allowed_hosts"), ("Origin", "http.allowed_origins")],
)
async def test_a_foreign_name_leaves_a_warning(
    header: str, setting: str, caplog: pytest.LogCaptureFixture
) -> None:
    await ask(guard(), (header, "evil.com\n\x1b[31m" + "x" * 10_000))

    (record,) = caplog.records
    message = record.getMessage()
    assert record.levelno == logging.WARNING
    assert message.startswith(f"Refused {header} 'evil.com\\n\\x1b[31mxxx")
    assert "10.1.2.3" in message
    assert setting in message
    assert "http.public_url" in message
    assert len(message) < 300


async def test_an_unknown_key_leaves_a_warning_without_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    await ask(guard(keys={"alice": KEY}), ("X-API-Key", f"{KEY}x"))
    await ask(guard(keys={"alice": KEY}))

    (record,) = caplog.records
    assert "auth.api_keys" in record.getMessage()
    assert KEY not in record.getMessage()


async def test_without_a_key_a_request_belongs_to_its_peer() -> None:
    assert (await ask(guard())).body == "peer:10.1.2.3"


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.1.2.3", "10.1.2.3"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unix", "unix"),
        ("x" * 1000, "x" * 100),
    ],
)
def test_one_host_is_one_peer(address: str, network: str) -> None:
    assert network_of(address) == network


def test_a_peer_that_is_not_known_has_no_network() -> None:
    assert principal_of({"type": "http"}) == "peer:"
    assert principal_of({"type": "http", "client": None}) == "peer:"


def test_networks_hold_their_addresses_in_both_forms() -> None:
    trusted = Networks(("127.0.0.1", "10.0.0.0/8", "2001:db8::/32"))

    for address in (
        "127.0.0.1",
        "::ffff:127.0.0.1",
        "10.255.0.1",
        "::ffff:10.0.0.1",
        "2001:db8::1",
    ):
        assert address in trusted, address
    assert "fe80::1%eth0" in Networks(["fe80::/10"])
    both = ["10.0.0.0/8", "::ffff:10.0.0.0/104"]
    assert [ip_network(text) for text in Networks(both[:1])] == [*map(ip_network, both)]
    for address in ("127.0.0.2", "11.0.0.1", "2001:db9::1", "::1", "localhost", ""):
        assert address not in trusted, address


@pytest.mark.parametrize("value", ["localhost", "10.0.0.1/8", "10.0.0.0/33", "*", ""])
def test_a_trusted_proxy_is_an_address_or_a_network(value: str) -> None:
    with pytest.raises(ValueError, match="trusted_proxies"):
        HttpSettings(trusted_proxies=(value,))
