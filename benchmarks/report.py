"""The report: figures as a table in Markdown, and a plot, written to `docs/`."""

import json
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.environment import PEERS, ROOT, python
from benchmarks.measuring import Table, cores

PAGE = ROOT / "docs" / "benchmarks.md"
PLOT = ROOT / "docs" / "benchmarks.svg"

HEAD = """# Benchmarks

How mcpkit compares, measured by `make bench` on {date}: {cores} cores, Python {python}, {system}.
All contestants of a table took turns in one run; figures are medians, and the ratio is to the
reference in bold. The machine is noisy: read ratios, not figures.
Peers: {peers}.

![Ratios to the reference of each table](benchmarks.svg)
"""


def write(tables: Sequence[Table]) -> None:
    """Write page and plot."""
    head = HEAD.format(
        date=datetime.now(UTC).date(),
        cores=len(cores()),
        python=platform.python_version(),
        system=platform.system(),
        peers=", ".join(PEERS),
    )
    PAGE.write_text("\n".join([head, *map(_table, tables)]), "utf-8")
    _plot(tables, PLOT)


def _table(table: Table) -> str:
    better = "more" if table.higher_is_better else "less"
    lines = [
        f"## {table.title}",
        "",
        f"| contestant | {table.unit} ({better} is better) | ratio |",
        "|---|---|---|",
    ]
    for figure in table.figures:
        name = figure.contestant
        shown = f"**{name}**" if name == table.reference else name
        lines.append(f"| {shown} | {figure.median:,.0f} | {table.ratio(figure):.2f} |")
    lines += ["", *table.notes, ""] if table.notes else [""]
    return "\n".join(lines)


def _plot(tables: Sequence[Table], path: Path) -> None:
    """Let the environment of the benchmarks draw: it has matplotlib."""
    data = [
        {
            "title": f"{table.title}: ratio to {table.reference}",
            "bars": [[figure.contestant, table.ratio(figure)] for figure in table.figures],
        }
        for table in tables
    ]
    script = Path(__file__).with_name("plot.py")
    subprocess.run([python(), str(script), str(path)], input=json.dumps(data).encode(), check=True)
