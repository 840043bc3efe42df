"""Handlers: run a plugin's function so that nothing it does goes further than its own call.

Sync functions run in the plugin's own threads. Whatever a function raises, `sys.exit` included,
comes out as what it raised, through whatever the SDK wraps around it.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextvars import ContextVar
from typing import Any

from mcp.server.mcpserver.exceptions import ToolError as SDKToolError
from mcp.shared.exceptions import MCPError
from pydantic import ValidationError

from mcpkit.core.components import Handler
from mcpkit.core.containment import contain
from mcpkit.core.errors import (
    ArgumentsError,
    HandlerError,
    ToolError,
)
from mcpkit.core.suggestions import did_you_mean, shortened
from mcpkit.core.threads import WorkerThreads
from mcpkit.core.wording import Problem, describe_errors

body_begins: ContextVar[Callable[[], Awaitable[None]] | None] = ContextVar(
    "body_begins", default=None
)
"""Told when a plugin's own code begins: arguments were checked and questions answered."""


UNRESOLVED = re.compile(
    r"Resolver for parameter '(?P<parameter>.*)' could not resolve: "
    r"elicitation was (?P<action>decline|cancel)"
)
"""The SDK's words for a question that was declined or cancelled."""

MISFIT = re.compile(r"Resolver '[^']*'(:| received) .*", re.DOTALL)
"""The SDK's words for an answer of the wrong shape."""

OUTCOMES = {
    "decline": "declined to answer the question about",
    "cancel": "dismissed the question about",
}

PROBLEMS = 10
"""Most problems with arguments that one error tells."""


class _Raised(Exception):  # noqa: N818  # an envelope, not an error of its own
    """Carries what a function raised through the SDK, apart from what the SDK itself raises."""

    def __init__(self, error: Exception) -> None:
        super().__init__(type(error).__name__)
        self.error = error


def guarded(handler: Handler, threads: WorkerThreads) -> Callable[..., Awaitable[Any]]:
    """Wrap a function, keeping its signature: async, and raising envelopes only.

    Args:
        handler: A sync or async function.
        threads: Where it runs when it is sync.
    """
    function = _function(handler)
    is_async = inspect.iscoroutinefunction(function)

    @functools.wraps(function)
    async def run(*args: Any, **kwargs: Any) -> Any:
        begins = body_begins.get()
        if begins is not None:
            await begins()
        work = functools.partial(function, *args, **kwargs)
        try:
            if is_async:
                return await contain(work, is_inner=True)
            return await contain(threads.run, work, is_inner=True)
        except MCPError:
            raise  # a protocol error on purpose
        except Exception as exc:  # plugin code: anything may come
            raise _Raised(exc) from exc

    return run


def _function(handler: Any) -> Any:
    """The function of a handler, which may be an object with `__call__`."""
    return handler if inspect.isroutine(handler) else handler.__call__


async def unwrapped(running: Awaitable[Any]) -> Any:
    """Wait for what the SDK runs, and raise what the function itself raised.

    Raises:
        ArgumentsError: The arguments do not fit the function's signature.
        Exception: What the function raised, with its own traceback.
    """
    try:
        return await running
    except Exception as exc:  # noqa: BLE001  # the SDK's wrappers of what the function raised
        error = _original(exc)
    raise error


def _original(error: Exception) -> Exception:
    """Find what a function raised under what the SDK wrapped around it.

    Returns:
        The function's own exception, or that of a function behind `Resolve`; a `ToolError` when a
        question was not answered; an `ArgumentsError` when the arguments did not fit its
        signature; else the error itself.
    """
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, _Raised):
            return link.error
        if isinstance(link, HandlerError):
            return link
        if isinstance(link, SDKToolError) and (unanswered := _unanswered(str(link))):
            return ToolError(unanswered)
        if isinstance(link, ValidationError):
            return arguments_error(link)
        link = link.__cause__
    return error


def _unanswered(text: str) -> str | None:
    """What the model reads when a question of `Resolve` has no answer; None for other errors.

    The SDK tells it in words for the author of the tool, and in no type of its own.
    """
    found = UNRESOLVED.fullmatch(text)
    if found is not None:
        return f"The user {OUTCOMES[found['action']]} {found['parameter']!r}"
    if MISFIT.fullmatch(text):
        return "The answer to a question of this tool does not fit what was asked"
    return None


def arguments_error(error: ValidationError) -> ArgumentsError:
    """Tell a model what is wrong with the arguments of a call: the first problems, and how many."""
    problems = describe_errors(error, most=PROBLEMS)
    sentences = list(map(_sentence, problems))
    if (more := error.error_count() - PROBLEMS) > 0 and len(problems) > 1:
        sentences.append(f"and {more} more")
    return ArgumentsError("; ".join(sentences))


def _sentence(problem: Problem) -> str:
    path = shortened(".".join(map(str, problem.path)))
    return f"{path} {problem.message}" if path else problem.message


def refuse_unknown(arguments: Mapping[str, Any], known: Collection[str]) -> None:
    """Refuse arguments that the handler does not take, naming the nearest it does.

    Raises:
        ArgumentsError: At least one argument is unknown.
    """
    for name in arguments:
        if name not in known:
            takes = ", ".join(sorted(known)) or "no arguments"
            raise ArgumentsError(
                f"{shortened(name)} is not known"
                f"{did_you_mean(name, known) or f'; it takes {takes}'}"
            )


def description(given: str | None, handler: Handler) -> str:
    """Tell what a component is for: what its plugin passed, else the function's docstring."""
    return inspect.cleandoc(given or handler.__doc__ or "")
