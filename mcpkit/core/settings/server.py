"""Settings of the whole server, as `mcpkit.toml` spells them."""

from typing import Literal

from pydantic import Field, field_validator

from mcpkit.core.settings.auth import AuthSettings
from mcpkit.core.settings.calls import CallSettings, ListSettings, RequestStateSettings
from mcpkit.core.settings.http import HttpSettings
from mcpkit.core.settings.plugins import LifespanSettings, PluginSection
from mcpkit.core.settings.section import Section
from mcpkit.core.settings.tasks import TaskSettings

HTTP = "streamable-http"
"""Name of the transport that `http` stands for as well."""

LogLevel = Literal["debug", "info", "warning", "error", "critical"]

LogFormat = Literal["text", "json"]


class SharedSettings(Section):
    """The warm server that `mcpkit serve --shared` joins."""

    idle_timeout: float = Field(
        600, gt=0, description="Seconds without a client after which a shared server leaves"
    )


class Settings(Section):
    """All settings of a server, as `mcpkit.toml` spells them."""

    name: str = Field("mcpkit", min_length=1, description="Server name that clients see")
    title: str | None = Field(None, description="Server title for people; its name by default")
    version: str | None = Field(
        None, description="Server version that clients see; mcpkit's own by default"
    )
    instructions: str | None = Field(
        None, description="Instructions for the model, before those of the plugins"
    )
    website_url: str | None = Field(
        None, description="Web page of this server; mcpkit's own by default"
    )
    icon: str | None = Field(
        None, description="URL or data URI of an icon for this server; mcpkit's own by default"
    )
    transports: tuple[str, ...] = Field(
        ("stdio",),
        min_length=1,
        description="Transports that `mcpkit serve` speaks by default; http is streamable-http",
    )
    log_level: LogLevel = Field("info", description="Least severe log record written to stderr")
    log_format: LogFormat = Field(
        "text", description="Format of log records: text for people, json for programs"
    )
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

    @field_validator("transports")
    @classmethod
    def _name_http(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(HTTP if name == "http" else name for name in names)

    def plugin(self, name: str) -> PluginSection:
        """The section of one plugin; an empty one when nothing is set."""
        return self.plugins.get(name) or PluginSection()
