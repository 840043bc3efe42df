"""The garbage collector, out of the way of a start."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

YOUNG = 10_000
"""New objects after which the collector looks at them; Python's own 700 is met many times over by
one long list, all of which is kept."""


@contextmanager
def paused_collector() -> Iterator[None]:
    """Import and build without collecting: nearly all of it lives as long as the process.

    What is there at the end is never looked at again (`gc.freeze`), which makes later collections
    cheaper as well; from then on they are rarer.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()
