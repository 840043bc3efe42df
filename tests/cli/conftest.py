"""Commands without a process each: importing the SDK takes longer than most of them."""

import contextlib
import io
import logging
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent

import pytest

from mcpkit.cli.main import run as run_here
from mcpkit.core.logs import release_logging
from tests.conftest import Run

CODE = """
    from enum import Enum
    from typing import Annotated

    from mcp_types import ToolAnnotations
    from pydantic import BaseModel, Field

    from mcpkit import Plugin, PluginSettings

    class Settings(PluginSettings):
        zone: str = "UTC"

    class Side(Enum):
        AM = "am"
        PM = "pm"

    class Range(BaseModel):
        start: int
        end: int = 3

    plugin = Plugin(settings=Settings)

    @plugin.tool(title="Current time", annotations=ToolAnnotations(read_only_hint=True))
    def now(
        zones: Annotated[list[str], Field(description="IANA time zones")],
        side: Side = Side.AM,
        hours: Annotated[int | None, Field(ge=0, le=12)] = None,
        within: Range | None = None,
    ) -> str:
        "Tell the time."
        return f"{zones} {side.value} {hours} {within}"

    @plugin.tool()
    def tick(count: int = 1) -> int:
        "Tick."
        return count

    @plugin.resource("clock://face")
    def face() -> str:
        "The face."
        return "face"

    @plugin.resource("clock://hands/{hand}")
    def hand(hand: str) -> str:
        "A hand."
        return hand

    @plugin.prompt()
    def ask(what: str, how: str = "kindly") -> str:
        "Ask."
        return what
"""


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


@pytest.fixture
def run_on_terminal(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run `mcpkit ARGUMENTS` in this process, on a terminal of 80 columns.

    What both streams show is the `stdout` of the result.
    """

    def run_command(
        *arguments: str, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        ours, theirs = pty.openpty()
        shown: list[bytes] = []

        def read() -> None:
            with contextlib.suppress(OSError):  # EIO: nobody has the terminal any more
                while found := os.read(ours, 65536):
                    shown.append(found)

        reader = threading.Thread(target=read)
        reader.start()
        with os.fdopen(theirs, "w", encoding="utf-8") as terminal, monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", terminal)
            patch.setattr(sys, "stderr", terminal)
            patch.setenv("COLUMNS", "80")
            patch.setenv("TERM", "xterm")
            patch.delenv("NO_COLOR", raising=False)
            done = run(*arguments, env=env)
        reader.join(10)
        os.close(ours)
        text = b"".join(shown).decode().replace("\r\n", "\n")
        return subprocess.CompletedProcess(arguments, done.returncode, text, "")

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
        release_logging()
        root.handlers[:] = handlers
        root.setLevel(level)
        for log in root.manager.loggerDict.values():
            if isinstance(log, logging.Logger):
                log.setLevel(levels.get(log, logging.NOTSET))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an installed plugin, `clock`, and an empty cache."""
    folder = tmp_path / "site"
    info = folder / "mcpkit_plugin_clock-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "clock_module.py").write_text(dedent(CODE), "utf-8")
    (info / "METADATA").write_text("Name: mcpkit-plugin-clock\nVersion: 1.0\n\n", "utf-8")
    (info / "entry_points.txt").write_text("[mcpkit.plugins]\nclock = clock_module:plugin\n")
    (info / "RECORD").write_text("clock_module.py,,\n", "utf-8")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delitem(sys.modules, "clock_module", raising=False)
    return folder
