"""Over stdio: how long a host waits for a server it starts, and how many calls a second it gets."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from benchmarks.environment import BUILD, Scenario, install, python
from benchmarks.measuring import Figure, Table, take_turns

SERVERS = Path(__file__).parent / "servers"
LIMIT = 60.0

INITIALIZE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "bench", "version": "1"},
}

SCENARIOS = (
    Scenario(1, 3),
    Scenario(10, 30),
    Scenario(100, 500),
    Scenario(10, 30, ("pandas", "openai")),
)


class Connection:
    """A server process, spoken to as a host does."""

    def __init__(self, command: list[str], plugins: Path | None = None) -> None:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("MCPKIT_")}
        env = {**kept, "PYTHONPATH": str(plugins or ""), "XDG_CACHE_HOME": str(BUILD / "cache")}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env
        )
        self._id = 0

    def send(self, method: str, **params: Any) -> int:
        """Send one request, and return its id."""
        self._id += 1
        self._write({"jsonrpc": "2.0", "id": self._id, "method": method, "params": params})
        return self._id

    def open(self) -> None:
        """Shake hands."""
        self.answer(self.send("initialize", **INITIALIZE))
        self._write({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def answer(self, request_id: int) -> dict[str, Any]:
        """Read until a request is answered; fail loudly when it is not."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            message = json.loads(line)
            if message.get("id") == request_id:
                if "error" in message:
                    sys.exit(f"{self.process.args}: {message['error']}")
                return dict(message["result"])
        assert self.process.stderr is not None
        sys.exit(f"{self.process.args} ended: {self.process.stderr.read().decode()[-2000:]}")

    def take_result(self) -> None:
        """Read one result, whichever it is; fail loudly when it is none."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if b'"result"' not in line or b'"isError":true' in line:
            sys.exit(f"{self.process.args} answers {line!r}")

    def close(self) -> None:
        """End it."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(LIMIT)

    def _write(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()


def peer(name: str) -> list[str]:
    """The command of a peer."""
    return [python(), str(SERVERS / f"{name}.py")]


def ours(*arguments: str) -> list[str]:
    """The command of mcpkit, as installed."""
    return [str(Path(python()).with_name("mcpkit")), "serve", *arguments]


def cold_start(command: list[str], tools: int, plugins: Path | None = None) -> Callable[[], float]:
    """Measure from spawning to the answer of `tools/list`, in milliseconds."""

    def measure() -> float:
        started = time.perf_counter()
        connection = Connection(command, plugins)
        connection.open()
        result = connection.answer(connection.send("tools/list"))
        took = time.perf_counter() - started
        connection.close()
        if len(result["tools"]) != tools:
            sys.exit(f"{command} lists {len(result['tools'])} tools instead of {tools}")
        return took * 1000

    return measure


def measure_cold_starts(rounds: int) -> list[Table]:
    """Spawn to `tools/list`, ours with each scenario beside the peers with three tools."""
    reference = "SDK low-level server, 3 tools"
    contestants = {
        "stdlib only, 3 tools (the floor)": cold_start(peer("floor"), 3),
        reference: cold_start(peer("sdk_lowlevel"), 3),
        "SDK MCPServer, 3 tools": cold_start(peer("sdk_mcpserver"), 3),
        "FastMCP, 3 tools": cold_start(peer("fastmcp_stdio"), 3),
    }
    for scenario in SCENARIOS:
        folder = install(scenario)
        contestants[f"mcpkit, {scenario.name}"] = cold_start(ours(), scenario.tools, folder)
    many = SCENARIOS[2]
    shared = ours("--shared", "--set", "shared.idle_timeout=60")
    warm = cold_start(shared, many.tools, many.folder)
    contestants[f"mcpkit --shared, warm, {many.name}"] = warm
    figures = take_turns(contestants, 3 * rounds)  # they are quick, and vary most
    note = f"From 1 plugin to 100, a start grows by {growth(figures):.0f} ms."
    return [
        Table(
            "Cold start over stdio, spawn to `tools/list`", "ms", reference, figures, notes=[note]
        )
    ]


def measure_calls(rounds: int) -> list[Table]:
    """Calls a second with 1 and with 64 in flight."""
    folder = install(SCENARIOS[0])
    contestants = {
        "SDK low-level server": (peer("sdk_lowlevel"), "echo", None),
        "SDK MCPServer": (peer("sdk_mcpserver"), "echo", None),
        "FastMCP": (peer("fastmcp_stdio"), "echo", None),
        "mcpkit": (ours(), "bench_000_tool_0", folder),
    }
    tables = []
    for in_flight in (1, 64):
        measures = {
            name: _calls(command, tool, plugins, in_flight)
            for name, (command, tool, plugins) in contestants.items()
        }
        tables.append(
            Table(
                f"Calls over stdio, {in_flight} in flight",
                "calls/s",
                "SDK low-level server",
                take_turns(measures, rounds),
                higher_is_better=True,
            )
        )
    return tables


def _calls(
    command: list[str], tool: str, plugins: Path | None, in_flight: int, seconds: float = 2.0
) -> Callable[[], float]:
    def measure() -> float:
        connection = Connection(command, plugins)
        connection.open()
        call = {"name": tool, "arguments": {"text": "hello"}}
        _keep(connection, call, in_flight, 200)
        started, done = time.perf_counter(), 0
        while (took := time.perf_counter() - started) < seconds:
            _keep(connection, call, in_flight, 256)
            done += 256
        connection.close()
        return done / took

    return measure


def _keep(connection: Connection, call: dict[str, Any], in_flight: int, count: int) -> None:
    """Make `count` calls, so many at a time."""
    waiting = 0
    for _ in range(count):
        connection.send("tools/call", **call)
        waiting += 1
        if waiting >= in_flight:
            connection.take_result()
            waiting -= 1
    for _ in range(waiting):
        connection.take_result()


def growth(figures: Iterable[Figure]) -> float:
    """Milliseconds that a hundred plugins cost over one."""
    found = {figure.contestant: figure.median for figure in figures}
    many = found[f"mcpkit, {SCENARIOS[2].name}"]
    return many - found[f"mcpkit, {SCENARIOS[0].name}"]
