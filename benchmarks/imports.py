"""Imports: what each plugin costs a start that imports it, and what a catalogued one pays."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.environment import BUILD, Scenario, install, install_bundled, python
from benchmarks.measuring import Table, take_turns
from benchmarks.stdio import cold_start, ours

BUNDLED = ("weather", "search", "timeutil")
GENERATED = {
    "5 tools": Scenario(1, 5),
    "5 tools, imports pandas": Scenario(1, 5, ("pandas",)),
    "5 tools, imports openai": Scenario(1, 5, ("openai",)),
}

SDK = "`import mcp`"
CLOCK = "import time; start = time.perf_counter(); import mcp; print(time.perf_counter() - start)"

TIMES = (
    "Each in a fresh process, where the SDK and pydantic are imported already, as in any server; "
    "what `mcpkit plugins list --json` reports of installed wheels."
)
STARTS = "A start imports a plugin with `--eager` only; else its catalogue says what it has."


def measure_imports(rounds: int) -> list[Table]:
    """Import times as mcpkit reports them, then starts with and without the import."""
    folders = {name: install_bundled(name) for name in BUNDLED}
    folders |= {name: install(scenario) for name, scenario in GENERATED.items()}
    times: dict[str, Callable[[], float]] = {SDK: _import_of_the_sdk}
    times |= {f"mcpkit plugin, {name}": partial(_import, at) for name, at in folders.items()}
    return [
        Table("Import of a plugin", "ms", SDK, take_turns(times, rounds), notes=[TIMES]),
        _starts(folders, rounds),
    ]


def _starts(folders: Mapping[str, Path], rounds: int) -> Table:
    names = ("5 tools", "weather", "5 tools, imports pandas", "5 tools, imports openai")
    measures = {}
    for name in names:
        tools = _tools(folders[name])
        for option, arguments in (("catalogued", ()), ("eager", ("--eager",))):
            start = cold_start(ours(*arguments), tools, folders[name])
            measures[f"mcpkit, {name}, {option}"] = start
    return Table(
        "Start with one plugin over stdio, spawn to `tools/list`",
        "ms",
        "mcpkit, 5 tools, catalogued",
        take_turns(measures, rounds),
        notes=[STARTS],
    )


def _import_of_the_sdk() -> float:
    return float(_output((python(), "-c", CLOCK))) * 1000


def _import(folder: Path) -> float:
    """Milliseconds that the one plugin of a folder took to import."""
    return float(_listed(folder)["import_seconds"]) * 1000


def _tools(folder: Path) -> int:
    return len(_listed(folder)["components"]["tools"])


def _listed(folder: Path) -> Mapping[str, Any]:
    """What `mcpkit plugins list` says of the one plugin of a folder."""
    command = str(Path(python()).with_name("mcpkit"))
    records = json.loads(_output((command, "plugins", "list", "--json"), folder))
    if [record["status"] for record in records] != ["loaded"]:
        sys.exit(f"{folder} should hold one plugin that loads: {records}")
    return dict(records[0])


def _output(command: Sequence[str], plugins: Path | None = None) -> str:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MCPKIT_")}
    env = {**kept, "PYTHONPATH": str(plugins or ""), "XDG_CACHE_HOME": str(BUILD / "cache")}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    return done.stdout
