"""Draw the ratios of every table: JSON on standard input, the path of an image as argument.

One panel for each table, all on the same logarithmic axis: bars go from the reference, at 1, to
what a contestant reached. The background is painted, so that dark pages show it as light ones do.
"""

import json
import sys
from typing import Any

import matplotlib as mpl

mpl.use("svg")
mpl.rcParams |= {
    "svg.hashsalt": "mcpkit",
    "svg.fonttype": "none",
    "font.family": ["DejaVu Sans", "sans-serif"],
    "font.size": 8,
}

import matplotlib.pyplot as plt  # noqa: E402  # after the backend was chosen

COLUMNS = 2
MARGIN, NAMES, BARS, GAP = 0.25, 3.5, 2.9, 0.35
"""Inches: around all, for names, for bars, and between columns."""

HEAD, LINE, FOOT = 0.5, 0.2, 0.4
"""Inches of a panel: for its title, for each bar, and for its axis."""

LEAST, MOST = 0.05, 20
"""Bars of ratios beyond these end here; their label tells."""

OURS, OTHERS, INK, FAINT, GRID, PAPER = (
    "#1f6f9f",
    "#b4b9bd",
    "#24292f",
    "#57606a",
    "#e4e7ea",
    "#ffffff",
)
TICKS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20)


def draw(axis: Any, table: dict[str, Any]) -> None:
    """Draw one table."""
    axis.set_xscale("log")
    axis.set_xlim(LEAST * 0.2, MOST * 3)  # room for labels
    for number, (name, ratio, label) in enumerate(table["bars"]):
        end = min(max(ratio, LEAST), MOST)
        colour = OURS if name.startswith("mcpkit") else OTHERS
        axis.barh(number, end - 1, left=1, height=0.7, color=colour)
        side, offset = ("left", 4) if end >= 1 else ("right", -4)
        axis.annotate(
            label, (end, number), (offset, 0), textcoords="offset points", ha=side, va="center"
        )
    axis.axvline(1, color=INK, linewidth=1)
    axis.set_yticks(range(len(table["bars"])), [name for name, _, _ in table["bars"]])
    axis.set_ylim(len(table["bars"]) - 0.5, -0.5)
    axis.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS], color=FAINT, fontsize=7)
    axis.minorticks_off()
    axis.tick_params(length=0)
    axis.grid(axis="x", color=GRID, linewidth=0.6)
    axis.set_axisbelow(True)
    axis.spines[:].set_visible(False)


def entitle(axis: Any, table: dict[str, Any]) -> None:
    """Say above a panel what it shows, from where the names begin."""
    arrow = "more is better →" if table["better"] == "more" else "← less is better"
    left = -NAMES / BARS
    for text, up, style in (
        (table["title"], 20, {"weight": "bold", "color": INK, "fontsize": 8.5}),
        (f"1 is {table['reference']}; {arrow}", 7, {"color": FAINT}),
    ):
        axis.annotate(
            text, (left, 1), (0, up), xycoords="axes fraction", textcoords="offset points", **style
        )


def main() -> None:
    """Draw all tables, two beside each other."""
    tables = json.load(sys.stdin)
    rows = [tables[start : start + COLUMNS] for start in range(0, len(tables), COLUMNS)]
    bars = [max(len(table["bars"]) for table in row) for row in rows]
    width = 2 * MARGIN + COLUMNS * (NAMES + BARS) + (COLUMNS - 1) * GAP
    height = 2 * MARGIN + sum(HEAD + LINE * count + FOOT for count in bars)
    figure = plt.figure(figsize=(width, height), facecolor=PAPER)
    top = height - MARGIN
    for row, count in zip(rows, bars, strict=True):
        for column, table in enumerate(row):
            left = MARGIN + column * (NAMES + BARS + GAP) + NAMES
            own = LINE * len(table["bars"])
            box = (left / width, (top - HEAD - own) / height, BARS / width, own / height)
            axis = figure.add_axes(box)
            draw(axis, table)
            entitle(axis, table)
        top -= HEAD + LINE * count + FOOT
    metadata = {"Date": None} if sys.argv[1].endswith(".svg") else None
    figure.savefig(sys.argv[1], facecolor=PAPER, metadata=metadata)


main()
