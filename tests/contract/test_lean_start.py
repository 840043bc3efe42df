"""What a start imports beside the SDK: it is what a host waits for, and time would tell badly."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.contract

SDK = "import mcp.server.lowlevel, mcp.server.stdio"
"""What the SDK's smallest server imports."""

COMMAND = ["serve", "--set", 'plugins_allow=["clock"]']

SERVE = f"from mcpkit.cli.main import run\nassert run({COMMAND!r}) == 0"

PLUGIN = """
from mcpkit import Plugin

plugin = Plugin()


@plugin.tool()
def now(place: str = "here") -> str:
    "Tell the time."
    return "late"
"""

OURS = {"importlib_metadata", "lazy_importer", "mcpkit", "pluggy", "zipp"}
"""What a start imports beside the SDK and the standard library: all of it is needed over stdio."""

CONVERSATION: list[dict[str, Any]] = [
    {
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        },
    },
    {"method": "notifications/initialized"},
    {"id": 2, "method": "tools/list", "params": {}},
]


class Host:
    """A host with one plugin installed, and a cache of its own."""

    def __init__(self, folder: Path) -> None:
        info = folder / "mcpkit_plugin_clock-1.0.dist-info"
        info.mkdir(parents=True)
        (folder / "mcpkit_plugin_clock.py").write_text(PLUGIN, "utf-8")
        (info / "METADATA").write_text("Name: mcpkit-plugin-clock\nVersion: 1.0\n\n", "utf-8")
        entry = "[mcpkit.plugins]\nclock = mcpkit_plugin_clock:plugin\n"
        (info / "entry_points.txt").write_text(entry, "utf-8")
        (info / "RECORD").write_text("mcpkit_plugin_clock.py,,\n", "utf-8")
        kept = {key: value for key, value in os.environ.items() if not key.startswith("MCPKIT_")}
        self.folder = folder
        self.env = {
            **kept,
            "PYTHONPATH": os.pathsep.join([str(folder), *filter(None, sys.path)]),
            "XDG_CACHE_HOME": str(folder / "cache"),
        }

    def run(self, code: str, *extra: dict[str, Any]) -> tuple[set[str], list[dict[str, Any]]]:
        """Run some code that may converse, and tell what it has imported and answered."""
        tell = "import sys\nprint(*sys.modules, sep='\\n', file=sys.stderr)"
        said = [json.dumps({"jsonrpc": "2.0", **line}) for line in (*CONVERSATION, *extra)]
        done = subprocess.run(
            [sys.executable, "-c", f"{code}\n{tell}"],
            input="\n".join([*said, ""]),
            env=self.env,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        modules = {line for line in done.stderr.splitlines() if " " not in line}
        return modules, [json.loads(line) for line in done.stdout.splitlines()]


def packages(modules: set[str]) -> set[str]:
    """The packages, or modules, that they belong to."""
    return {name.partition(".")[0] for name in modules}


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """One whose plugin has been listed before."""
    host = Host(tmp_path / "site")
    host.run(SERVE)
    return host


def test_a_start_from_catalogues_imports_little_beside_the_sdk(host: Host) -> None:
    theirs, _ = host.run(SDK)

    modules, answers = host.run(SERVE)

    assert [tool["name"] for tool in answers[1]["result"]["tools"]] == ["clock_now"]
    extra = packages(modules) - packages(theirs)
    foreign = {name for name in extra - sys.stdlib_module_names if "cython" not in name}
    assert {"mcpkit", "pluggy"} <= foreign <= OURS
    assert not {"sqlite3", "tomllib"} & extra
    assert "mcpkit_plugin_clock" not in modules
    assert not {
        name
        for name in modules
        if name.startswith("mcpkit.core.")
        and name.split(".")[2] in {"loading", "validation", "building", "schemas", "tasks"}
    }
    assert not {"mcpkit.cli.call", "mcpkit.cli.plugins", "mcpkit.cli.new"} & modules
    transports = {name for name in modules if name.startswith("mcpkit.core.transports.")}
    assert not {name.rpartition(".")[2] for name in transports} & {"http", "sse", "websocket"}


def test_the_first_call_imports_what_it_needs(host: Host) -> None:
    call = {"id": 3, "method": "tools/call", "params": {"name": "clock_now", "arguments": {}}}

    modules, answers = host.run(SERVE, call)

    assert answers[-1]["result"]["content"][0]["text"] == "late"
    assert "mcpkit_plugin_clock" in modules
    assert "jsonschema" not in modules
