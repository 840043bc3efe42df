"""Mutate modules of the core, and count the mutants that their tests kill.

`make mutants` calls it; `make mutants MODULES="guard threads"` tries some modules only. mutmut
works on a copy below `build/mutants`, a folder for each module. Exit code 0 only if at least
`FLOOR` of each module's mutants are killed, those aside that behave as the original does
(`equivalents.py`).
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.mutation.equivalents import EQUIVALENT

ROOT = Path(__file__).parents[2]
WORK = ROOT / "build/mutants"
FLOOR = 0.9
KILLED = frozenset({"killed", "timeout", "segfault"})

TARGETS: dict[str, tuple[str, ...]] = {
    "core/catalogues.py": ("core/test_catalogues.py",),
    "core/clients.py": ("core/test_clients.py",),
    "core/jobs.py": ("core/test_loading_alone.py",),
    "core/loading.py": ("core/test_loading_alone.py",),
    "core/log_limits.py": ("core/test_log_limits.py",),
    "core/manifest_records.py": ("core/test_catalogues.py",),
    "core/middleware.py": ("core/test_middleware.py", "core/test_request_state.py"),
    "core/own_files.py": ("core/test_own_files.py",),
    "core/settings/masking.py": (
        "core/settings/test_masking.py",
        "core/settings/test_masking_values.py",
    ),
    "core/settings/trust.py": ("core/settings/test_trust.py",),
    "core/tasks/changes.py": ("core/tasks/test_changes.py",),
    "core/tasks/failover.py": ("core/tasks/test_failover.py",),
    "core/tasks/jobs.py": ("core/tasks/test_jobs.py",),
    "core/tasks/memory.py": ("core/tasks/test_stores.py",),
    "core/tasks/owners.py": ("core/tasks/test_owners.py",),
    "core/tasks/quotas.py": ("core/tasks/test_quotas.py",),
    "core/tasks/records.py": ("core/tasks/test_changes.py",),
    "core/tasks/running.py": ("core/tasks/test_running_alone.py",),
    "core/threads.py": ("core/test_threads.py",),
    "core/transports/api_keys.py": ("core/test_guard.py",),
    "core/transports/guard.py": ("core/test_guard.py",),
    "core/transports/messages.py": ("core/test_messages.py",),
    "core/transports/names.py": ("core/test_guard.py", "core/test_names.py"),
    "core/transports/principals.py": ("core/test_guard.py",),
    "core/transports/sessions.py": ("core/test_sessions.py",),
    "core/written.py": ("core/test_catalogues.py",),
}
"""Modules, and their tests: only such as start no process, which hundreds of runs would feel."""

CONFIG = """
[tool.mutmut]
source_paths = ["mcpkit"]
only_mutate = ["mcpkit/{module}"]
also_copy = ["conftest.py", "plugins"]
pytest_add_cli_args_test_selection = [{tests}]
pytest_add_cli_args = [
  "-p", "no:cacheprovider", "-p", "no:unraisableexception", "-o", "faulthandler_timeout=0",
  "--timeout=30",
]
do_not_mutate_patterns = ['logger\\.\\w+\\(']
process_isolation = "forkserver"
timeout_multiplier = 4.0
timeout_constant = 5.0
"""

SHOW = """
import json, sys
from mutmut.mutation.diff_apply import get_diff_for_mutant
sys.stdout.write(json.dumps({name: get_diff_for_mutant(name) for name in sys.argv[1:]}))
"""
"""`mutmut show` for many mutants; each would take a second otherwise."""


def main(wanted: list[str]) -> int:
    """Try the modules whose paths hold one of the words, or all of them."""
    chosen = [name for name in TARGETS if not wanted or any(word in name for word in wanted)]
    enough = [try_module(name) for name in chosen]
    return 0 if enough and all(enough) else 1


def try_module(module: str) -> bool:
    """Run mutmut on one module, and print what survived."""
    folder = WORK / module.removesuffix(".py").replace("/", "-")
    prepare(folder, module)
    run = mutmut(folder, "run")
    listed = mutmut(folder, "results", "--all", "True").stdout
    statuses = dict(re.findall(r"^ +(\S+): (.+)$", listed, re.MULTILINE))
    if run.returncode or not statuses:
        sys.stdout.write(f"{module}: mutmut failed\n{run.stdout[-3000:]}{run.stderr[-3000:]}\n")
        sys.stdout.flush()
        return False
    left = {name: status for name, status in statuses.items() if status not in KILLED}
    lines = changed_lines(folder, left)
    same = {name for name in left if lines[name] in EQUIVALENT.get(module, {})}
    total, killed = len(statuses) - len(same), len(statuses) - len(left)
    told = f"{module}: {killed} of {total} killed ({killed / total:.0%}), {len(same)} equivalent\n"
    sys.stdout.write(told)
    for name in sorted(left.keys() - same):
        sys.stdout.write(f"  {left[name]}: {name.rpartition('.')[2]}: {lines[name]}\n")
    sys.stdout.flush()
    return killed >= FLOOR * total


def changed_lines(folder: Path, mutants: Iterable[str]) -> dict[str, str]:
    """The lines that each mutant adds, or those that it takes away."""
    diffs = json.loads(python(folder, "-c", SHOW, *mutants).stdout)
    return {name: _changed(diff) for name, diff in diffs.items()}


def _changed(diff: str) -> str:
    for sign in ("+", "-"):
        found = re.findall(rf"^[{sign}](?![{sign}])\s*(.*)$", diff, re.MULTILINE)
        if found:
            return " ".join(found)
    return diff


def prepare(folder: Path, module: str) -> None:
    """Copy what the tests of a module need; earlier results would outlive changes of the tests."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in ("mcpkit", "tests", "plugins"):
        shutil.copytree(
            ROOT / name, folder / name, ignore=shutil.ignore_patterns("node_modules", "__pycache__")
        )
    shutil.copy2(ROOT / "conftest.py", folder)
    tests = ", ".join(f'"tests/{path}"' for path in TARGETS[module])
    config = CONFIG.format(module=module, tests=tests)
    (folder / "pyproject.toml").write_text(
        (ROOT / "pyproject.toml").read_text("utf-8") + config, "utf-8"
    )


def mutmut(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of mutmut in a folder."""
    return python(folder, "-m", "mutmut", *arguments)


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder, with mutmut; its bytecode is kept, as many processes import it."""
    env = {**os.environ, "PYTHONPATH": str(ROOT / "build/mutmut"), "PYTHONDONTWRITEBYTECODE": ""}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
