"""Processes that begin as copies of one that has imported third-party packages.

These imports are most of what a start costs, and the same for every server; here each worker pays
for them once. All else is as after `python -m mcpkit`: a process with its own streams,
environment, folder and end. Tests of hosts, installers, relays and lean starts run the command.
"""

import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import IO, Any

PACKAGES = (
    "anyio._backends._asyncio",
    "click",
    "httpx2",
    "importlib_metadata",
    "jsonschema",
    "mcp.server.mcpserver",
    "pluggy",
    "pydantic_settings",
    "sse_starlette",
    "starlette.websockets",
    "uvicorn",
    "websockets",
)
"""What servers import that is not ours."""

UNDERSTOOD = frozenset({"PYTHONPATH", "PYTHONDONTWRITEBYTECODE"})
"""Variables of Python that a copy obeys; others are read when an interpreter starts."""

EARLY = ("PYTHON", "COVERAGE_", "LC_", "LANG", "TZ")
"""How variables begin that have to be those of the original."""

STREAMS = 3
LONGEST = 60.0
"""Seconds that a command may take."""


class CopiedProcess:
    """A process as `subprocess.Popen` shows it, with pipes for its streams.

    Attributes:
        pid: Its number.
        returncode: Its exit code, negative for a signal; None while it runs.
    """

    def __init__(self, stdin: IO[bytes], stdout: IO[bytes], stderr: IO[bytes], told: Any) -> None:
        self.stdin, self.stdout, self.stderr = stdin, stdout, stderr
        self.returncode: int | None = None
        self._told: socket.socket = told
        self._lock = threading.Lock()
        self.pid = int(_line(told))

    def poll(self) -> int | None:
        """Its exit code; None while it runs."""
        with self._lock:
            if self.returncode is None and select.select([self._told], [], [], 0)[0]:
                self.returncode = int(_line(self._told))
                self._told.close()
            return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end.

        Raises:
            TimeoutExpired: It runs on.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise subprocess.TimeoutExpired("a copied process", timeout or 0)
            with contextlib.suppress(OSError, ValueError):  # another thread has seen the end
                select.select([self._told], [], [], 0.5 if left is None else min(left, 0.5))
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal if it runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


class Original:
    """The process whose copies are started."""

    def __init__(self) -> None:
        self._environment = dict(os.environ)
        ours, theirs = socket.socketpair()
        environment = {k: v for k, v in os.environ.items() if k not in UNDERSTOOD}
        self._process = subprocess.Popen(
            [sys.executable, "-P", __file__, str(theirs.fileno())],
            env=environment,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,  # a pipe, as the copies have: Python looks when it starts
        )
        theirs.close()
        self._control = ours
        self._lock = threading.Lock()

    def can_copy(self, env: Mapping[str, str]) -> bool:
        """Whether a copy behaves as a new process does in an environment."""
        return _early(env) == _early(self._environment)

    def start(self, arguments: Sequence[str], env: Mapping[str, str], folder: Path) -> Any:
        """Start `python -m mcpkit ARGUMENTS`."""
        ends = [os.pipe() for _ in range(STREAMS)]
        theirs = [ends[0][0], ends[1][1], ends[2][1]]
        told, tells = socket.socketpair()
        request = json.dumps([list(arguments), dict(env), str(folder)]).encode()
        with self._lock:
            head = b"%10d" % len(request)
            socket.send_fds(self._control, [head], [*theirs, tells.fileno()])
            self._control.sendall(request)
        tells.close()
        for descriptor in theirs:
            os.close(descriptor)
        stdin, stdout, stderr = ends[0][1], ends[1][0], ends[2][0]
        return CopiedProcess(
            os.fdopen(stdin, "wb"), os.fdopen(stdout, "rb"), os.fdopen(stderr, "rb"), told
        )

    def run(
        self, arguments: Sequence[str], env: Mapping[str, str], folder: Path, said: str
    ) -> subprocess.CompletedProcess[str]:
        """Run `python -m mcpkit ARGUMENTS` to its end.

        Raises:
            TimeoutExpired: It takes more than a minute.
        """
        process = self.start(arguments, env, folder)
        with ThreadPoolExecutor(2) as readers:
            texts = [readers.submit(pipe.read) for pipe in (process.stdout, process.stderr)]
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(said.encode())
                process.stdin.close()
            try:
                code = process.wait(LONGEST)
            finally:
                process.kill()
        stdout, stderr = (text.result().decode() for text in texts)
        process.stdout.close()
        process.stderr.close()
        return subprocess.CompletedProcess(list(arguments), code, stdout, stderr)

    def close(self) -> None:
        """End the original."""
        self._control.close()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


def _early(env: Mapping[str, str]) -> dict[str, str]:
    return {k: v for k, v in env.items() if k.startswith(EARLY) and k not in UNDERSTOOD}


@cache
def original() -> Original:
    """The one of this process."""
    return Original()


def _line(told: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        part = told.recv(1)
        if not part:
            raise RuntimeError("the process that makes copies has ended")
        line += part
    return line


def serve_copies(control: socket.socket) -> tuple[list[str], dict[str, str], str] | None:
    """Make a copy for each request.

    Returns:
        In a copy what to run; in the original None, when nobody asks any more.
    """
    running: dict[int, socket.socket] = {}
    wake, woken = socket.socketpair()
    for end in (wake, woken):
        end.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(woken.fileno())
    while True:
        ready, _, _ = select.select([control, wake], [], [])
        if wake in ready:
            wake.recv(4096)
            _tell_ends(running)
        if control in ready:
            head, descriptors, _, _ = socket.recv_fds(control, 10, STREAMS + 1)
            if not head:
                return None
            request = control.recv(int(head), socket.MSG_WAITALL)
            tells = socket.socket(fileno=descriptors.pop())
            pid = os.fork()
            if not pid:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for one in (control, wake, woken, tells, *running.values()):
                    one.close()
                for number, descriptor in enumerate(descriptors):
                    os.dup2(descriptor, number)
                    os.close(descriptor)
                arguments, env, folder = json.loads(request)
                return arguments, env, folder
            for descriptor in descriptors:
                os.close(descriptor)
            running[pid] = tells
            tells.sendall(b"%d\n" % pid)


def _tell_ends(running: dict[int, socket.socket]) -> None:
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        tells = running.pop(pid)
        with contextlib.suppress(OSError):  # nobody asks
            tells.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
        tells.close()


def run_copy(arguments: list[str], env: dict[str, str], folder: str) -> None:
    """Do what `python -m mcpkit` does, in a copy."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    sys.dont_write_bytecode = bool(env.get("PYTHONDONTWRITEBYTECODE"))
    added = filter(None, env.get("PYTHONPATH", "").split(os.pathsep))
    sys.path[:0] = [str(Path.cwd()), *map(os.path.abspath, added)]
    sys.argv[1:] = arguments
    importlib.invalidate_caches()
    runpy.run_module("mcpkit", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    for name in PACKAGES:
        importlib.import_module(name)
    gc.freeze()  # a copy that ends looks at its own objects alone
    if (wanted := serve_copies(socket.socket(fileno=int(sys.argv[1])))) is not None:
        run_copy(*wanted)
