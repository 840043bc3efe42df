"""Processes that run tasks are looked up where possible, else watched for signs of life."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcpkit.core.tasks import workers
from mcpkit.core.tasks.workers import PATIENCE, Workers, new_worker

NAME = "from mcpkit.core.tasks.workers import new_worker; print(new_worker(), flush=True); input()"


@pytest.fixture
def process() -> Iterator[subprocess.Popen[str]]:
    """Another process that tells its name and waits."""
    other = subprocess.Popen(
        [sys.executable, "-c", NAME], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with other:
        yield other
        other.kill()


def name_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_process_of_this_machine_is_looked_up(process: subprocess.Popen[str]) -> None:
    name, known = name_of(process), Workers()

    running = known.is_running(name)
    process.send_signal(signal.SIGSTOP)
    stopped = known.is_running(name)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    dead = known.is_running(name)  # and not yet collected by its parent
    process.wait()

    assert (running, stopped, dead, known.is_running(name)) == (True, True, False, False)
    assert known.is_gone(name, 1.0)


def test_another_process_with_the_same_id_is_not_the_same(process: subprocess.Popen[str]) -> None:
    place, _, rest = name_of(process).partition(":")
    pid = rest.partition("-")[0]

    assert Workers().is_running(f"{place}:{pid}-1:random") is False


@pytest.mark.parametrize(
    "name",
    [
        "",
        "nonsense",
        "::",
        "other-boot/1:1-1:random",
        new_worker().replace(f":{os.getpid()}-", ":x-"),
        new_worker(),  # of this process: another server may run in it
    ],
    ids=["empty", "no worker", "separators", "other boot", "no process", "own process"],
)
def test_of_other_processes_nothing_is_known(name: str) -> None:
    assert Workers().is_running(name) is None


def test_without_proc_nothing_is_known(
    process: subprocess.Popen[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = name_of(process)
    monkeypatch.setattr(workers, "PROC", tmp_path)

    assert Workers().is_running(name) is None
    assert Workers().is_running(new_worker()) is None


def test_a_process_that_gives_no_sign_of_life_is_gone_after_a_while() -> None:
    now = 0.0
    known = Workers(clock=lambda: now)

    first = known.is_gone("elsewhere:1-1:x", 1.0)
    now += PATIENCE
    waiting = known.is_gone("elsewhere:1-1:x", 1.0)
    now += 0.1
    gone = known.is_gone("elsewhere:1-1:x", 1.0)
    back = known.is_gone("elsewhere:1-1:x", 0.5)  # its clock was set back
    now += PATIENCE + 1
    known.forget(set())
    unseen = known.is_gone("elsewhere:1-1:x", 0.5)

    assert (first, waiting, gone, back, unseen) == (False, False, True, False, False)
