"""Wheels of mcpkit and of the bundled plugins."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, once
from tests.home import online

BUNDLED = sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))


def execute(*command: object, cwd: Path | None = None) -> str:
    """Run a command to its end and return its stdout; fail with what it said."""
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=online(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheels of mcpkit and the bundled plugins."""

    def build(folder: Path) -> None:
        for project in (ROOT, *BUNDLED):
            execute(
                *(sys.executable, "-m", "build", "--wheel", "--no-isolation"),
                *("--outdir", folder, project),
            )

    return once("wheels", tmp_path_factory, build)
