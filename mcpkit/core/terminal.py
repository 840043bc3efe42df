"""Tables, paragraphs and bars as a terminal shows them, by rich; imported when there is one.

Texts are escaped already; markup and emoji codes of rich mean nothing in them.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, TextIO

from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Table
from rich.text import Text

from mcpkit.core.escaping import escape_line


def table(
    titles: Sequence[str], rows: Sequence[Sequence[str]], *, width: int, colour: bool
) -> list[str]:
    """The lines of a table; names in the first column stay whole where they can."""
    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    cells = [[Text(cell) for cell in row] for row in rows]
    first = max((row[0].cell_len for row in cells), default=0)
    for column, title in enumerate(titles):
        is_name = column == 0 and first <= width // 2
        drawn.add_column(Text(title), overflow="fold", no_wrap=is_name)
    for row in cells:
        drawn.add_row(*row)
    return _lines(drawn, width, colour)


def wrapped(text: str, *, indent: int, width: int, colour: bool) -> list[str]:
    """The lines of an indented paragraph."""
    return _lines(Padding(Text(text), (0, 0, 0, indent), expand=False), width, colour)


def bar(label: str, done: int, total: int, *, width: int, colour: bool) -> str:
    """One line that shows how far some work has come."""
    drawn = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        console=_console(io.StringIO(), width, colour),
        auto_refresh=False,
    )
    drawn.add_task(escape_line(label), total=total, completed=done)
    return _lines(drawn.get_renderable(), width, colour)[0]


def _lines(renderable: Any, width: int, colour: bool) -> list[str]:
    drawn = io.StringIO()
    _console(drawn, width, colour).print(renderable)
    return [line.rstrip() for line in drawn.getvalue().splitlines()]


def _console(file: TextIO, width: int, colour: bool) -> Console:
    return Console(
        file=file,
        width=width,
        force_terminal=True,
        color_system="standard" if colour else None,
        legacy_windows=False,
    )
