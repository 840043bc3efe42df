"""Commands without a process each: importing the SDK takes longer than most of them."""

import io
import logging
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from mcpkit.cli.main import run as run_here
from tests.conftest import Run


@pytest.fixture
def run(
    test_plugins: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Run:
    """Run `mcpkit ARGUMENTS` in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(test_plugins)

    def run_command(
        *arguments: str, env: Mapping[str, str] | None = None, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        with monkeypatch.context() as patch, kept_logging():
            for name, value in (env or {}).items():
                patch.setenv(name, value)
            patch.setattr(sys, "stdin", io.StringIO(stdin))
            code = run_here(arguments)
        return subprocess.CompletedProcess(arguments, code, *capfd.readouterr())

    return run_command


@contextmanager
def kept_logging() -> Iterator[None]:
    """Restore the handlers and levels that a command sets up for its process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    loggers = [log for log in root.manager.loggerDict.values() if isinstance(log, logging.Logger)]
    levels = {log: log.level for log in loggers}
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        for log in root.manager.loggerDict.values():
            if isinstance(log, logging.Logger):
                log.setLevel(levels.get(log, logging.NOTSET))
