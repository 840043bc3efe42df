"""Output: tables for people, JSON for programs, both on stdout; logs on stderr.

Names and texts of plugins and other servers are escaped before they are printed.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TextIO

import click

from mcpkit.core.colours import wanted_colour
from mcpkit.core.descriptors import STDOUT, release, reserve
from mcpkit.core.escaping import escape_json, escape_line, escape_text

NARROWEST = 20
"""Fewest columns of a table: some terminals say that they have none."""

_data: TextIO | None = None
_replaced: TextIO | None = None


class OutputClosedError(Exception):
    """Nobody reads the output any more; click takes a `BrokenPipeError` for a failure.

    Attributes:
        code: Exit code of the command, as far as it is known.
    """

    code = 0


@contextlib.contextmanager
def ending_with(code: int) -> Iterator[None]:
    """Print something; the exit code is known, whether anybody reads it or not."""
    try:
        yield
    except OutputClosedError as exc:
        exc.code = code
        raise


@contextlib.contextmanager
def writing() -> Iterator[None]:
    """Write to a stream, which its reader may have closed.

    Raises:
        OutputClosedError: It has.
    """
    try:
        yield
    except BrokenPipeError as exc:
        raise OutputClosedError from exc


def _echo(text: str, *, err: bool = False, **options: Any) -> None:
    if err:
        with contextlib.suppress(BrokenPipeError):  # the outcome is told by the exit code, too
            click.echo(text, err=True, **options)
        return
    with writing():
        click.echo(text, **options)


def reserve_stdout() -> None:
    """Keep standard output for data: from now on plugins see standard error in its place."""
    global _data, _replaced  # noqa: PLW0603  # descriptors belong to the whole process, too
    descriptor, stdout = reserve(STDOUT), sys.__stdout__
    if _data is not None or sys.stdout is None:
        return
    _data = _replaced = sys.stdout
    if stdout is not None and sys.stdout is stdout:  # else it is captured, as tests do
        _data = open(  # noqa: SIM115
            descriptor, "w", encoding=stdout.encoding, errors=stdout.errors, closefd=False
        )
    sys.stdout = sys.stderr


def release_stdout() -> None:
    """Give standard output back."""
    global _data, _replaced  # noqa: PLW0603
    flush()
    if _replaced is not None:
        sys.stdout = _replaced
    _data = _replaced = None
    release(STDOUT)


def data_stream() -> TextIO:
    """Where data is printed: the real standard output."""
    return _data or sys.stdout


def flush() -> None:
    """Write what is kept back; to nowhere, if nobody reads it any more."""
    for stream in (_data, sys.stdout, sys.stderr):
        if stream is None or stream.closed:
            continue
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def styled(text: str, *, colour: str | None = None) -> str:
    """A label in bold, and in a colour."""
    return text if wanted_colour() is False else click.style(text, fg=colour, bold=True)


def print_json(value: Any, *, err: bool = False) -> None:
    """Print one JSON document; on standard error, beside the log, in a single line."""
    indent = None if err else 2
    document = escape_json(json.dumps(value, indent=indent, ensure_ascii=False, default=str))
    _echo(document, file=None if err else data_stream(), err=err)


def print_line(text: str, *, label: str = "", err: bool = False) -> None:
    """Print one line with words of a plugin, a file or another server.

    Args:
        text: That is escaped.
        label: What stands before it, with its style.
        err: Whether it goes to standard error.
    """
    line = f"{label} {escape_line(text)}".rstrip() if label else escape_line(text)
    _echo(line, file=None if err else data_stream(), err=err, color=wanted_colour())


def print_text(text: str, *, err: bool = False) -> None:
    """Print what a plugin or another server says; it may have several lines."""
    _echo(escape_text(text), file=None if err else data_stream(), err=err, color=wanted_colour())


def dumped(model: Any) -> Any:
    """A protocol record as the wire spells it."""
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


def print_table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; cells are wrapped at the width of a terminal, and never in a pipe."""
    titles = [header.upper() for header in headers]
    cells = [[escape_line(str(cell)) for cell in row] for row in rows]
    if data_stream().isatty():
        from mcpkit.core.terminal import table

        _print_lines(table(titles, cells, **_look()))
        return
    widths = [max(map(len, column)) for column in zip(titles, *cells, strict=True)]
    heading, *lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in [titles, *cells]]
    _print_lines([styled(heading), *lines])


def print_notes(title: str, notes: Mapping[str, str | None]) -> None:
    """Print a title and notes below it, indented and wrapped at the width of a terminal.

    Args:
        title: What the notes are about, with words of others.
        notes: Label to text, which may be a plugin's; without the text, the note is left out.
    """
    lines = [f"{label}: {text}" if label else text for label, text in notes.items() if text]
    lines = [escape_line(line) for line in lines]
    _print_lines([styled(escape_line(title))])
    if data_stream().isatty():
        from mcpkit.core.terminal import wrapped

        _print_lines(line for text in lines for line in wrapped(text, indent=2, **_look()))
    else:
        _print_lines(f"  {line}" for line in lines)


def _print_lines(lines: Iterable[str]) -> None:
    for line in lines:
        _echo(line, file=data_stream(), color=wanted_colour())


def _look() -> dict[str, Any]:
    """Columns and colours of the terminal."""
    columns = 80
    with contextlib.suppress(ValueError, OSError):
        found = os.environ.get("COLUMNS") or os.get_terminal_size(data_stream().fileno()).columns
        columns = int(found)
    return {"width": max(columns, NARROWEST), "colour": wanted_colour() is not False}


def first_sentence(text: str | None) -> str:
    """The first line of a description, for a table."""
    lines = (text or "").strip().splitlines()
    return lines[0] if lines else ""
