"""Run the benchmarks: `python -m benchmarks.run [--rounds N] [--only NAME …] [--no-report]`."""

import argparse
import sys
from collections.abc import Callable

from benchmarks import http, imports, memory, report, sessions, stdio
from benchmarks.environment import prepare
from benchmarks.measuring import Table

BENCHMARKS: dict[str, Callable[[int], list[Table]]] = {
    "cold-start": stdio.measure_cold_starts,
    "imports": imports.measure_imports,
    "http-calls": http.measure_calls,
    "http-lists": http.measure_lists,
    "stdio-calls": stdio.measure_calls,
    "memory": memory.measure_memory,
    "sessions": sessions.measure_sessions,
}


def main() -> None:
    """Measure, print, and write the report when everything was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each contestant")
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, help="only these")
    options = parser.parse_args()
    prepare()
    tables: list[Table] = []
    for name in options.only or BENCHMARKS:
        sys.stderr.write(f"{name} ")
        for table in BENCHMARKS[name](options.rounds):
            tables.append(table)
            print(f"\n{table.title} ({table.unit})")
            for figure in table.figures:
                ratio = table.ratio(figure)
                print(f"  {figure.contestant:55} {figure.median:10,.0f} {ratio:6.2f}")
    if options.only is None:
        report.write(tables)


if __name__ == "__main__":
    main()
