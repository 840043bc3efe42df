"""The record of one task, and the interface of what keeps it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal, Protocol

from pydantic import ConfigDict, TypeAdapter, ValidationError

from mcpkit.core.encoding import encode

TaskStatus = Literal["working", "input_required", "completed", "failed", "cancelled"]

TERMINAL: frozenset[TaskStatus] = frozenset({"completed", "failed", "cancelled"})
"""The final statuses: a task that has one does not change any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRecord:
    """One task, without its outcome; times are seconds since 1970.

    Attributes:
        id: Unguessable: whoever knows it, and is its owner, may follow the task.
        owner: Who made it (`mcpkit.core.tasks.owners`).
        tool: Exposed name of the tool.
        worker: The server process that runs it (`mcpkit.core.tasks.workers`).
        created: When it was made.
        updated: When it last changed.
        ttl: Seconds that it is kept after it is over.
        status: How it is.
        message: One sentence about that, for people.
        requests: What the client is asked and has not answered, by key.
        responses: What it has answered and the tool has not seen, by key.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    id: str
    owner: str
    tool: str
    worker: str
    created: float
    updated: float
    ttl: float
    status: TaskStatus = "working"
    message: str | None = None
    requests: Mapping[str, Any] = field(default_factory=dict)
    responses: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        """True if the task does not change any more."""
        return self.status in TERMINAL

    @property
    def expires(self) -> float | None:
        """When it may be forgotten; None while it runs."""
        return self.updated + self.ttl if self.is_over else None


_RECORD: TypeAdapter[TaskRecord] = TypeAdapter(TaskRecord)
_FIELDS = tuple(item.name for item in fields(TaskRecord))


def dump(record: TaskRecord) -> bytes:
    """Write a record as JSON."""
    return encode({name: getattr(record, name) for name in _FIELDS})


def load(raw: Any) -> TaskRecord | None:
    """Read a record; None if it is damaged, or has fields that only another version knows."""
    try:
        return _RECORD.validate_json(raw)
    except (ValidationError, TypeError):
        return None


Change = Callable[[TaskRecord], TaskRecord | None]
"""Returns what a record becomes; None to leave it as it is.

It may run in any thread and more than once, and what it raises reaches whoever asked for it.
"""


class TaskStore(Protocol):
    """Keeps tasks and their outcomes. Several server processes may share one; changes are atomic.

    The outcome of a task is the result of its tool, or its JSON-RPC error, as JSON.

    Every method raises `TaskStoreError` if it cannot write or read.
    """

    async def put(self, record: TaskRecord, outcome: bytes | None = None) -> None:
        """Keep a task as it is; when this returns, every process can get it."""
        ...

    async def get(self, task_id: str) -> TaskRecord | None:
        """Look a task up; None when it is unknown or has expired.

        Raises:
            UnreadableTaskError: It is there, but cannot be read.
        """
        ...

    async def get_all(self, task_ids: Collection[str]) -> Mapping[str, TaskRecord]:
        """Look tasks up; those that are unknown or cannot be read are left out."""
        ...

    async def outcome(self, task_id: str) -> bytes | None:
        """The outcome of a task; None when it has none."""
        ...

    async def change(
        self, task_id: str, change: Change, outcome: bytes | None = None
    ) -> TaskRecord | None:
        """Change a task, and return what it is then; None when it is unknown or has expired.

        Args:
            task_id: The task.
            change: What it becomes.
            outcome: Kept with the task if it changes.

        Raises:
            UnreadableTaskError: It is there, but cannot be read.
        """
        ...

    async def beat(self, worker: str) -> None:
        """Give a sign of life of a server process."""
        ...

    async def beats(self) -> Mapping[str, float]:
        """The server processes with unfinished tasks; the number changes with a sign of life."""
        ...

    async def abandon(self, worker: str) -> None:
        """Fail the unfinished tasks of a server process that is gone."""
        ...

    async def sweep(self) -> int:
        """Forget what has expired, and return how many tasks that were."""
        ...
