"""The log: a record is a line, whoever wrote what into it, and writing it harms nobody."""

import json
import logging
import logging.config
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

import pytest

from mcpkit.core import logs
from mcpkit.core.logs import about, keep_logging, set_up_logging

logger = logging.getLogger("mcpkit.tests")
Said = Callable[[], str]
RECORD = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d [A-Z]+ +[\w.]+: ")
FORGED = "\n2026-11-21 12:00:00.000+00:00 INFO    mcpkit: forged\r\x1b[2J\u202e\u2028"


@pytest.fixture(autouse=True)
def said(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """Tell what standard error got; logging is put back as it was afterwards."""
    root, ours = logging.getLogger(), logging.getLogger("mcpkit")
    kept = (root.handlers[:], root.level, ours.handlers[:], ours.level, ours.propagate)
    yield lambda: capsys.readouterr().err
    logs.release_logging()
    logging.disable(logging.NOTSET)
    logger.disabled = False
    root.handlers, root.level, ours.handlers, ours.level, ours.propagate = kept


def test_a_message_cannot_write_a_line_of_its_own(said: Said) -> None:
    set_up_logging("info")

    logger.info("It said %s", FORGED)

    (line,) = said().splitlines()
    assert RECORD.match(line)
    assert line.isprintable()


def test_the_lines_of_a_traceback_are_no_records(said: Said) -> None:
    set_up_logging("info")
    try:
        raise ValueError(FORGED)
    except ValueError:
        logger.exception("It crashed", extra=about(hint=f"Mend{FORGED}"))

    first, *rest = said().split("\n")[:-1]
    assert RECORD.match(first)
    assert rest[0].startswith("    hint: Mend\\n2026")
    assert "    ValueError: " in rest
    assert all(line.startswith("    ") and line.isprintable() for line in rest)


def test_json_has_a_line_a_record_and_tells_what_it_is_about(said: Said) -> None:
    set_up_logging("info", "json")
    try:
        raise ValueError(FORGED)
    except ValueError:
        logger.exception("It said %s", FORGED, extra=about(plugin="demo", request_id="7"))

    (line,) = said().splitlines()
    entry = json.loads(line)
    assert line.isascii()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry.pop("time"))
    assert entry.pop("exception").endswith(f"ValueError: {FORGED}")
    assert entry == {
        "level": "error",
        "logger": "mcpkit.tests",
        "message": f"It said {FORGED}",
        "plugin": "demo",
        "request_id": "7",
    }


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_record_has_a_size(said: Said, form: Any) -> None:
    def recurse(depth: int) -> None:
        if depth:
            return recurse_more(depth - 1)
        raise ValueError("y" * 100_000)

    def recurse_more(depth: int) -> None:
        recurse(depth)

    set_up_logging("info", form)
    try:
        recurse(450)
    except ValueError:
        logger.exception("x" * 1_000_000)

    record = said()
    assert len(record) < 100_000
    assert "(1000000 characters)" in record.replace("\\u2026", "…")
    assert "ValueError: yyy" in record


WRONG = "%d %d"
"""Too few arguments come with it."""


class Hostile:
    """An argument that cannot be shown."""

    def __str__(self) -> str:
        raise RuntimeError("no\nname")


def test_a_record_that_cannot_be_shown_names_its_place(said: Said) -> None:
    set_up_logging("info")

    logger.info("%s", Hostile())
    logger.info(WRONG, 1)

    first, second = said().splitlines()
    assert re.search(r"A log record of .*test_logs.py:\d+ is unusable: RuntimeError$", first)
    assert second.endswith("is unusable: TypeError")


@pytest.mark.parametrize(
    "change",
    [
        lambda: logging.basicConfig(stream=StringIO(), force=True),
        lambda: logging.disable(logging.CRITICAL),
        lambda: logging.disable(logging.INFO),
        lambda: logging.config.dictConfig({"version": 1, "root": {"level": "CRITICAL"}}),
        lambda: logging.getLogger("mcpkit").handlers.clear(),
        lambda: logging.getLogger("mcpkit").setLevel("CRITICAL"),
        lambda: setattr(logging.getLogger("mcpkit"), "propagate", True),
    ],
)
def test_no_plugin_silences_or_redirects_the_log_of_the_server(said: Said, change: Any) -> None:
    set_up_logging("info")

    change()
    keep_logging()
    logger.info("still here")

    assert said().count("still here") == 1


def test_a_plugin_may_collect_the_log_of_the_server(said: Said) -> None:
    set_up_logging("info")
    stream = StringIO()
    handler = logging.StreamHandler(stream)

    logging.getLogger("mcpkit").addHandler(handler)
    keep_logging()
    logger.info("for both")
    logging.getLogger("mcpkit").removeHandler(handler)

    assert (stream.getvalue(), said().count("for both")) == ("for both\n", 1)


def test_what_nobody_changed_is_not_told(said: Said) -> None:
    set_up_logging("warning")

    keep_logging()

    assert said() == ""


def test_chatty_libraries_speak_at_debug_alone(said: Said) -> None:
    for level in ("info", "debug"):
        set_up_logging(level)  # type: ignore[arg-type]
        logging.getLogger("mcp.server").info("at %s", level)
        logging.getLogger("a_plugin").info("plugin at %s", level)

    records = [line.partition(": ")[2] for line in said().splitlines()]
    assert records == ["plugin at info", "at debug", "plugin at debug"]


@pytest.mark.parametrize("how", ["none", "closed", "nobody reads"])
def test_a_log_that_cannot_be_written_harms_nobody(
    monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    stream = os.fdopen(writing, "w")
    monkeypatch.setattr(sys, "stderr", None if how == "none" else stream)
    if how == "closed":
        stream.close()
    set_up_logging("info")

    logger.info("said to nobody")
    if not stream.closed:
        stream.close()


def test_a_reader_that_stands_still_does_not_stop_the_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as reader, os.fdopen(writing, "w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setattr(logs, "PATIENCE", 0.05)
        set_up_logging("info")
        began = time.monotonic()
        for number in range(2000):
            logger.info("record %d %s", number, "x" * 200)
        took = time.monotonic() - began
        received: list[bytes] = []
        thread = threading.Thread(target=lambda: received.extend(reader))
        thread.start()
        while not received:
            time.sleep(0.01)
        logger.info("read again")
        logging.getLogger("mcpkit").handlers.clear()
        stream.close()
        thread.join(10)

    lines = [line.decode() for line in received]
    numbers = [int(line.split("record ")[1].split()[0]) for line in lines[:-2]]
    assert took < 10
    assert numbers == list(range(len(numbers)))
    assert "log records were dropped: nobody read standard error" in lines[-2]
    assert lines[-1].endswith("read again\n")


def test_a_command_within_another_program_leaves_its_logging_alone() -> None:
    root, ours = logging.getLogger(), logging.getLogger("mcpkit")
    before = (root.handlers[:], ours.handlers[:], ours.level, ours.propagate)

    set_up_logging("debug")
    for handler in before[0]:
        root.addHandler(handler)
    logs.release_logging()
    keep_logging()

    assert (root.handlers, ours.handlers, ours.level, ours.propagate) == before
