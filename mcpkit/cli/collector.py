"""The garbage collector, out of the way of a start."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused_collector() -> Iterator[None]:
    """Import and build without collecting: nearly all of it lives as long as the process.

    What is there at the end is never looked at again (`gc.freeze`), which makes later collections
    cheaper as well.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()
