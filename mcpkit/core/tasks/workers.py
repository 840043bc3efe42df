"""Workers: the server processes that run tasks, and whether one of them is gone.

A worker's name tells its process where the system allows it: a process of this machine is looked
up. Of any other, signs of life are watched by this process's own monotonic clock. Wall clocks say
nothing: a laptop that slept would take every task for lost.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path

PATIENCE = 30.0
"""Seconds without a sign of life after which a process that cannot be looked up counts as gone."""

PROC = Path("/proc")

DEAD = frozenset("ZXx")
"""States of processes that have ended (proc(5))."""


def new_worker() -> str:
    """The name of this process as a worker: place, process, and a random part."""
    process = f"{os.getpid()}-{_started(os.getpid()) or 'unknown'}"
    return f"{_place()}:{process}:{secrets.token_hex(8)}"


class Workers:
    """Watches the processes that run tasks.

    Args:
        clock: Seconds that never jump.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._heard: dict[str, tuple[float, float]] = {}

    def is_running(self, worker: str) -> bool | None:
        """Look up the process of a worker; None when that is not possible."""
        place, _, rest = worker.partition(":")
        pid, _, started = rest.partition(":")[0].partition("-")
        if not place or place != _place() or not pid.isdecimal() or int(pid) == os.getpid():
            return None
        return _started(int(pid)) == started

    def is_gone(self, worker: str, beat: float) -> bool:
        """Tell if the process of a worker has ended.

        Args:
            worker: Its name.
            beat: Its last sign of life, which is only compared with the one before.
        """
        is_running = self.is_running(worker)
        if is_running is not None:
            return not is_running
        now = self._clock()
        last, since = self._heard.get(worker, (None, now))
        if last != beat:
            since = now
        self._heard[worker] = beat, since
        return now - since > PATIENCE

    def forget(self, workers: set[str]) -> None:
        """Forget all but some workers."""
        self._heard = {name: heard for name, heard in self._heard.items() if name in workers}


def _place() -> str:
    """The boot of the machine and the namespace in which process ids are unique."""
    try:
        boot = (PROC / "sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot}/{(PROC / 'self/ns/pid').stat().st_ino}"
    except OSError:
        return ""


def _started(pid: int) -> str | None:
    """When a process started, in ticks since the boot; None when it has ended (proc(5))."""
    try:
        fields = (PROC / str(pid) / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in DEAD else fields[19]
