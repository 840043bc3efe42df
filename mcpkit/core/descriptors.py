"""Descriptors: standard input and output kept for the protocol or for data, whatever plugins do.

`print` can be redirected in Python; what a library written in C, a thread or a subprocess writes,
only at the descriptor. So the real streams move to descriptors that no subprocess inherits; 0 and 1
become an empty input and standard error.
"""

from __future__ import annotations

import contextlib
import io
import os
import select
import sys
from collections.abc import Iterator

STDIN, STDOUT, STDERR = 0, 1, 2

SURE_TO_FIT = 4096
"""Bytes that a writable pipe takes without blocking (`PIPE_BUF` of Linux)."""

_reserved: dict[int, int] = {}
"""Where the real streams are, by their own number: descriptors belong to the whole process."""


def reserve(number: int) -> int:
    """Keep standard input or output for oneself, from now on.

    Returns:
        A descriptor of the real stream; the same one each time.
    """
    if number not in _reserved:
        if not _reserved and hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_close)
        _reserved[number] = os.dup(number)
        if number == STDIN:
            nothing = os.open(os.devnull, os.O_RDONLY)
            os.dup2(nothing, STDIN)
            os.close(nothing)
        else:
            _flush_stdout()
            os.dup2(STDERR, STDOUT)
    return _reserved[number]


def release(number: int) -> None:
    """Give a stream back, if it is reserved; for commands that are run within another program."""
    kept = _reserved.pop(number, None)
    if kept is None:
        return
    if number == STDOUT:
        _flush_stdout()
    os.dup2(kept, number)
    if number == STDOUT:
        os.close(kept)  # that of the input stays open: a thread may still wait on it


@contextlib.contextmanager
def reserved(*numbers: int) -> Iterator[tuple[int, ...]]:
    """Keep streams for a time; those that are reserved already stay so.

    Yields:
        A descriptor for each of the real streams.
    """
    new = [number for number in numbers if number not in _reserved]
    try:
        yield tuple(map(reserve, numbers))
    finally:
        for number in new:
            release(number)


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


def _flush_stdout() -> None:
    """Write what `print` has kept back, and let it keep nothing back from now on."""
    with contextlib.suppress(OSError, ValueError, AttributeError):  # None if there was no stdout
        sys.stdout.flush()
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(line_buffering=True)


def _close() -> None:
    """Close the real streams in a copy of the process (`os.fork`): they are not its own."""
    for kept in _reserved.values():
        with contextlib.suppress(OSError):
            os.close(kept)
    _reserved.clear()
