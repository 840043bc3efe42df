"""Settings of plugins: what the host reads of `plugins.<name>`, and how plugins start and stop."""

import re
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from mcpkit.core.settings.section import Section, refuse_too_large

PLUGIN_NAME = re.compile(r"^[a-z][a-z0-9_]*$")
"""What a plugin may be called: entry point, settings section and environment are one name."""


class PluginSection(BaseModel):
    """What the host reads of `plugins.<name>`; every other key belongs to the plugin's model."""

    model_config = ConfigDict(
        extra="allow", frozen=True, hide_input_in_errors=True, allow_inf_nan=False
    )

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

    @field_validator("call_timeout", "call_threads", mode="before")
    @classmethod
    def _empty_is_not_set(cls, value: Any) -> Any:
        return None if value == "" else value

    @field_validator("call_timeout")
    @classmethod
    def _not_too_large(cls, value: float | None) -> float | None:
        refuse_too_large(value)
        return value

    @property
    def own(self) -> dict[str, Any]:
        """The keys that the plugin's own model is filled from."""
        return dict(self.model_extra or {})


RESERVED_PLUGIN_KEYS = frozenset(PluginSection.model_fields)
"""Keys of `plugins.<name>` that a plugin's own model cannot use."""


class LifespanSettings(Section):
    """How long plugins may take to start and stop."""

    startup_timeout: float = Field(30, gt=0, description="Seconds that a plugin may take to start")
    shutdown_timeout: float = Field(10, gt=0, description="Seconds that a plugin may take to stop")
    grace_period: float = Field(
        20, ge=0, description="Seconds that calls in flight get to finish at shutdown"
    )
