"""Run the benchmarks: `python -m benchmarks.run [--rounds N] [--only NAME …] [--report FOLDER]`."""

import argparse
from collections.abc import Callable
from pathlib import Path

from benchmarks import http, imports, memory, report, sessions, stdio
from benchmarks.environment import prepare
from benchmarks.measuring import Table, progress

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
    parser.add_argument("--report", type=Path, help="write the report to this folder in any case")
    options = parser.parse_args()
    progress("preparing the environment in build/bench")
    prepare()
    tables: list[Table] = []
    names = options.only or list(BENCHMARKS)
    for number, name in enumerate(names, 1):
        progress(f"{name}, {number} of {len(names)}")
        for table in BENCHMARKS[name](options.rounds):
            tables.append(table)
            print(f"\n{report.printed(table)}", flush=True)
    if options.report is not None:
        report.write(tables, options.report)
    elif options.only is None:
        report.write(tables)
    progress("done")


if __name__ == "__main__":
    main()
