"""Settings of tasks: calls that outlive their request."""

from pathlib import Path

from pydantic import Field, field_validator

from mcpkit.core.settings.section import Section


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
