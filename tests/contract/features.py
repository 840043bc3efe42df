"""The matrix: which feature of the protocol is served in which era, over which transport.

Each cell is a test: `@proves(feature)` runs a test once for each of them. `docs/protocol.md` holds
the table that `render` makes; `python -m tests.contract.features` writes it there.
"""

import re
from collections.abc import Callable, Iterable, Mapping
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

TASKS = "io.modelcontextprotocol/tasks"

DECLARED: dict[str, tuple[str, ...]] = {
    "Instructions of all plugins": (),
    "Structured output, annotations, icons, `_meta`": ("tools",),
    "JSON Schema of a tool's own, validated on call": ("tools",),
    "Pages of lists, opaque cursors": ("tools", "resources", "prompts"),
    "Completion by plugin and argument": ("completions",),
    "Log messages at the level asked for": ("logging",),
    "Progress": ("tools",),
    "Cancellation stops async handlers and tells sync ones": ("tools",),
    "Changes published inside a call and in the background": (
        "tools listChanged",
        "prompts listChanged",
        "resources listChanged",
        "resources subscribe",
    ),
    "Sampling, roots and elicitation during a call": ("tools",),
    "Questions by `Resolve` and `Elicit`": ("tools",),
    "Questions between rounds, sealed request state": ("tools",),
    "Cache hints": ("tools", "resources"),
    "Parameters in headers (`x-mcp-header`)": ("tools",),
    "Error codes": ("tools", "resources", "prompts"),
    "Apps": ("resources", "extensions io.modelcontextprotocol/ui"),
    "Skills": ("resources", "extensions io.modelcontextprotocol/skills directoryRead"),
    "Tasks": ("tools", f"extensions {TASKS}"),
    "Tools that may be tasks, for clients that follow none": ("tools",),
    "Sessions: resuming, deleting, idle time-out, limit": ("tools",),
}
"""What a client must find in the capabilities of the server to know of each feature."""

PROVEN: set[str] = set()
"""Features that a test was found for."""

Test = Callable[..., Any]


def proves(*features: str) -> Callable[[Test], Test]:
    """Run a test once for each cell of features that have the same, with `era` and `transport`.

    Its `features` tell what each client that it connects must find declared.
    """
    found = [
        [(era, transport) for era, names in MATRIX[feature].items() for transport in names]
        for feature in features
    ]
    assert all(cells == found[0] for cells in found)

    def decorate(test: Test) -> Test:
        PROVEN.update(features)
        vars(test)["features"] = features
        return pytest.mark.parametrize(("era", "transport"), found[0])(test)

    return decorate


def check_declared(features: Iterable[str], era: str, declared: Mapping[str, Any]) -> None:
    """Make sure that a client finds the features of a test in the server's capabilities.

    Args:
        features: What the test proves.
        era: Of the client: in the handshake there are no tasks.
        declared: Capabilities as they were sent.
    """
    for path in (path for feature in features for path in DECLARED[feature]):
        found: Any = declared
        for member in path.split(" "):
            assert member in found, f"{path} is not declared to clients of {era}: {declared}"
            found = found[member]
        assert found is not False, f"{path} is declared as false to clients of {era}"
    assert (TASKS in declared.get("extensions", {})) is (era == MODERN)


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
