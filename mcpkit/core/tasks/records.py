"""The record of one task, and the interface of what keeps it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

TaskStatus = Literal["working", "input_required", "completed", "failed", "cancelled"]

TERMINAL: frozenset[TaskStatus] = frozenset({"completed", "failed", "cancelled"})
"""What a task that is over is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRecord:
    """One task, as it is kept; times are seconds since 1970.

    Attributes:
        id: Unguessable: whoever knows it, and is its owner, may follow the task.
        owner: Who made it, as authentication tells; None on an unauthenticated transport.
        tool: Exposed name of the tool.
        worker: The server process that runs it.
        created: When it was made.
        updated: When it last changed.
        ttl: Seconds that it is kept after its last change.
        lease: Until when its worker is known to live.
        status: How it is.
        message: One sentence about that, for people.
        requests: What the client is asked and has not answered, by key.
        responses: What it has answered and the tool has not seen, by key.
        result: Wire result of the tool, once completed.
        error: JSON-RPC error, once failed.
    """

    id: str
    owner: str | None
    tool: str
    worker: str
    created: float
    updated: float
    ttl: float
    lease: float
    status: TaskStatus = "working"
    message: str | None = None
    requests: Mapping[str, Any] = field(default_factory=dict)
    responses: Mapping[str, Any] = field(default_factory=dict)
    result: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None

    @property
    def is_over(self) -> bool:
        """Whether it will not change any more."""
        return self.status in TERMINAL

    @property
    def expires(self) -> float:
        """When it may be forgotten."""
        return max(self.updated + self.ttl, self.lease if not self.is_over else 0.0)


Change = Callable[[TaskRecord], TaskRecord | None]
"""What a task becomes; None to leave it as it is."""


class TaskStore(Protocol):
    """Keeps tasks. Several server processes may share one; changes are atomic."""

    async def create(self, record: TaskRecord) -> None:
        """Keep a new task; when this returns, every process can get it."""
        ...

    async def get(self, task_id: str) -> TaskRecord | None:
        """Look a task up; None when it is unknown or has expired."""
        ...

    async def change(self, task_id: str, change: Change) -> TaskRecord | None:
        """Change a task, and return what it is then; None when it is unknown or has expired."""
        ...

    async def renew(self, worker: str, lease: float) -> None:
        """Extend the leases of all tasks that a process runs."""
        ...

    async def sweep(self) -> int:
        """Forget what has expired, and return how many tasks that were."""
        ...
