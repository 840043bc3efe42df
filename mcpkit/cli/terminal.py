"""Tables and paragraphs as a terminal shows them, by rich; imported when one is printed there.

Texts are escaped already; markup and emoji codes of rich mean nothing in them.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text


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


def _lines(renderable: Any, width: int, colour: bool) -> list[str]:
    drawn = io.StringIO()
    Console(
        file=drawn,
        width=width,
        force_terminal=True,
        color_system="standard" if colour else None,
        legacy_windows=False,
    ).print(renderable)
    return [line.rstrip() for line in drawn.getvalue().splitlines()]
