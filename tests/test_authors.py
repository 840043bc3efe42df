"""Imports of plugins, examples and the template: an author needs nothing below `mcpkit`."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

PUBLIC = {"mcpkit", "mcpkit.testing"}

IMPORT = re.compile(
    r"^\s*(?:from|import)\s+(mcp(?:kit|_types)?(?:\.[\w.]+)?)(?=\s|,|$)", re.MULTILINE
)
"""Modules of mcpkit and the SDK that a source imports; not those of the plugins."""

PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)

CLIENT = "mcp.Client("
"""In an example that is no plugin: a program of its own, with the SDK's client."""


def sources() -> Iterator[tuple[Path, str]]:
    """What authors read and copy: plugins with their tests, the template, examples."""
    for folder in ("plugins", "cookiecutter-template"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if not {".venv", "build"} & set(path.parts):
                yield path, path.read_text("utf-8")
    for pattern in ("README.md", "docs/*.md", "plugins/*/README.md"):
        for path in sorted(ROOT.glob(pattern)):
            blocks = PYTHON.findall(path.read_text("utf-8"))
            yield path, "\n".join(block for block in blocks if CLIENT not in block)


SOURCES = list(sources())


@pytest.mark.parametrize(
    ("path", "text"), SOURCES, ids=[str(path.relative_to(ROOT)) for path, _ in SOURCES]
)
def test_authors_import_from_mcpkit_alone(path: Path, text: str) -> None:
    assert set(IMPORT.findall(text)) <= PUBLIC


def test_there_is_something_to_look_at() -> None:
    found = [path.name for path, text in SOURCES if "mcpkit" in IMPORT.findall(text)]

    assert {"plugin.py", "test_plugin.py", "__init__.py", "plugins.md", "README.md"} <= set(found)
