"""Locations of failures: the line of a plugin's own code from which an exception came."""

from __future__ import annotations

from types import TracebackType

DEEPEST = 20
"""Most causes of causes that are looked at."""


def locate(error: BaseException | None, module: str) -> tuple[str, int] | None:
    """File and line of a plugin's code that raised, or called what raised.

    Args:
        error: The exception; the deepest of its causes that has such a line counts.
        module: A module of the plugin; the code of its whole top-level package counts.
    """
    package = module.partition(".")[0].strip()
    found = None
    for _ in range(DEEPEST):
        if error is None:
            break
        found = _place(error, package) or found
        error = error.__cause__
    return found


def _place(error: BaseException, package: str) -> tuple[str, int] | None:
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        return error.filename, error.lineno
    return _last_line(error.__traceback__, package)


def _last_line(traceback: TracebackType | None, package: str) -> tuple[str, int] | None:
    found = None
    while traceback is not None:
        frame = traceback.tb_frame
        if str(frame.f_globals.get("__name__")).partition(".")[0] == package:
            found = frame.f_code.co_filename, traceback.tb_lineno
        traceback = traceback.tb_next
    return found
