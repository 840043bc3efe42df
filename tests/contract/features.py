"""The matrix: which feature of the protocol is served in which era, over which transport.

Each cell is a test: `@proves(feature)` runs a test once for each of them. `docs/protocol.md` holds
the table that `render` makes; `python -m tests.contract.features` writes it there.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

LEGACY, MODERN = "2025-11-25", "2026-07-28"
ERAS = (LEGACY, MODERN)
ALL = ("stdio", "streamable-http", "sse", "websocket")
HTTP = ("streamable-http",)

Cells = dict[str, tuple[str, ...]]

EVERYWHERE: Cells = {LEGACY: ALL, MODERN: ALL}
ONLY_LEGACY: Cells = {LEGACY: ALL}
ONLY_MODERN: Cells = {MODERN: ALL}

MATRIX: dict[str, Cells] = {
    "Instructions of all plugins": EVERYWHERE,
    "Structured output, annotations, icons, `_meta`": EVERYWHERE,
    "JSON Schema of a tool's own, validated on call": EVERYWHERE,
    "Pages of lists, opaque cursors": EVERYWHERE,
    "Completion by plugin and argument": EVERYWHERE,
    "Log messages at the level asked for": EVERYWHERE,
    "Progress": EVERYWHERE,
    "Cancellation stops async handlers and tells sync ones": EVERYWHERE,
    "Changes published inside a call and in the background": EVERYWHERE,
    "Sampling, roots and elicitation during a call": ONLY_LEGACY,
    "Questions by `Resolve` and `Elicit`": EVERYWHERE,
    "Questions between rounds, sealed request state": ONLY_MODERN,
    "Cache hints": ONLY_MODERN,
    "Parameters in headers (`x-mcp-header`)": {MODERN: HTTP},
    "Error codes": EVERYWHERE,
    "Apps": EVERYWHERE,
    "Skills": EVERYWHERE,
    "Tasks": ONLY_MODERN,
    "Tools that may be tasks, for clients that follow none": EVERYWHERE,
    "Sessions: resuming, deleting, idle time-out, limit": {LEGACY: HTTP},
}

PROVEN: set[str] = set()
"""Features that a test was found for."""

Test = Callable[..., Any]


def proves(*features: str) -> Callable[[Test], Test]:
    """Run a test once for each cell of features that have the same, with `era` and `transport`."""
    found = [
        [(era, transport) for era, names in MATRIX[feature].items() for transport in names]
        for feature in features
    ]
    assert all(cells == found[0] for cells in found)

    def decorate(test: Test) -> Test:
        PROVEN.update(features)
        return pytest.mark.parametrize(("era", "transport"), found[0])(test)

    return decorate


def render() -> str:
    """Write the table in Markdown."""
    lines = ["| feature | era | " + " | ".join(ALL) + " |", "|---|---|" + "---|" * len(ALL)]
    for feature, cells in MATRIX.items():
        for era, names in cells.items():
            marks = " | ".join("yes" if transport in names else "" for transport in ALL)
            lines.append(f"| {feature} | {era} | {marks} |")
    return "\n".join(lines)


PAGE = Path(__file__).parents[2] / "docs/protocol.md"
BLOCK = re.compile(r"(<!-- matrix -->\n).*?(\n<!-- /matrix -->)", re.DOTALL)


def main() -> None:
    """Write the table into the page."""
    text = PAGE.read_text("utf-8")
    PAGE.write_text(BLOCK.sub(lambda match: match[1] + render() + match[2], text), "utf-8")


if __name__ == "__main__":
    main()
