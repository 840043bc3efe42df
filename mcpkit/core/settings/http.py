"""Settings of the network transports: where they listen, for whom, and how much they take."""

from pydantic import Field, SecretStr, model_validator

from mcpkit.core.settings.section import Section


class HttpSettings(Section):
    """Where the network transports listen, and for whom."""

    host: str = Field("127.0.0.1", description="Address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="TCP port; 0 takes a free one")
    path: str = Field("/mcp", pattern=r"^/\S*$", description="Path of streamable HTTP")
    sse_path: str = Field("/sse", pattern=r"^/\S*$", description="Path of legacy SSE")
    message_path: str = Field(
        "/messages/", pattern=r"^/\S*/$", description="Path that SSE clients post to"
    )
    websocket_path: str = Field("/ws", pattern=r"^/\S*$", description="Path of WebSocket")
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
        4 * 1024 * 1024, ge=1024, description="Largest request body or WebSocket message, in bytes"
    )
    session_idle_timeout: float = Field(
        1800, gt=0, description="Seconds until an idle session of the 2025 protocols is closed"
    )
    max_sessions: int = Field(10_000, ge=1, description="Most open sessions of the 2025 protocols")
    max_connections: int | None = Field(
        None, ge=1, description="Most concurrent connections; above it the answer is 503"
    )
    resumable_events: int = Field(
        256,
        ge=0,
        description="Messages kept per session of the 2025 protocols, so that a client that lost "
        "its connection can resume; 0 keeps none",
    )
    retry_interval: float = Field(
        1.0, gt=0, description="Seconds after which such a client is told to reconnect"
    )
    json_response: bool = Field(
        False,
        description="Answer JSON also where a call tells something before its result, and "
        "drop that: progress, log messages, questions",
    )
    tls_certificate: str | None = Field(None, description="PEM file with the certificate chain")
    tls_key: str | None = Field(None, description="PEM file with the private key")
    tls_key_password: SecretStr | None = Field(None, description="Password of the private key")

    @model_validator(mode="after")
    def _tls_in_pairs(self) -> "HttpSettings":
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("needs tls_certificate and tls_key together")
        return self
