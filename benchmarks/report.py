"""The report: goals, figures as tables in Markdown, and a plot, written to `docs/`."""

import json
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.environment import PEERS, ROOT, python
from benchmarks.goals import goals_table
from benchmarks.measuring import Figure, Table, cores

DOCS = ROOT / "docs"
PLOT = "benchmarks.svg"

HEAD = """# Benchmarks

How mcpkit compares, measured by `make bench` on {date}: {cores} cores, Python {python}, {system}.
All contestants of a table took turns in one run; figures are medians, and the ratio is to the
reference in bold. The machine is noisy: read ratios, not figures.
Peers: {peers}.
"""

PLOTTED = """
## Ratios

![Ratios to the reference of each table](benchmarks.svg)
"""


def write(tables: Sequence[Table], folder: Path = DOCS) -> None:
    """Write page and plot."""
    head = HEAD.format(
        date=datetime.now(UTC).date(),
        cores=len(cores()),
        python=platform.python_version(),
        system=platform.system(),
        peers=", ".join(PEERS),
    )
    parts = [head, goals_table(tables), PLOTTED.lstrip(), *map(_table, tables)]
    _plot(tables, folder / PLOT)
    (folder / "benchmarks.md").write_text("\n".join(parts), "utf-8")


def printed(table: Table) -> str:
    """A table for the terminal."""
    lines = [f"{table.title} ({table.unit})"]
    for number, figure in enumerate(table.figures):
        cells = _cells(table, number, figure)
        lines.append(f"  {figure.contestant:62}" + "".join(f"{cell:>10}" for cell in cells))
    return "\n".join(lines)


def shown(value: float) -> str:
    """A figure with three digits that mean something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def ratio(value: float) -> str:
    """A ratio with two digits that mean something."""
    return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


def _table(table: Table) -> str:
    better = "more" if table.higher_is_better else "less"
    columns = ["contestant", f"{table.unit} ({better} is better)", "ratio"]
    if table.cpu:
        columns += ["CPU µs per request", "ratio"]
    lines = [f"## {table.title}", "", _row(columns), "|---" * len(columns) + "|"]
    for number, figure in enumerate(table.figures):
        name = figure.contestant
        named = f"**{name}**" if name == table.reference else name
        lines.append(_row([named, *_cells(table, number, figure)]))
    lines += ["", *table.notes, ""] if table.notes else [""]
    return "\n".join(lines)


def _cells(table: Table, number: int, figure: Figure) -> list[str]:
    cells = [shown(figure.median), ratio(table.ratio(figure))]
    if table.cpu:
        cpu = table.cpu[number]
        cells += [shown(cpu.median), ratio(table.cpu_ratio(cpu))]
    return cells


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _plot(tables: Sequence[Table], path: Path) -> None:
    """Let the environment of the benchmarks draw: it has matplotlib."""
    data = [
        {
            "title": table.title.replace("`", ""),
            "better": "more" if table.higher_is_better else "less",
            "reference": table.reference.replace("`", ""),
            "bars": [
                [
                    figure.contestant.replace("`", ""),
                    table.ratio(figure),
                    ratio(table.ratio(figure)),
                ]
                for figure in table.figures
            ],
        }
        for table in tables
    ]
    script = Path(__file__).with_name("plot.py")
    subprocess.run([python(), str(script), str(path)], input=json.dumps(data).encode(), check=True)
