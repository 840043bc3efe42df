"""Memory: what a server holds at rest, in MiB of resident set."""

import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.environment import Scenario, install
from benchmarks.measuring import Table, take_turns
from benchmarks.stdio import Connection, ours, peer


def _at_rest(command: list[str], plugins: Path | None = None) -> Callable[[], float]:
    def measure() -> float:
        connection = Connection(command, plugins)
        connection.open()
        connection.answer(connection.send("tools/list"))
        time.sleep(0.2)
        status = Path(f"/proc/{connection.process.pid}/status").read_text()
        kibibytes = next(line for line in status.splitlines() if line.startswith("VmRSS")).split()
        connection.close()
        return int(kibibytes[1]) / 1024

    return measure


def measure_memory(rounds: int) -> list[Table]:
    """At rest after `tools/list`, over stdio."""
    reference = "SDK low-level server, 3 tools"
    contestants = {
        reference: _at_rest(peer("sdk_lowlevel")),
        "SDK MCPServer, 3 tools": _at_rest(peer("sdk_mcpserver")),
        "FastMCP, 3 tools": _at_rest(peer("fastmcp_stdio")),
    }
    for scenario in (Scenario(1, 3), Scenario(100, 500)):
        contestants[f"mcpkit, {scenario.name}"] = _at_rest(ours(), install(scenario))
    figures = take_turns(contestants, rounds)
    return [Table("Memory at rest, after `tools/list` over stdio", "MiB", reference, figures)]
