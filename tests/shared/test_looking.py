"""Looking: what is told of servers, and how they are stopped."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from mcpkit.cli.main import cli
from mcpkit.shared import looking
from mcpkit.shared.looking import Found, stop_all

STUBBORN = (
    "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(60)"
)
OBEDIENT = "import time; print(flush=True); time.sleep(60)"


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[bytes]]]:
    """One that ends when it is told to, and one that does not."""
    started = []
    for code in (OBEDIENT, STUBBORN):
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        started.append(process)
    yield started
    for process in started:
        process.kill()
        process.communicate()


def found(pid: int | None) -> Found:
    return Found(pid=pid, log="/run/x.log", told={"grace": 0})


def test_what_does_not_stop_is_told(
    processes: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "LAST_GRACE", 0.5)
    obedient, stubborn = processes

    stopped, left = stop_all([found(obedient.pid), found(stubborn.pid), found(None)])

    assert stopped == 1
    assert [server.pid for server in left] == [stubborn.pid, None]
    assert obedient.wait(5) == -15


def test_a_system_without_handles_of_processes_does_as_well(
    processes: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(pid: int) -> int:
        raise OSError

    monkeypatch.setattr(looking.os, "pidfd_open", refuse, raising=False)
    monkeypatch.setattr(looking, "LAST_GRACE", 0.5)
    _, stubborn = processes
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()

    stopped, left = stop_all([found(gone.pid), found(stubborn.pid)])

    assert (stopped, [server.pid for server in left]) == (1, [stubborn.pid])


@pytest.mark.parametrize("answers", [True, False])
def test_force_kills_what_does_not_answer_or_stop(
    processes: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch, answers: bool
) -> None:
    monkeypatch.setattr(looking, "LAST_GRACE", 0.5)
    _, stubborn = processes
    told = {"grace": 0, "version": "1"} if answers else {}
    began = time.monotonic()

    stopped, left = stop_all([Found(pid=stubborn.pid, log="x", told=told)], force=True)

    assert (stopped, left, stubborn.wait(5)) == (1, [], -9)
    assert (time.monotonic() - began >= 0.5) is answers


def test_the_commands_tell_of_servers_that_do_not_answer_or_stop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hung = Found(pid=7, log="/run/x.log", told={"pid": 7, "log": "/run/x.log"})
    monkeypatch.setattr(looking, "look", lambda: iter([hung]))
    monkeypatch.setattr(looking, "stop_all", lambda servers, force: (0, list(servers)))

    status = CliRunner().invoke(cli, ["shared", "status"])
    stop = CliRunner().invoke(cli, ["shared", "stop"])

    assert "does not answer" in status.output
    assert "Process 7 has not stopped; its log is /run/x.log" in stop.output
    assert "hint: mcpkit shared stop --force" in stop.output
    assert stop.exit_code == 1


def test_no_system_but_posix_has_any(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "name", "nt")
    result = CliRunner().invoke(cli, ["shared", "status"])
    monkeypatch.undo()

    assert "shares no servers" in str(result.exception)
