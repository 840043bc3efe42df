"""Containment: what plugin code raises ends its own call, never the server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from anyio import get_cancelled_exc_class
from anyio.lowlevel import checkpoint_if_cancelled

from mcpkit.core.errors import HandlerExitedError, reason_of


async def contain(
    function: Callable[..., Awaitable[Any]], *args: Any, is_inner: bool = False
) -> Any:
    """Run an async function of a plugin, so that it can raise nothing but an `Exception`.

    Args:
        function: The function.
        args: Its arguments.
        is_inner: Whether another `contain` runs around this one in the same task. A cancellation
            by asyncio's own means then goes on to it: `asyncio.timeout` in a middleware needs it.

    Raises:
        Exception: What the function raised.
        HandlerExitedError: It called `sys.exit`, raised `KeyboardInterrupt` or the like, or
            cancelled itself.
    """
    try:
        return await function(*args)
    except (Exception, GeneratorExit):  # GeneratorExit: nobody waits for the result any more
        raise
    except BaseException as exc:  # plugin code: sys.exit ends the call, not the server
        await checkpoint_if_cancelled()  # a cancellation by the client or a time limit goes on
        if isinstance(exc, get_cancelled_exc_class()):
            if is_inner and _is_cancelling():
                raise
            raise HandlerExitedError("It was cancelled from within") from exc
        raise HandlerExitedError(f"It raised {reason_of(exc)}") from exc


def _is_cancelling() -> bool:
    """Whether somebody called `cancel` of the asyncio task."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
