"""Output: tables for people, JSON for programs, both on stdout; logs on stderr."""

from __future__ import annotations

import json
import logging
import shutil
import sys
from collections.abc import Sequence
from typing import Any

import click


def print_json(value: Any) -> None:
    """Print one JSON document."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def dumped(model: Any) -> Any:
    """A protocol record as the wire spells it."""
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


def print_table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table; the last column is cut at the terminal's width, never in a pipe."""
    cells = [[str(cell) for cell in row] for row in rows]
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


def set_up_logging(level: str) -> None:
    """Write log records to stderr, from this level on; chatty libraries one level later."""
    logging.basicConfig(
        level=level.upper(),
        format="%(asctime)s %(levelname)-7s %(name)s: %(message)s",
        datefmt="%H:%M:%S",
        stream=sys.stderr,
        force=True,
    )
    if level != "debug":
        for name in ("mcp", "uvicorn", "httpx2", "httpcore2", "websockets", "asyncio"):
            logging.getLogger(name).setLevel(logging.WARNING)
