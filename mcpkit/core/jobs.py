"""Jobs: plugin code that may never return, each run in a daemon thread of its own.

In comes a function; out comes a future, for which the start (synchronously) or the event loop waits
as long as the code may take. What does not return in time is abandoned: a daemon thread keeps
neither the process alive nor a thread that somebody else waits for.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Callable
from concurrent import futures
from typing import TypeVar

import anyio

from mcpkit.core.watchdog import JOBS

ResultT = TypeVar("ResultT")

Job = futures.Future
"""The outcome of a job; its error may be anything, `SystemExit` and `KeyboardInterrupt` included.
These can only be the plugin's own: signals reach the main thread alone."""


def start(function: Callable[[], ResultT], name: str) -> Job[ResultT]:
    """Run a function in a daemon thread.

    Args:
        function: Plugin code, bound to its arguments.
        name: For the thread, so that whoever looks at a stuck process knows it.

    Raises:
        RuntimeError: The system gives no further thread.
    """
    job: Job[ResultT] = Job()
    context = contextvars.copy_context()

    def run() -> None:
        try:
            result = context.run(function)
        except BaseException as exc:  # noqa: BLE001  # plugin code: anything may come
            job.set_exception(exc)
        else:
            job.set_result(result)

    threading.Thread(target=run, name=f"{JOBS} {name}", daemon=True).start()
    return job


def wait(job: Job[ResultT], seconds: float) -> bool:
    """Wait for a job in this thread, and tell whether it is done."""
    return bool(futures.wait([job], timeout=max(seconds, 0)).done)


async def wait_async(job: Job[ResultT], seconds: float) -> bool:
    """Wait for a job on the event loop, and tell whether it is done."""
    loop, done = asyncio.get_running_loop(), anyio.Event()

    def tell(job: Job[ResultT]) -> None:
        with contextlib.suppress(RuntimeError):  # the event loop has ended meanwhile
            loop.call_soon_threadsafe(done.set)

    job.add_done_callback(tell)
    with anyio.move_on_after(seconds):
        await done.wait()
    return job.done()
