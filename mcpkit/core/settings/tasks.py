"""Settings of tasks: calls that outlive their request."""

from pathlib import Path

from pydantic import Field, field_validator

from mcpkit.core.settings.section import Section

MIB = 1024 * 1024


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
    limit_per_client: int = Field(
        20, ge=1, description="Most tasks of one client that run at once; more are refused"
    )
    max_result_size: int = Field(
        64 * MIB,
        ge=1024,
        description="Largest result that is kept, in bytes; an error replaces a larger one",
    )
    max_kept_per_client: int = Field(
        1000, ge=1, description="Most finished tasks kept for one client; the oldest go first"
    )
    max_size_per_client: int = Field(
        128 * MIB,
        ge=1024,
        description="Most bytes of finished tasks kept for one client; the oldest go first",
    )
    max_size: int = Field(
        512 * MIB,
        ge=1024,
        description="Most bytes of finished tasks kept for all clients; the oldest of the client "
        "with the most bytes go first",
    )

    @property
    def largest_result(self) -> int:
        """Bytes of the largest result that every limit allows."""
        return min(self.max_result_size, self.max_size_per_client, self.max_size)

    @field_validator("path")
    @classmethod
    def _at_home(cls, path: Path | None) -> Path | None:
        if path is None:
            return None
        if "\0" in str(path):
            raise ValueError("a path cannot hold a null character")
        try:
            return path.expanduser()
        except RuntimeError as exc:
            raise ValueError("begins with ~, but the user has no home") from exc
