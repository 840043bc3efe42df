"""Quotas: which finished tasks have to go so that a new one fits."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass

from mcpkit.core.settings import TaskSettings


@dataclass(frozen=True, slots=True)
class Finished:
    """A finished task, as far as quotas care.

    Attributes:
        id: Of the task.
        owner: Who made it.
        updated: When it finished.
        size: Bytes that it takes.
    """

    id: str
    owner: str
    updated: float
    size: int


def surplus(finished: Iterable[Finished], new: Finished, settings: TaskSettings) -> list[str]:
    """Tell which finished tasks have to go so that a new one fits.

    The oldest tasks of its owner go first, until that owner keeps to its limits; then the oldest
    tasks of the owners with the most bytes, until all together keep to theirs.

    Args:
        finished: All finished tasks, or those of one owner if all together are within the limit.
        new: The one that has finished now; it never goes.
        settings: The limits.

    Returns:
        Ids of tasks.
    """
    tasks: dict[str, deque[Finished]] = defaultdict(deque)
    used: Counter[str] = Counter()
    for task in sorted(finished, key=lambda task: task.updated):
        if task.id != new.id:
            tasks[task.owner].append(task)
            used[task.owner] += task.size
    gone: list[str] = []

    def drop_oldest(owner: str) -> None:
        task = tasks[owner].popleft()
        used[owner] -= task.size
        gone.append(task.id)

    own = tasks[new.owner]
    while own and (
        len(own) >= settings.max_kept_per_client
        or used[new.owner] + new.size > settings.max_size_per_client
    ):
        drop_oldest(new.owner)
    while used.total() + new.size > settings.max_size and any(tasks.values()):
        drop_oldest(max(used, key=lambda owner: used[owner]))
    return gone
