"""Watch of calls: names the handler that blocks the event loop, and with it everybody else.

A thread asks the event loop for a sign of life while requests are in flight. Where none comes, the
stack of the event loop's thread tells whose code is running, so that calls themselves cost nothing.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from mcpkit.core.calls import Caller
from mcpkit.core.contributions import Call
from mcpkit.core.logs import about
from mcpkit.core.loop_watch import place_of
from mcpkit.core.plan import PATIENCE
from mcpkit.core.suggestions import quoted
from mcpkit.core.watchdog import MACHINERY

logger = logging.getLogger(__name__)

INTERVAL = 1.0
"""Seconds between two looks."""


@contextmanager
def watched_calls(in_flight: Callable[[], int]) -> Iterator[None]:
    """Watch the calls that run on the event loop of this thread.

    Args:
        in_flight: Number of requests that are being answered.
    """
    watch = _CallWatch(asyncio.get_running_loop(), in_flight)
    threading.Thread(target=watch.run, name="mcpkit-call-watch", daemon=True).start()
    try:
        yield
    finally:
        watch.ended.set()


class _CallWatch:
    def __init__(self, loop: asyncio.AbstractEventLoop, in_flight: Callable[[], int]) -> None:
        self.ended = threading.Event()
        self._loop = loop
        self._thread = threading.get_ident()
        self._in_flight = in_flight
        self._told: set[tuple[str, str]] = set()

    def run(self) -> None:
        """Look until the end."""
        while not self.ended.wait(INTERVAL):
            if not self._in_flight():
                continue
            alive = threading.Event()
            try:
                self._loop.call_soon_threadsafe(alive.set)
            except RuntimeError:
                return  # it is closed
            if not alive.wait(PATIENCE):
                self._tell(alive)
                while not alive.wait(INTERVAL) and not self.ended.is_set():
                    pass

    def _tell(self, alive: threading.Event) -> None:
        """Tell once of each place in the code of a plugin that blocks the event loop."""
        call, frame = _running(sys._current_frames().get(self._thread))  # noqa: SLF001  # documented
        if call is None or frame is None or alive.is_set():
            return
        place = place_of(frame)
        if (call.plugin, place) in self._told:
            return
        self._told.add((call.plugin, place))
        logger.warning(
            "Plugin %r: %s %s blocks the event loop, at %s: nobody else is answered meanwhile. "
            "Await what it waits for, or write it as a plain function, which runs in a thread",
            call.plugin,
            call.kind,
            quoted(call.name),
            place,
            extra=about(plugin=call.plugin, kind=call.kind, name=call.name),
        )


def _running(frame: FrameType | None) -> tuple[Call | None, FrameType | None]:
    """The call in whose code a thread is, and the frame of its handler or of middleware."""
    found: FrameType | None = None
    is_left = False
    while frame is not None:
        if frame.f_code is Caller.run.__code__:
            call = frame.f_locals.get("call")
            return (call if isinstance(call, Call) else None), found
        package = str(frame.f_globals.get("__name__")).partition(".")[0]
        if package in MACHINERY:
            is_left = found is not None  # what is below only waits, as middleware does
        elif not is_left and package not in sys.stdlib_module_names:
            found = frame
        frame = frame.f_back
    return None, None
