"""Names of the server: the address bound, the public URL, the settings, and who asks from here."""

import pytest
from starlette.types import Scope

from mcpkit.core.settings import HttpSettings
from mcpkit.core.transports.names import allowed_hosts, allowed_origins, is_local


@pytest.mark.parametrize(
    ("bound", "host", "allowed"),
    [
        ("192.0.2.7", "192.0.2.7", True),
        ("192.0.2.7", "192.0.2.7:8000", True),
        ("192.0.2.7", "[192.0.2.7]", False),
        ("192.0.2.7", "192.0.2.70", False),
        ("192.0.2.7", "localhost:1", True),
        ("MyHost", "myhost:8000", True),
        ("MyHost", "MYHOST", True),
        ("2001:db8::7", "[2001:db8::7]:8000", True),
        ("2001:db8::7", "2001:db8::7", False),
        ("2001:DB8::A", "[2001:db8::a]", True),
        ("0.0.0.0", "0.0.0.0:8000", False),
        ("::", "[::]:8000", False),
        ("", ":8000", False),
    ],
)
def test_the_address_bound_is_a_name_unless_it_means_every_address(
    bound: str, host: str, allowed: bool
) -> None:
    assert allowed_hosts(HttpSettings(host=bound)).allow(host) is allowed


@pytest.mark.parametrize(
    ("url", "host", "allowed"),
    [
        ("https://me:pass@MCP.example.net/mcp", "mcp.example.net", True),
        ("https://me:pass@MCP.example.net/mcp", "me:pass@mcp.example.net", False),
        ("https://mcp.example.net", "mcp.example.net:443", False),
        ("https://mcp.example.net:443", "mcp.example.net", True),
        ("https://mcp.example.net:80", "mcp.example.net", False),
        ("http://mcp.example.net:80/", "mcp.example.net", True),
        ("http://mcp.example.net:8080/", "mcp.example.net:8080", True),
        ("http://mcp.example.net:8080/", "mcp.example.net", False),
    ],
)
def test_the_host_of_the_public_url_is_a_name_with_and_without_its_usual_port(
    url: str, host: str, allowed: bool
) -> None:
    assert allowed_hosts(HttpSettings(public_url=url)).allow(host) is allowed


@pytest.mark.parametrize(
    ("setting", "origin", "allowed"),
    [
        ("https://App.example.com/", "https://app.example.com", True),
        ("https://app.example.com//", "https://app.example.com", True),
        ("https://app.example.com", "https://app.example.com:443", False),
        ("https://app.example.com:*", "https://app.example.com:9", True),
        ("https://app.example.com:*", "https://app.example.com", True),
        ("https://app.example.com:*", "https://app.example.com:*", False),
        ("https://app.example.com", "http://app.example.com", False),
        ("/app", "app", False),
        ("https://app.example.xx", "https://app.example.", False),
    ],
)
def test_an_origin_of_the_settings_may_end_in_a_slash_or_name_any_port(
    setting: str, origin: str, allowed: bool
) -> None:
    assert allowed_origins(HttpSettings(allowed_origins=(setting,))).allow(origin) is allowed


def scope_of(client: str | None, *fields: tuple[str, str]) -> Scope:
    headers = [(name.encode(), value.encode("latin-1")) for name, value in fields]
    return {"client": None if client is None else (client, 4567), "headers": headers}


@pytest.mark.parametrize("client", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8000", "[::1]:8000"])
def test_a_request_from_this_machine_to_it_is_local(client: str, host: str) -> None:
    assert is_local(scope_of(client, ("host", host)))


@pytest.mark.parametrize(
    "scope",
    [
        scope_of("10.0.0.1", ("host", "localhost")),
        scope_of("128.0.0.1", ("host", "localhost")),
        scope_of("", ("host", "localhost")),
        scope_of(None, ("host", "localhost")),
        scope_of("127.0.0.1", ("host", "evil.com")),
        scope_of("127.0.0.1", ("host", "localhost.evil.com")),
        scope_of("127.0.0.1", ("host", "")),
        scope_of("127.0.0.1", ("host", "localhost\xe9")),
        scope_of("127.0.0.1"),
        *(
            scope_of("127.0.0.1", ("host", "localhost"), (field, "x"))
            for field in ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
        ),
    ],
)
def test_a_request_of_another_machine_name_or_proxy_is_not_local(scope: Scope) -> None:
    assert not is_local(scope)
