"""What all tests share: the event loop, installed test plugins, and real server processes."""

import contextlib
import faulthandler
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import distributions
from pathlib import Path

import pytest

from tests.forking import CopiedProcess, original

ROOT = Path(__file__).parents[1]
GROUP = "mcpkit.plugins"
END = 15.0
"""Seconds that threads get to end after the last test."""
START = 30.0
"""Seconds that a server process gets to start."""


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    """Fail loudly when a thread would keep this process alive for ever."""
    if original.cache_info().currsize:
        original().close()
    deadline = time.monotonic() + END
    for thread in threading.enumerate():
        if thread is not threading.main_thread() and not thread.daemon:
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                sys.stderr.write(f"\n{thread.name} never ends:\n")
                sys.stderr.flush()
                faulthandler.dump_traceback(all_threads=True)
                os._exit(1)


@pytest.fixture
def anyio_backend() -> str:
    """Run async tests on asyncio, which uvicorn needs."""
    return "asyncio"


@pytest.fixture(scope="session")
def test_plugins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip installed the plugin that the contract tests talk about."""
    return install("conversation", tmp_path_factory)


def install(name: str, factory: pytest.TempPathFactory) -> Path:
    """Install one distribution of `tests/plugins` into a folder."""

    def run_pip(target: Path) -> None:
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
                *("--no-deps", "--no-build-isolation", "--target", str(target)),
                str(ROOT / "tests/plugins" / name),
            ],
            check=True,
            capture_output=True,
        )

    return once(f"installed-{name}", factory, run_pip)


def once(name: str, factory: pytest.TempPathFactory, make: Callable[[Path], None]) -> Path:
    """A folder that the first worker who needs it makes, for all workers of this run."""
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder = base / name
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            unfinished = base / f"{name}.unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            make(unfinished)
            unfinished.rename(folder)
    return folder


@dataclass
class ServerProcess:
    """A running `mcpkit serve`.

    Attributes:
        process: The process; stdin and stdout are pipes.
        lines: What it wrote to stderr so far.
    """

    process: subprocess.Popen[bytes] | CopiedProcess
    lines: list[str] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _follower: threading.Thread | None = None

    def start_following(self) -> None:
        """Collect stderr in a thread."""
        self._follower = threading.Thread(target=self.follow, daemon=True)
        self._follower.start()

    def close(self) -> None:
        """Stop the process at once if it still runs, and close its pipes."""
        for number in (signal.SIGTERM, signal.SIGTERM):
            if self.process.poll() is None:
                self.process.send_signal(number)  # the second one stops it at once
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(START)
        if self._follower is not None:
            self._follower.join(START)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()

    def follow(self) -> None:
        """Collect stderr until it closes."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._changed:
                self.lines.append(line.decode(errors="replace"))
                self._changed.notify_all()

    def wait_for(self, pattern: str, seconds: float = START) -> str:
        """Wait until a line of stderr matches, and return its first group."""

        def found() -> re.Match[str] | None:
            return next(filter(None, (re.search(pattern, line) for line in self.lines)), None)

        with self._changed:
            self._changed.wait_for(lambda: found() or self.process.poll() is not None, seconds)
            match = found()
        assert match is not None, "".join(self.lines) or "the server said nothing"
        return match[1] if match.groups() else match[0]

    def url(self, transport: str = "streamable-http") -> str:
        """The URL at which a transport is served."""
        return self.wait_for(rf"Serving {transport} at (\S+)")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the exit code."""
        self.process.send_signal(number)
        return self.process.wait(START)


Serve = Callable[..., ServerProcess]


BUNDLED = {"MCPKIT_PLUGINS_ALLOW": "conversation,search,timeutil,weather"}
"""Variables with which the bundled plugins are loaded too; a start takes half as long again."""


def environment(plugins: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a process that sees what we see, and the plugins of a folder alone."""
    paths = filter(None, [str(plugins), os.environ.get("PYTHONPATH")])
    points = (point for found in distributions(path=[str(plugins)]) for point in found.entry_points)
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "MCPKIT_PLUGINS_ALLOW": ",".join(one.name for one in points if one.group == GROUP),
        **(extra or {}),
    }


@pytest.fixture
def serve(test_plugins: Path, tmp_path: Path) -> Iterator[Serve]:
    """Start `mcpkit serve ARGUMENTS`; what still runs at the end is killed."""
    started: list[ServerProcess] = []

    def start(*arguments: str, env: Mapping[str, str] | None = None) -> ServerProcess:
        server = start_server(arguments, environment(test_plugins, env), tmp_path)
        started.append(server)
        return server

    yield start
    for server in started:
        server.close()


def start_server(
    arguments: tuple[str, ...], env: dict[str, str], folder: Path, *, copied: bool = True
) -> ServerProcess:
    """Start the process, as a copy where that makes no difference, and follow its stderr."""
    if copied and "--shared" not in arguments and original().can_copy(env):
        server = ServerProcess(original().start(("serve", *arguments), env, folder))
    else:
        command = [sys.executable, "-m", "mcpkit", "serve", *arguments]
        server = ServerProcess(
            subprocess.Popen(command, stdin=-1, stdout=-1, stderr=-1, env=env, cwd=folder)
        )
    server.start_following()
    return server


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(run_process: Run) -> Run:
    """Run `mcpkit ARGUMENTS` to its end; the tests of commands do it without a process."""
    return run_process


@pytest.fixture
def run_process(test_plugins: Path, tmp_path: Path) -> Run:
    """Run `mcpkit ARGUMENTS` as a process to its end, in an empty folder."""

    def run_command(
        *arguments: str, env: Mapping[str, str] | None = None, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        env = environment(test_plugins, env)
        if original().can_copy(env):
            return original().run(arguments, env, tmp_path, stdin)
        return subprocess.run(
            [sys.executable, "-m", "mcpkit", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            env=env,
            cwd=tmp_path,
            timeout=60,
            check=False,
        )

    return run_command
