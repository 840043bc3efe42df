"""Descriptors: standard output kept for data, whatever plugins write to it.

`print` can be redirected in Python; what libraries written in C write, only at the descriptor.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
from collections.abc import Iterator

SURE_TO_FIT = 4096
"""Bytes that a writable pipe takes without blocking (`PIPE_BUF` of Linux)."""


def has_room(descriptor: int, seconds: float = 0) -> bool | None:
    """Whether a small write would not block; None where that cannot be known (Windows).

    Args:
        descriptor: That is written to.
        seconds: How long to wait for room.
    """
    poll = getattr(select, "poll", None)
    if poll is None:
        return None
    waiter = poll()
    waiter.register(descriptor, select.POLLOUT)
    return bool(waiter.poll(seconds * 1000))


@contextlib.contextmanager
def kept_stdout() -> Iterator[int]:
    """Send what is written to descriptor 1 to stderr.

    Yields:
        A descriptor of the real standard output, for whom it is kept.
    """
    sys.stdout.flush()
    stdout = os.dup(1)
    try:
        os.dup2(2, 1)
        with contextlib.redirect_stdout(sys.stderr):
            yield stdout
    finally:
        os.dup2(stdout, 1)
        os.close(stdout)


@contextlib.contextmanager
def kept_stdin() -> Iterator[int]:
    """Give an empty input to whoever reads descriptor 0.

    Yields:
        A descriptor of the real standard input. It stays open afterwards: a thread may still wait
        on it.
    """
    stdin = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    try:
        os.dup2(nothing, 0)
        yield stdin
    finally:
        os.dup2(stdin, 0)
        os.close(nothing)
