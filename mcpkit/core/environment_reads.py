"""Environment variables that a plugin reads while it is loaded.

What it contributes may depend on them. While a plugin is loaded in its thread, `os.environ` notes
which names that thread asks for. The object stays the same one, so that it does not matter how a
module came by it. What C code reads with `getenv` is not seen.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

EVERYTHING = ""
"""Stands for the whole environment, which a plugin has looked through; no variable is called so."""


@dataclass(frozen=True, slots=True)
class EnvironmentReads:
    """What a plugin has read of the environment.

    Attributes:
        names: The variables, sorted, or `EVERYTHING` alone.
        digest: Of their values, as they were before the plugin was loaded.
    """

    names: tuple[str, ...]
    digest: str

    @classmethod
    def of(cls, names: Iterable[str], environment: Mapping[str, str]) -> EnvironmentReads:
        """Look up the values of some variables; one that is not set is one more value."""
        known = (EVERYTHING,) if EVERYTHING in names else tuple(sorted(names))
        looked_up = sorted(environment) if EVERYTHING in known else known
        values = [f"{name}={environment[name]}" for name in looked_up if name in environment]
        text = "\0".join(values).encode(errors="surrogateescape")
        return cls(known, sha256(text).hexdigest())


NOTHING_READ = EnvironmentReads.of((), {})
"""What a plugin has read that was not loaded."""


class Recorder:
    """The names that one thread asks for.

    Attributes:
        before: The environment as it was before.
    """

    def __init__(self) -> None:
        self.before = dict(os.environ)
        self._names: set[str] = set()

    def note(self, name: str | bytes) -> None:
        """Note a name."""
        self._names.add(os.fsdecode(name))

    @property
    def reads(self) -> EnvironmentReads:
        """What was read."""
        return EnvironmentReads.of(self._names, self.before)


_recorders: dict[int, Recorder] = {}
"""Recorders by thread: what other threads read meanwhile is not the plugin's."""

_lock = threading.Lock()

_environs: tuple[Any, ...] = (os.environ, *filter(None, [getattr(os, "environb", None)]))
_plain: Any = type(os.environ)


class _Recording(_plain):  # type: ignore[misc]  # a class of the standard library without a name
    """`os.environ`, which notes what is read."""

    def __getitem__(self, key: Any) -> Any:
        recorder = _recorders.get(threading.get_ident())
        if recorder is not None and isinstance(key, str | bytes):
            recorder.note(key)
        return super().__getitem__(key)

    def __iter__(self) -> Iterator[Any]:
        recorder = _recorders.get(threading.get_ident())
        if recorder is not None:
            recorder.note(EVERYTHING)
        names: Iterator[Any] = super().__iter__()
        return names


@contextlib.contextmanager
def recorded_reads() -> Iterator[Recorder]:
    """Note what this thread reads of the environment.

    Where `os.environ` was replaced by something else, everything counts as read.
    """
    recorder = Recorder()
    thread = threading.get_ident()
    with _lock:
        _recorders[thread] = recorder
        if not _set_class(_Recording):
            recorder.note(EVERYTHING)
    try:
        yield recorder
    finally:
        with _lock:
            del _recorders[thread]
            if not _recorders:
                _set_class(_plain)


def _set_class(kind: Any) -> bool:
    """Let the environment have a class, and tell whether it could."""
    try:
        for environ in _environs:
            environ.__class__ = kind
    except TypeError:
        return False
    return os.environ is _environs[0]
