"""Standard input and output may be pipes, sockets, files or a terminal: all are served alike."""

import contextlib
import json
import os
import pty
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import environment

pytestmark = pytest.mark.contract

LIMIT = 30.0
TEXT = "æ" * 300_000
"""More than pipes and sockets hold."""


def request(number: int, method: str, **params: Any) -> bytes:
    message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    return json.dumps(message).encode() + b"\n"


def conversation(text: str) -> bytes:
    client = {"name": "raw", "version": "1"}
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client}
    return request(1, "initialize", **hello) + request(
        2, "tools/call", name="conversation_echo", arguments={"text": text}
    )


@pytest.fixture
def serve(test_plugins: Path, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start a server over some descriptors; what still runs at the end is killed."""
    started: list[subprocess.Popen[bytes]] = []

    def start(stdin: Any, stdout: Any) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "mcpkit", "serve"]
        env = environment(test_plugins)
        with (tmp_path / "log.txt").open("wb") as log:
            started.append(
                subprocess.Popen(
                    command, stdin=stdin, stdout=stdout, stderr=log, env=env, cwd=tmp_path
                )
            )
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait(LIMIT)
        for pipe in filter(None, (process.stdin, process.stdout)):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


def echoed(said: bytes) -> str:
    """What the server answers to the call."""
    messages = [json.loads(line) for line in said.splitlines()]
    return str(next(m for m in messages if m["id"] == 2)["result"]["content"][0]["text"])


def test_files_are_read_and_written(serve: Any, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(conversation(TEXT))
    with (tmp_path / "in").open("rb") as stdin, (tmp_path / "out").open("wb") as stdout:
        process = serve(stdin, stdout)

    assert process.wait(LIMIT) == 0
    assert echoed((tmp_path / "out").read_bytes()) == TEXT


def test_sockets_are_read_and_written(serve: Any) -> None:
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            process = serve(theirs, theirs)
        ours.settimeout(LIMIT)
        ours.sendall(conversation(TEXT))
        ours.shutdown(socket.SHUT_WR)
        said = b""
        while chunk := ours.recv(65536):
            said += chunk

        assert process.wait(LIMIT) == 0
    assert echoed(said) == TEXT


def test_a_terminal_is_read_and_a_pipe_written(serve: Any) -> None:
    ours, theirs = pty.openpty()
    settings = termios.tcgetattr(theirs)
    settings[3] &= ~(termios.ECHO | termios.ICANON)
    termios.tcsetattr(theirs, termios.TCSANOW, settings)
    process = serve(theirs, subprocess.PIPE)
    os.close(theirs)
    os.write(ours, conversation("typed"))
    said = process.stdout.readline() + process.stdout.readline()
    process.terminate()

    assert process.wait(LIMIT) == 0
    os.close(ours)
    assert echoed(said) == "typed"


def test_a_host_that_reads_late_gets_it_all(serve: Any) -> None:
    process = serve(subprocess.PIPE, subprocess.PIPE)
    process.stdin.write(conversation(TEXT))
    process.stdin.close()
    time.sleep(2)  # the pipe is full by then
    before = processor_time(process.pid)
    time.sleep(0.5)
    waited = processor_time(process.pid) - before
    said = process.stdout.read()

    assert process.wait(LIMIT) == 0
    assert echoed(said) == TEXT
    assert waited <= 0.1  # it waits, and does not look again and again


def processor_time(pid: int) -> float:
    """Seconds that a process has used."""
    after_name = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def test_a_host_that_reads_no_more_ends_the_server(serve: Any) -> None:
    process = serve(subprocess.PIPE, subprocess.PIPE)
    process.stdin.write(conversation(TEXT))
    process.stdin.flush()
    process.stdout.readline()
    process.stdout.close()

    assert process.wait(LIMIT) == 0
