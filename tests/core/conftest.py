"""Tiny installed distributions: real metadata and real modules in a folder on the path."""

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a distribution: `install("alpha", code)`; its entry point is `plugin` in the code.

    The plugins of this repository are discovered beside it: pick other names.
    """
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    made: set[str] = set()

    def add(
        name: str,
        code: str = "",
        *,
        entry: str = "{module}:plugin",
        version: str = "1.0",
        distribution: str | None = None,
        metadata: bool = True,
        recorded: bool = False,
    ) -> None:
        distribution = distribution or f"mcpkit-plugin-{name.replace('_', '-')}"
        module = f"{distribution.replace('-', '_')}_code"
        made.add(module)
        (site / f"{module}.py").write_text(dedent(code), "utf-8")
        info = site / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        if metadata:
            (info / "METADATA").write_text(
                f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n", "utf-8"
            )
        (info / "entry_points.txt").write_text(
            f"[mcpkit.plugins]\n{name} = {entry.format(module=module)}\n", "utf-8"
        )
        if recorded:
            (info / "RECORD").write_text(f"{module}.py,,\n", "utf-8")
        importlib.invalidate_caches()

    yield add
    for module in made:
        sys.modules.pop(module, None)
