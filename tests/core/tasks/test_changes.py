"""Changes of tasks, and how their records are written."""

import json
import time
from dataclasses import replace
from typing import Any

import pytest

from mcpkit.core.tasks.changes import LOST, answer, asking, cancel, ended, give_up, touched
from mcpkit.core.tasks.records import TERMINAL, TaskRecord, TaskStatus, dump, load

NOW = 2_000_000_000.0


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every change is made at one moment."""
    monkeypatch.setattr(time, "time", lambda: NOW)


def record(status: TaskStatus = "working", **changes: Any) -> TaskRecord:
    plain = TaskRecord(
        id="a", owner="kari", tool="t", worker="here", created=1, updated=2, ttl=60, status=status
    )
    return replace(plain, **changes)


def test_a_task_asks_for_one_thing_after_another() -> None:
    first = asking(record(), {"one": {"a": 1}})
    assert first == record("input_required", updated=NOW, requests={"one": {"a": 1}})

    second = asking(first, {"two": {}})
    assert second == replace(first, requests={"one": {"a": 1}, "two": {}})


def test_answers_are_taken_to_questions_that_are_open() -> None:
    asked = record("input_required", requests={"one": {}, "two": {}}, responses={"old": 0})

    some = answer(asked, {"one": 1, "none": 2})
    assert some == replace(asked, updated=NOW, requests={"two": {}}, responses={"old": 0, "one": 1})
    rest = answer(some, {"two": 2})
    assert rest == replace(
        some, status="working", requests={}, responses={"old": 0, "one": 1, "two": 2}
    )


@pytest.mark.parametrize("given", [{}, {"none": 1}])
def test_answers_to_nothing_change_nothing(given: dict[str, Any]) -> None:
    assert answer(record("input_required", requests={"one": {}}), given) is None


@pytest.mark.parametrize("status", sorted(TERMINAL))
def test_a_task_that_is_over_does_not_change(status: TaskStatus) -> None:
    over = record(status, requests={"one": {}})

    assert answer(over, {"one": 1}) is None
    assert asking(over, {"two": {}}) is None
    assert [cancel(over), give_up(over), ended(over, "completed"), touched(over)] == [None] * 4
    assert (over.is_over, over.expires) == (True, 62)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (cancel, "cancelled"),
        (give_up, "failed"),
        (lambda old: ended(old, "completed"), "completed"),
    ],
)
def test_a_task_that_ends_waits_for_nothing(change: Any, status: TaskStatus) -> None:
    waiting = record("input_required", requests={"one": {}}, responses={"two": 2})

    assert change(waiting) == record(status, updated=NOW)
    assert (waiting.is_over, waiting.expires) == (False, None)


def test_a_change_is_noted_with_its_time() -> None:
    assert touched(record(), message="half way") == record(updated=NOW, message="half way")


def test_the_outcome_of_a_task_whose_process_is_gone_is_an_error() -> None:
    assert json.loads(LOST) == {"code": -32603, "message": "The server that ran it is gone"}


def test_a_record_is_read_as_it_was_written() -> None:
    full = record(message="half \ud800 way", requests={"one": {"a": [1]}}, responses={"two": None})

    assert load(dump(full)) == replace(full, message="half ? way")
    assert json.loads(dump(record()))["status"] == "working"


@pytest.mark.parametrize(
    "change", [{"more": 1}, {"status": "lost"}, {"ttl": "long"}, {"requests": []}]
)
def test_a_record_of_another_version_or_a_damaged_one_is_none(change: dict[str, Any]) -> None:
    assert load(json.dumps({**json.loads(dump(record())), **change})) is None
    assert load(dump(record())[:-1]) is None
    assert load(None) is None
