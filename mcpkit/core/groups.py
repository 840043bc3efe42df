"""Exception groups: the one error in them, when there is only one.

Task groups wrap whatever passes through them; who wrote a test or a command wants the error itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


def leaves(error: BaseException) -> Iterator[BaseException]:
    """List the errors in a group, however deep; an error that is no group is its own leaf."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from leaves(inner)
    else:
        yield error


@contextmanager
def ungrouped(kind: type[BaseException] = BaseException) -> Iterator[None]:
    """Raise the error itself instead of a group that holds it.

    Args:
        kind: Raise the first error of this kind; for any kind, only if it is the only one.
    """
    try:
        yield
    except BaseExceptionGroup as group:
        found = [error for error in leaves(group) if isinstance(error, kind)]
        if not found or (kind is BaseException and len(found) > 1):
            raise
        found[0].__suppress_context__ = True
        raise found[0]  # noqa: B904  # the group around it adds nothing
