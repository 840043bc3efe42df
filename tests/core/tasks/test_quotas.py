"""Quotas: which finished tasks go so that a new one fits."""

import pytest

from mcpkit.core.settings import TaskSettings
from mcpkit.core.tasks.quotas import Finished, surplus


def tasks(**sizes: list[int]) -> list[Finished]:
    """Finished tasks by owner, oldest first: `a0`, `a1` and so on."""
    return [
        Finished(f"{owner}{number}", owner, number, size)
        for owner, given in sizes.items()
        for number, size in enumerate(given)
    ]


@pytest.mark.parametrize(
    ("finished", "new", "gone"),
    [
        (tasks(a=[1000] * 2, b=[1000] * 2), Finished("new", "a", 9, 3000), []),
        (tasks(a=[1000] * 3, b=[1000] * 2), Finished("new", "a", 9, 3000), ["a0"]),
        (tasks(a=[1000] * 3), Finished("new", "a", 9, 5000), ["a0", "a1", "a2"]),
        (tasks(a=[1, 1, 1, 1]), Finished("new", "a", 9, 1), ["a0"]),
        (tasks(a=[1, 1, 1, 1, 1]), Finished("new", "b", 9, 1), []),
        # All together: who has most gives, and who has little gives nothing.
        (tasks(a=[1000] * 4, b=[500]), Finished("new", "c", 9, 4500), ["a0"]),
        (tasks(a=[2000, 2000], b=[1000] * 4), Finished("new", "c", 9, 2500), ["a0", "b0"]),
        (tasks(a=[4096]), Finished("new", "c", 9, 4096), []),
        (tasks(a=[4097]), Finished("new", "c", 9, 4096), ["a0"]),
        # The task that ends now is counted once, and never goes.
        (tasks(a=[5000]), Finished("a0", "a", 9, 5000), []),
    ],
)
def test_the_oldest_of_whoever_uses_too_much_go(
    finished: list[Finished], new: Finished, gone: list[str]
) -> None:
    settings = TaskSettings(max_kept_per_client=4, max_size_per_client=5000, max_size=8192)

    assert surplus(finished, new, settings) == gone


def test_what_is_left_keeps_to_every_limit() -> None:
    settings = TaskSettings(max_kept_per_client=7, max_size_per_client=5000, max_size=20_000)
    kept: dict[str, Finished] = {}
    for number in range(300):
        owner = "abcdefgh"[number * number % 8]
        new = Finished(str(number), owner, number, 1 + number * 37 % 3000)
        for task_id in surplus(kept.values(), new, settings):
            del kept[task_id]
        kept[new.id] = new
        sizes = [task.size for task in kept.values() if task.owner == owner]

        assert len(sizes) <= 7
        assert sum(sizes) <= 5000
        assert sum(task.size for task in kept.values()) <= 20_000
    assert len({task.owner for task in kept.values()}) > 2
