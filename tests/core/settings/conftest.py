"""Folders with settings files, and settings read in them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mcpkit.core.settings.sources import Effective, read_settings
from mcpkit.core.settings.trust import find_folder_settings, trust

Read = Callable[..., Effective]
FILES = {"toml": "mcpkit.toml", "dotenv": ".env", "pyproject": "pyproject.toml"}


@pytest.fixture(autouse=True)
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user without settings; returns the folder of the user's settings file."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    folder = tmp_path / "config" / "mcpkit"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The working directory, which nobody has trusted."""
    path = tmp_path / "work"
    path.mkdir()
    return path


@pytest.fixture
def read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    """Read settings in the folder with these files and this environment, trusted by default."""

    def read_with(
        *,
        overrides: dict[tuple[str, ...], Any] | None = None,
        path: Path | None = None,
        trusted: bool = True,
        **given: str | bytes,
    ) -> Effective:
        for name, content in given.items():
            if name not in FILES:
                monkeypatch.setenv(name, str(content))
            elif isinstance(content, bytes):
                (folder / FILES[name]).write_bytes(content)
            else:
                (folder / FILES[name]).write_text(content, "utf-8")
        if trusted:
            trust(find_folder_settings(folder))
        return read_settings(path=path, overrides=overrides, directory=folder)

    return read_with
