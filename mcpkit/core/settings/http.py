"""Settings of the network transports: where they listen, for whom, and how much they take."""

import ipaddress
import re
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, model_validator

from mcpkit.core.settings.section import Section

MIB = 1024 * 1024

_URL_PATH = re.compile(r"/|(/[A-Za-z0-9._~!$&'()*+,;=:@-]+)+/?")
"""Paths of RFC 3986 without escapes."""


def _network(value: str) -> str:
    """Refuse what is neither an address nor a network, such as `10.0.0.0/8`."""
    ipaddress.ip_network(value)
    return value


def _url_path(value: str) -> str:
    """Refuse what no request can name, and what starlette would take for a parameter."""
    if not _URL_PATH.fullmatch(value):
        raise ValueError("must be the path of a URL, such as /mcp")
    return value


def _folder(value: str) -> str:
    """Refuse a path that has nothing below it, or everything."""
    if not value.endswith("/") or value == "/":
        raise ValueError("must begin and end with /, such as /messages/")
    return value


UrlPath = Annotated[str, AfterValidator(_url_path)]


class HttpSettings(Section):
    """Where the network transports listen, and for whom."""

    host: str = Field("127.0.0.1", description="Address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="TCP port; 0 takes a free one")
    path: UrlPath = Field("/mcp", description="Path of streamable HTTP")
    sse_path: UrlPath = Field("/sse", description="Path of legacy SSE")
    message_path: Annotated[UrlPath, AfterValidator(_folder)] = Field(
        "/messages/", description="Path that SSE clients post to"
    )
    websocket_path: UrlPath = Field("/ws", description="Path of WebSocket")
    public_url: str | None = Field(
        None,
        pattern=r"^https?://[^/\s]+(/\S*)?$",
        description="URL that clients use behind a proxy; its host and origin are allowed",
    )
    allowed_hosts: tuple[str, ...] = Field(
        (), description="More values allowed as Host header; 'name:*' allows any port"
    )
    allowed_origins: tuple[str, ...] = Field(
        (),
        description="More values allowed as Origin header; ':*' allows any port",
    )
    allow_unauthenticated: bool = Field(
        False, description="Listen beyond loopback without authentication"
    )
    max_body_size: int = Field(
        4 * MIB, ge=1024, description="Largest request body or WebSocket message, in bytes"
    )
    session_idle_timeout: float = Field(
        1800, gt=0, description="Seconds until an idle session of the 2025 protocols is closed"
    )
    max_sessions: int = Field(
        10_000,
        ge=1,
        description="Most open sessions of the 2025 protocols, SSE streams and WebSockets; above "
        "it idle sessions are ended, else the answer is 503",
    )
    max_sessions_per_client: int = Field(
        1000,
        ge=1,
        description="Most of them of one API key, or without keys of one address",
    )
    max_requests_per_client: int = Field(
        1000,
        ge=1,
        description="Most requests in flight in all such sessions of one client; more are refused",
    )
    max_requests_size_per_client: int = Field(
        64 * MIB,
        ge=1024,
        description="Most bytes of all requests of one client in flight; more are refused, "
        "unless it is the only one",
    )
    max_header_size: int = Field(
        64 * 1024, ge=1024, description="Largest header of a request with its URL, in bytes"
    )
    max_header_fields: int = Field(100, ge=20, description="Most fields in the header of a request")
    header_timeout: float = Field(
        10,
        gt=0,
        allow_inf_nan=False,
        description="Seconds that a client gets for the TLS handshake, and for the header of "
        "a request",
    )
    body_timeout: float = Field(
        30,
        gt=0,
        allow_inf_nan=False,
        description="Seconds that a client gets to send the body of a request",
    )
    send_timeout: float = Field(
        30,
        gt=0,
        allow_inf_nan=False,
        description="Seconds until a connection is closed whose client reads nothing of what it "
        "is sent",
    )
    max_unsent_size_per_client: int = Field(
        128 * MIB,
        ge=1024,
        description="Most bytes that one client may leave unread; above it its connections are "
        "closed, the one that waits for longest first",
    )
    max_unsent_size: int = Field(
        512 * MIB,
        ge=1024,
        description="Most bytes that all clients together may leave unread; above it connections "
        "of the client with the most are closed",
    )
    idle_timeout: float = Field(
        30,
        gt=0,
        allow_inf_nan=False,
        description="Seconds until a connection is closed on which no request is answered",
    )
    max_connections: int = Field(
        800,
        ge=1,
        description="Most connections at once; above it idle ones are closed, else the answer "
        "is 503",
    )
    max_connections_per_peer: int = Field(
        200,
        ge=1,
        description="Most of them from one address, or one IPv6 network of 64 bits; "
        "trusted proxies may have all",
    )
    max_connections_per_client: int = Field(
        400,
        ge=1,
        description="Most of them that one API key, or without keys one address, uses at once for "
        "requests, streams and WebSockets; at most three quarters of all; more get 429",
    )
    trusted_proxies: tuple[Annotated[str, AfterValidator(_network)], ...] = Field(
        ("127.0.0.1", "::1"),
        description="Addresses or networks of proxies whose X-Forwarded-For and "
        "X-Forwarded-Proto are believed",
    )
    resumable_events: int = Field(
        256,
        ge=0,
        description="Messages kept per session of the 2025 protocols, so that a client that lost "
        "its connection can resume; 0 keeps none",
    )
    resumable_size: int = Field(
        16 * MIB, ge=1024, description="Most bytes of these messages of one session"
    )
    resumable_size_per_client: int = Field(
        128 * MIB, ge=1024, description="Most bytes of these messages of all sessions of one client"
    )
    retry_interval: float = Field(
        1.0, gt=0, description="Seconds after which such a client is told to reconnect"
    )
    json_response: bool = Field(
        False,
        description="Answer JSON also where a call tells something before its result, and "
        "drop that: progress, log messages, questions",
    )
    access_log: bool = Field(
        False, description="Whether each request is logged, with client, status and duration"
    )
    tls_certificate: str | None = Field(None, description="PEM file with the certificate chain")
    tls_key: str | None = Field(None, description="PEM file with the private key")
    tls_key_password: SecretStr | None = Field(None, description="Password of the private key")

    @model_validator(mode="after")
    def _tls_in_pairs(self) -> "HttpSettings":
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("needs tls_certificate and tls_key together")
        return self
