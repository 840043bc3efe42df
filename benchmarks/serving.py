"""Servers over HTTP: who competes, each in a process of its own on the first core."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.environment import BUILD, Scenario, install, python
from benchmarks.measuring import cores

PEERS = Path(__file__).parent / "servers" / "http_peers.py"
LIMIT = 60.0
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Contestant:
    """A server that competes.

    Attributes:
        name: As tables show it.
        command: What starts it; `{port}` stands for the port.
        tool: Its sync tool that says its `text`.
        async_tool: The same as an async function.
        scenario: The plugins it finds installed.
    """

    name: str
    command: tuple[str, ...]
    tool: str = "echo"
    async_tool: str = "echo_async"
    scenario: Scenario | None = None


@dataclass(frozen=True)
class Running:
    """A server that listens.

    Attributes:
        contestant: Whose it is.
        url: Where it answers.
        port: Of the URL.
        pid: Its process.
    """

    contestant: Contestant
    url: str
    port: int
    pid: int

    def cpu_seconds(self) -> float:
        """Processor time it has used so far, the kernel's on its behalf included."""
        stat = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(stat[11]) + int(stat[12])) / TICKS  # utime and stime, proc(5)

    def resident_kib(self) -> int:
        """Memory it holds, in KiB."""
        lines = Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("Rss:")).split()[1])


def peer(name: str, function: str, *arguments: str) -> Contestant:
    """A server of `servers/http_peers.py`."""
    return Contestant(name, (python(), str(PEERS), function, "{port}", *arguments))


def ours(name: str, scenario: Scenario, *arguments: str) -> Contestant:
    """A server of mcpkit as installed, with sync and async tools of generated plugins."""
    command = str(Path(python()).with_name("mcpkit"))
    return Contestant(
        name,
        (command, "serve", "-t", "streamable-http", "--port", "{port}", *arguments),
        tool="bench_000_tool_0",
        async_tool="bench_000_tool_1",
        scenario=scenario,
    )


@contextmanager
def served(contestant: Contestant) -> Iterator[Running]:
    """Run a server until it is no longer needed."""
    port = _free_port()
    command = [part.format(port=port) for part in contestant.command]
    log = BUILD / "servers.log"
    with log.open("wb") as errors:
        server = subprocess.Popen(
            ["/usr/bin/env", "taskset", "-c", str(cores()[0]), *command],
            env=_environment(contestant),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
    try:
        if not _listens(server, port):
            sys.exit(f"{contestant.name} does not listen: {log.read_text()[-2000:]}")
        yield Running(contestant, f"http://127.0.0.1:{port}/mcp", port, server.pid)
        if server.poll() is not None:
            sys.exit(f"{contestant.name} ended with {server.returncode} while it was measured")
    finally:
        server.kill()  # some would wait for their sessions to end
        server.wait(LIMIT)


def _listens(server: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return True
        time.sleep(0.05)
    return False


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _environment(contestant: Contestant) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MCPKIT_")}
    plugins = str(install(contestant.scenario)) if contestant.scenario else ""
    cache = str(BUILD / "cache")
    return {**kept, "PYTHONPATH": plugins, "XDG_CACHE_HOME": cache}
