"""The goals: what was measured beside what mcpkit wants to reach."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.environment import Scenario
from benchmarks.http import BEST, FASTMCP, OURS, SMALL, calls_title, lists_title
from benchmarks.measuring import Figure, Table, median_of
from benchmarks.requests import MODERN
from benchmarks.stdio import growth

COLD = "Cold start over stdio, spawn to `tools/list`"
REST = "Memory at rest, after `tools/list` over stdio"
LOWLEVEL = "SDK low-level server, 3 tools"
MANY = f"mcpkit, {Scenario(100, 500).name}"
CALLS = calls_title(MODERN, 16, SMALL)

Tables = Mapping[str, Table]
"""By title."""


@dataclass(frozen=True)
class Goal:
    """Something to reach.

    Attributes:
        text: What.
        bound: The figure to reach.
        dream: A figure to be proud of.
        measure: Finds the figure in the tables; None when it was not measured.
        unit: Of the figures.
        at_least: Whether they are to be reached from below.
    """

    text: str
    bound: float
    dream: float
    measure: Callable[[Tables], float | None]
    unit: str = "x"
    at_least: bool = False

    def row(self, tables: Tables) -> str | None:
        """Its row of the table; None when it was not measured."""
        figure = self.measure(tables)
        if figure is None:
            return None
        sign = "≥" if self.at_least else "≤"
        cells = (
            self.text,
            f"{sign} {self.bound:g} {self.unit}",
            f"{self.dream:g} {self.unit}",
            f"{figure:.{1 if self.unit == 'ms' else 2}f} {self.unit}",
            self._verdict(figure),
        )
        return f"| {' | '.join(cells)} |"

    def _verdict(self, figure: float) -> str:
        if self._reaches(figure, self.dream):
            return "yes, and the dream"
        return "yes" if self._reaches(figure, self.bound) else "no"

    def _reaches(self, figure: float, bound: float) -> bool:
        return figure >= bound if self.at_least else figure <= bound


def _of(title: str, one: str, other: str, *, cpu: bool = False) -> Callable[[Tables], float | None]:
    """The figure of one contestant, divided by that of another."""

    def ratio(tables: Tables) -> float | None:
        table = tables.get(title)
        if table is None:
            return None
        figures = table.cpu if cpu else table.figures
        return median_of(figures, one) / median_of(figures, other)

    return ratio


def _growth(tables: Tables) -> float | None:
    table = tables.get(COLD)
    return None if table is None else growth(table.figures)


def _shared(tables: Tables) -> float | None:
    """The best start through a server that runs already, if there is such a contestant."""
    table = tables.get(COLD)
    figures: Iterable[Figure] = table.figures if table else ()
    found = [figure.median for figure in figures if "--shared" in figure.contestant]
    return min(found) / median_of(table.figures, LOWLEVEL) if table and found else None


GOALS = (
    Goal(
        "Cold start with 100 plugins and 500 tools, to the SDK's low-level server with 3",
        1.1,
        0.8,
        _of(COLD, MANY, LOWLEVEL),
    ),
    Goal("The same through `--shared`, with a warm server", 0.2, 0.1, _shared),
    Goal("Growth of the cold start from 1 plugin to 100", 40, 15, _growth, unit="ms"),
    Goal(
        f"HTTP calls of {MODERN}, 16 connections, to the SDK in its best configuration",
        1,
        2,
        _of(CALLS, OURS.name, BEST.name),
        at_least=True,
    ),
    Goal(
        "The same, to FastMCP as shipped",
        4,
        8,
        _of(CALLS, OURS.name, FASTMCP.name),
        at_least=True,
    ),
    Goal(
        "`tools/list` over HTTP with 1,000 tools, to the SDK in its best configuration",
        5,
        20,
        _of(lists_title(1000), OURS.name, BEST.name),
        at_least=True,
    ),
    Goal(
        "Memory at rest with 100 plugins, to the SDK's low-level server with 3 tools",
        1.1,
        1.0,
        _of(REST, MANY, LOWLEVEL),
    ),
)


def goals_table(tables: Sequence[Table]) -> str:
    """The goals that were measured, as a table in Markdown."""
    by_title = {table.title: table for table in tables}
    rows = [row for goal in GOALS if (row := goal.row(by_title)) is not None]
    head = ["## Goals", "", "| | goal | dream | measured | reached |", "|---|---|---|---|---|"]
    return "\n".join([*head, *rows, "", *_remarks(by_title)])


def _remarks(tables: Tables) -> list[str]:
    """The rows of calls once more, by processor time."""
    ours_to_sdk = _of(CALLS, OURS.name, BEST.name, cpu=True)(tables)
    ours_to_fastmcp = _of(CALLS, OURS.name, FASTMCP.name, cpu=True)(tables)
    if ours_to_sdk is None or ours_to_fastmcp is None:
        return []
    told = (
        "By processor time, out of which the noise of the machine falls, the two rows of HTTP "
        f"calls would read {1 / ours_to_sdk:.2f} x and {1 / ours_to_fastmcp:.2f} x."
    )
    return [told, ""]
