"""Output: tables for people, JSON for programs, both on stdout; logs on stderr.

Names and texts of plugins and other servers are escaped before they are printed.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from typing import Any

import click

from mcpkit.core.escaping import escape_json, escape_line, escape_text


def print_json(value: Any) -> None:
    """Print one JSON document."""
    click.echo(escape_json(json.dumps(value, indent=2, ensure_ascii=False, default=str)))


def print_line(text: str, *, err: bool = False) -> None:
    """Print one line with words of a plugin or another server."""
    click.echo(escape_line(text), err=err)


def print_text(text: str, *, err: bool = False) -> None:
    """Print what a plugin or another server says; it may have several lines."""
    click.echo(escape_text(text), err=err)


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
    limit = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    click.echo(click.style(_line([header.upper() for header in headers], widths, limit), bold=True))
    for row in cells:
        click.echo(_line(row, widths, limit))


def _line(cells: Sequence[str], widths: Sequence[int], limit: int | None) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
    line = "  ".join(padded).rstrip()
    return line if limit is None or len(line) <= limit else f"{line[: limit - 1]}…"


def first_sentence(text: str | None) -> str:
    """The first line of a description, for a table."""
    lines = (text or "").strip().splitlines()
    return lines[0] if lines else ""
