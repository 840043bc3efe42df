"""The server's settings: one section per reader, validated, secrets masked.

In comes the merged mapping of `mcpkit.core.sources`; out goes `Settings`. Sections of plugins
(`plugins.<name>`) are split here into what the host reads (`PluginSection`) and what the plugin's
own model gets.
"""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

PLUGIN_NAME = re.compile(r"^[a-z][a-z0-9_]*$")
"""What a plugin may be called: entry point, settings section and environment are one name."""

MIN_API_KEY_LENGTH = 16
"""Shorter API keys are refused: they can be guessed."""

MIN_STATE_KEY_BYTES = 32
"""Shorter keys for sealing request state are refused, as the SDK refuses them."""

LogLevel = Literal["debug", "info", "warning", "error", "critical"]


class Section(BaseModel):
    """A part of the settings: unknown keys are errors, and errors never show the input."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class PluginSettings(Section):
    """What the settings model of a plugin derives from: typos are errors, secrets stay hidden."""


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


def _named_keys(value: Any) -> Any:
    """Accept a list of keys beside a mapping of client name to key."""
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    if isinstance(value, list | tuple):
        return {f"key{number}": key for number, key in enumerate(value, start=1)}
    return value


class AuthSettings(Section):
    """Who may use the network transports."""

    api_keys: Annotated[dict[str, SecretStr], BeforeValidator(_named_keys)] = Field(
        default_factory=dict,
        description="Client name to API key; any of them opens the network transports",
    )

    @field_validator("api_keys")
    @classmethod
    def _long_enough(cls, keys: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, key in keys.items():
            value = key.get_secret_value()
            if len(value) < MIN_API_KEY_LENGTH:
                raise ValueError(
                    f"API key {name!r} is shorter than {MIN_API_KEY_LENGTH} characters"
                )
            if not value.isascii() or not value.isprintable() or " " in value:
                raise ValueError(f"API key {name!r} may hold printable ASCII without spaces only")
        if len({key.get_secret_value() for key in keys.values()}) != len(keys):
            raise ValueError("two clients have the same API key")
        return keys


class CallSettings(Section):
    """How handlers run."""

    timeout: float = Field(60, gt=0, description="Seconds a call may take, unless its tool says so")
    threads: int = Field(
        20, ge=1, le=1000, description="Worker threads of each plugin for its sync handlers"
    )


class ListSettings(Section):
    """What clients get when they list tools, resources, templates, prompts or skills."""

    page_size: int | None = Field(
        None, ge=1, description="Most items on one page; everything on one page by default"
    )
    ttl: float = Field(
        0, ge=0, description="Seconds that clients may keep a list before they ask again"
    )


class RequestStateSettings(Section):
    """What seals the state that a client carries between the rounds of one call."""

    keys: tuple[SecretStr, ...] = Field(
        (),
        description="Secrets of at least 32 bytes that all workers share: the first seals, all "
        "open; without any, a key that only this process knows",
    )
    ttl: float = Field(600, gt=0, description="Seconds that a client may take for one round")

    @field_validator("keys")
    @classmethod
    def _strong_enough(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        values = [key.get_secret_value() for key in keys]
        if any(len(value.encode()) < MIN_STATE_KEY_BYTES for value in values):
            raise ValueError(
                f"a key is shorter than {MIN_STATE_KEY_BYTES} bytes; make one with: "
                'python -c "import secrets; print(secrets.token_hex(32))"'
            )
        if len(set(values)) != len(values):
            raise ValueError("a key stands there twice")
        return keys


class TaskSettings(Section):
    """Calls that outlive their request (the tasks extension)."""

    path: Path | None = Field(
        None, description="SQLite file that keeps them; in the user's state folder by default"
    )
    ttl: float = Field(3600, gt=0, description="Seconds that a task is kept after its last change")
    timeout: float = Field(
        3600, gt=0, description="Seconds that a task may take, unless its tool says so"
    )
    poll_interval: float = Field(
        1.0, gt=0, description="Seconds after which a client is told to look again"
    )
    limit: int = Field(100, ge=1, description="Most tasks that run at once; more are refused")

    @field_validator("path")
    @classmethod
    def _at_home(cls, path: Path | None) -> Path | None:
        return None if path is None else path.expanduser()


class LifespanSettings(Section):
    """How long plugins may take to start and stop."""

    startup_timeout: float = Field(30, gt=0, description="Seconds that a plugin may take to start")
    shutdown_timeout: float = Field(10, gt=0, description="Seconds that a plugin may take to stop")
    grace_period: float = Field(
        20, ge=0, description="Seconds that calls in flight get to finish at shutdown"
    )


class SharedSettings(Section):
    """The warm server that `mcpkit serve --shared` joins."""

    idle_timeout: float = Field(
        600, gt=0, description="Seconds without a client after which a shared server leaves"
    )


class PluginSection(BaseModel):
    """What the host reads of `plugins.<name>`; every other key belongs to the plugin's model."""

    model_config = ConfigDict(extra="allow", frozen=True, hide_input_in_errors=True)

    enabled: bool = Field(True, description="Whether the plugin is imported at all")
    strict: bool = Field(False, description="Whether the server refuses to start without it")
    prefix: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9_-]{0,32}$",
        description="Replaces the plugin's name before its tools and prompts; may be empty",
    )
    call_timeout: float | None = Field(
        None, gt=0, description="Seconds a call of this plugin may take"
    )
    call_threads: int | None = Field(
        None, ge=1, le=1000, description="Worker threads for its sync handlers"
    )

    @property
    def own(self) -> dict[str, Any]:
        """The keys that the plugin's own model is filled from."""
        return dict(self.model_extra or {})


class Settings(Section):
    """All settings of a server, as `mcpkit.toml` spells them."""

    name: str = Field("mcpkit", min_length=1, description="Server name that clients see")
    title: str | None = Field(None, description="Server title for people")
    version: str | None = Field(
        None, description="Server version that clients see; mcpkit's own by default"
    )
    instructions: str | None = Field(
        None, description="Instructions for the model, before those of the plugins"
    )
    website_url: str | None = Field(None, description="Web page of this server")
    transports: tuple[str, ...] = Field(
        ("stdio",), min_length=1, description="Transports that `mcpkit serve` speaks by default"
    )
    log_level: LogLevel = Field("info", description="Least severe log record written to stderr")
    strict: bool = Field(False, description="Whether any failed plugin stops the server")
    eager: bool = Field(
        False, description="Whether plugins are imported at the start, not at their first call"
    )
    plugins_allow: tuple[str, ...] | None = Field(
        None,
        description="Only these plugins are imported; one that is missing stops the server",
    )
    http: HttpSettings = Field(default_factory=HttpSettings, description="The network transports")
    auth: AuthSettings = Field(default_factory=AuthSettings, description="Who may use them")
    calls: CallSettings = Field(default_factory=CallSettings, description="How handlers run")
    lists: ListSettings = Field(default_factory=ListSettings, description="How lists are served")
    tasks: TaskSettings = Field(
        default_factory=TaskSettings, description="Calls that outlive their request"
    )
    request_state: RequestStateSettings = Field(
        default_factory=RequestStateSettings, description="Calls that take several rounds"
    )
    lifespan: LifespanSettings = Field(
        default_factory=LifespanSettings, description="How plugins start and stop"
    )
    shared: SharedSettings = Field(
        default_factory=SharedSettings, description="A server that several clients share"
    )
    plugins: dict[str, PluginSection] = Field(
        default_factory=dict, description="One section per plugin, its own settings included"
    )

    @model_validator(mode="after")
    def _tls_in_pairs(self) -> "Settings":
        if (self.http.tls_certificate is None) != (self.http.tls_key is None):
            raise ValueError("http.tls_certificate and http.tls_key go together")
        return self

    def plugin(self, name: str) -> PluginSection:
        """The section of one plugin; an empty one when nothing is set."""
        return self.plugins.get(name) or PluginSection()


RESERVED_PLUGIN_KEYS = frozenset(PluginSection.model_fields)
"""Keys of `plugins.<name>` that a plugin's own model cannot use."""
