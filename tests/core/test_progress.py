"""Progress: a bar on a terminal that leaves the log alone, and lines elsewhere."""

import contextlib
import logging
import os
import pty
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest

from mcpkit import Plugin, ProgressBar
from mcpkit.core import logs, progress
from mcpkit.core.assembly import build
from mcpkit.core.logs import set_up_logging
from mcpkit.core.settings import Settings

logger = logging.getLogger("mcpkit.tests")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Draw at every update; logging is put back as it was afterwards."""
    for name in ("DELAY", "INTERVAL", "LOG_INTERVAL"):
        monkeypatch.setattr(progress, name, -1)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    root = logging.getLogger()
    kept = root.handlers[:], root.level
    yield
    logs.release_logging()
    root.handlers[:], root.level = kept


@pytest.fixture
def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Do something with a terminal in place of standard error, and return what that was sent."""

    def run(work: Callable[[], None], log_format: Literal["text", "json"] = "text") -> str:
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (24, 80))
        sent = bytearray()

        def read() -> None:
            with contextlib.suppress(OSError):  # EIO: the other end is closed
                while found := os.read(ours, 65536):
                    sent.extend(found)

        reader = threading.Thread(target=read)
        reader.start()
        with os.fdopen(theirs, "w") as stream, monkeypatch.context() as patch:
            patch.setattr(sys, "stderr", stream)
            set_up_logging("info", log_format)
            work()
            logs.release_logging()
        reader.join(10)
        os.close(ours)
        return sent.decode()

    return run


OnTerminal = Callable[..., str]
ERASE = "\r\x1b[K"


def test_a_bar_stands_below_the_log_and_goes_when_the_work_is_done(
    on_terminal: OnTerminal,
) -> None:
    def work() -> None:
        with ProgressBar("Indexing [b]snow[/b]", 10, logger=logger) as bar:
            bar.update(3)
            logger.info("A record")
            bar.update(9)

    shown, record, last, end = on_terminal(work).split(ERASE)

    assert "Indexing [b]snow[/b]" in shown
    assert "3/10" in shown
    line, _, again = record.partition("\r\n")
    assert line.endswith("mcpkit.tests: A record")
    assert again == shown
    assert "9/10" in last
    assert end == ""


def test_bars_of_several_plugins_stand_below_each_other(on_terminal: OnTerminal) -> None:
    def work() -> None:
        with ProgressBar("One", 2, logger=logger) as one:
            one.update(1)
            with ProgressBar("Two", 2, logger=logger) as two:
                two.update(1)

    sent = on_terminal(work)

    one, both, left, end = sent.replace("\x1b[A\x1b[K", "").split(ERASE)
    assert "One" in one
    assert [line.split()[0] for line in both.split("\r\n")] == ["One", "Two"]
    assert left == one
    assert end == ""
    assert sent.count("\x1b[A") == 1


def test_no_color_holds_for_bars(on_terminal: OnTerminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    def work() -> None:
        with ProgressBar("One", 2, logger=logger) as bar:
            bar.update(1)

    sent = on_terminal(work).removesuffix(ERASE)

    assert "One" in sent
    assert "\x1b" not in sent


def test_a_log_of_json_has_no_bar(on_terminal: OnTerminal) -> None:
    def work() -> None:
        with ProgressBar("One", 2, logger=logger) as bar:
            bar.update(1)

    sent = on_terminal(work, "json")

    assert '"message": "One: 1 of 2"' in sent
    assert "\x1b" not in sent


def test_the_first_import_of_plugins_shows_a_bar(on_terminal: OnTerminal) -> None:
    plugins = {name: Plugin() for name in ("alpha", "beta")}

    def work() -> None:
        app = build(Settings(plugins_allow=("alpha", "beta")), objects=plugins)
        assert [record.name for record in app.loaded] == ["alpha", "beta"]

    assert "Importing plugins" in on_terminal(work)


def test_without_a_terminal_the_log_tells(caplog: Any) -> None:
    with caplog.at_level("INFO"), ProgressBar("One", 2, logger=logger) as bar:
        bar.update(1)

    assert [record.getMessage() for record in caplog.records] == ["One: 1 of 2"]
