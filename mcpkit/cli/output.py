"""Output: tables for people, JSON for programs, both on stdout; logs on stderr.

Names and texts of plugins and other servers are escaped before they are printed.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Sequence
from typing import Any, TextIO

import click

from mcpkit.core.descriptors import STDOUT, release, reserve
from mcpkit.core.escaping import escape_json, escape_line, escape_text

_data: TextIO | None = None
_replaced: TextIO | None = None


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


def print_json(value: Any) -> None:
    """Print one JSON document."""
    document = escape_json(json.dumps(value, indent=2, ensure_ascii=False, default=str))
    click.echo(document, file=data_stream())


def print_line(text: str, *, label: str = "", err: bool = False) -> None:
    """Print one line with words of a plugin, a file or another server.

    Args:
        text: That is escaped.
        label: What stands before it, with its style.
        err: Whether it goes to standard error.
    """
    line = f"{label} {escape_line(text)}".rstrip() if label else escape_line(text)
    click.echo(line, file=None if err else data_stream(), err=err)


def print_text(text: str, *, err: bool = False) -> None:
    """Print what a plugin or another server says; it may have several lines."""
    click.echo(escape_text(text), file=None if err else data_stream(), err=err)


def dumped(model: Any) -> Any:
    """A protocol record as the wire spells it."""
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


def print_table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table; the last column is cut at the terminal's width, never in a pipe."""
    cells = [[escape_line(str(cell)) for cell in row] for row in rows]
    widths = [
        max([len(header), *(len(row[column]) for row in cells)])
        for column, header in enumerate(headers)
    ]
    stream = data_stream()
    limit = _columns(stream) if stream.isatty() else None
    heading = _line([header.upper() for header in headers], widths, limit)
    click.echo(click.style(heading, bold=True), file=stream)
    for row in cells:
        click.echo(_line(row, widths, limit), file=stream)


def _columns(terminal: TextIO) -> int:
    with contextlib.suppress(ValueError, OSError):
        return int(os.environ.get("COLUMNS") or os.get_terminal_size(terminal.fileno()).columns)
    return 80


def _line(cells: Sequence[str], widths: Sequence[int], limit: int | None) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
    line = "  ".join(padded).rstrip()
    return line if limit is None or len(line) <= limit else f"{line[: limit - 1]}…"


def first_sentence(text: str | None) -> str:
    """The first line of a description, for a table."""
    lines = (text or "").strip().splitlines()
    return lines[0] if lines else ""
