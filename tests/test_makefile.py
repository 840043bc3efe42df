"""The Makefile: what it says to whoever waits for it."""

import subprocess
from pathlib import Path

from tests.conftest import ROOT


def test_serve_says_what_it_does_while_it_installs(tmp_path: Path) -> None:
    done = subprocess.run(
        ["make", "--dry-run", "serve", f"VENV={tmp_path / 'venv'}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    said = [line for line in done.stdout.splitlines() if line.startswith("echo ")]
    assert [words.split()[1] for words in said] == [
        '"Making',
        '"Installing',
        '"Installing',
        '"Serving;',
    ]
