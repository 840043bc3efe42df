"""The log of the server: each record is one line of standard error, as text or as JSON.

Whatever a message quotes cannot write a line of its own: control characters are escaped, and the
lines of a traceback are indented. Writing never raises, and never waits long for a reader.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

from mcpkit.core.descriptors import SURE_TO_FIT, has_room
from mcpkit.core.escaping import escape_line
from mcpkit.core.settings import LogFormat, LogLevel

LONGEST = 8192
"""Most characters of a message, or of a line of a traceback, that are written."""

MOST_LINES = 400
"""Most lines of a traceback that are written; the middle of a longer one is left out."""

PATIENCE = 1.0
"""Seconds that the reader of standard error gets to make room before records are dropped."""

NARROWEST = 20
"""Columns of a terminal that are too few for lines below the log."""

CHATTY = ("mcp", "uvicorn", "httpx2", "httpcore2", "websockets", "asyncio")
"""Libraries whose records below WARNING are shown at DEBUG only."""

_ours = logging.getLogger("mcpkit")


def about(**fields: object) -> dict[str, Any]:
    """The `extra` of a record: what it is about, as fields of the JSON format.

    Text shows `hint` alone, on a line of its own; the message says the rest.
    """
    return {"mcpkit": fields}


def _fields(record: logging.LogRecord) -> Mapping[str, object]:
    fields = getattr(record, "mcpkit", None)
    return fields if isinstance(fields, Mapping) else {}


def _cut(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST]}… ({len(text)} characters)"


class _Formatter(logging.Formatter):
    def traceback(self, record: logging.LogRecord) -> list[str]:
        """The lines of the traceback and stack of a record, bounded."""
        lines: list[str] = []
        if record.exc_info:
            lines += self.formatException(record.exc_info).split("\n")
        if record.stack_info:
            lines += record.stack_info.split("\n")
        if len(lines) > MOST_LINES:
            half = MOST_LINES // 2
            left_out = f"… ({len(lines) - 2 * half} lines)"
            lines = [*lines[:half], left_out, *lines[-half:]]
        return [_cut(line) for line in lines]


class TextFormatter(_Formatter):
    """Formats records for people: moment with UTC offset, level, logger, message."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record as one line, and indented ones for its hint and traceback."""
        moment = datetime.fromtimestamp(record.created, UTC).astimezone()
        line = (
            f"{moment.isoformat(' ', 'milliseconds')} {record.levelname:<7} "
            f"{escape_line(record.name)}: {escape_line(_cut(record.getMessage()))}"
        )
        if hint := _fields(record).get("hint"):
            line += f"\n    hint: {escape_line(_cut(str(hint)))}"
        if record.exc_info or record.stack_info:
            line += "".join(f"\n    {escape_line(part)}" for part in self.traceback(record))
        return line


class JsonFormatter(_Formatter):
    """Formats records for programs: one JSON object a line, the moment in UTC (ISO 8601)."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record as an object with `time`, `level`, `logger` and `message`."""
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        entry: dict[str, object] = {
            "time": moment.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _cut(record.getMessage()),
            **{key: _cut(v) if isinstance(v, str) else v for key, v in _fields(record).items()},
        }
        if record.exc_info or record.stack_info:
            entry["exception"] = "\n".join(self.traceback(record))
        return json.dumps(entry, default=str)  # ASCII alone: nothing in it acts on a terminal


class StderrHandler(logging.Handler):
    """Writes records to standard error; one that cannot be written is dropped.

    A server must not stand still because nobody reads its log, nor end because nobody can.

    Args:
        stream: Usually `sys.stderr`; None when the process has none.
    """

    def __init__(self, stream: TextIO | None) -> None:
        super().__init__()
        self._stream = stream
        self._descriptor = _descriptor_of(stream)
        self._dropped = 0
        self._is_mid_line = False
        self._below: dict[object, str] = {}
        self._shown = 0

    @property
    def width(self) -> int | None:
        """Columns that a line below the log may have; None where none can be shown."""
        is_text = isinstance(self.formatter, TextFormatter)
        if self._descriptor is None or not is_text or os.environ.get("TERM", "dumb") == "dumb":
            return None
        try:
            found = os.get_terminal_size(self._descriptor).columns
        except OSError:  # it is no terminal
            return None
        return found - 1 if found > NARROWEST else None

    def show_below(self, key: object, line: str | None) -> None:
        """Show a line below the last record, in place of the one of the same key; None ends it."""
        self.acquire()
        try:
            if line is not None:
                self._below[key] = line
            elif self._below.pop(key, None) is None:
                return
            descriptor = self._descriptor
            if descriptor is not None and has_room(descriptor) is not False:
                with contextlib.suppress(OSError):
                    self._put(descriptor, self._redrawn(""))
        finally:
            self.release()

    def _redrawn(self, record: str) -> str:
        """Control sequences that replace what is shown below the log by a record and lines."""
        erase = "\r\x1b[K" + "\x1b[A\x1b[K" * (self._shown - 1) if self._shown else ""
        self._shown = len(self._below)
        return erase + record + "\n".join(self._below.values())

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        try:
            line = self.format(record)
        except Exception as exc:  # noqa: BLE001  # whoever logged it passed what cannot be shown
            where = f"{record.pathname}:{record.lineno}"
            line = escape_line(f"A log record of {where} is unusable: {type(exc).__name__}")
        try:
            self._write(line)
        except (OSError, ValueError):  # nobody reads it any more, or it is closed
            return

    def _write(self, line: str) -> None:
        if self._stream is None:
            return
        if self._descriptor is None:
            self._stream.write(f"{line}\n")
            self._stream.flush()
            return
        if self._dropped:
            told = f"{self._dropped} log records were dropped: nobody read standard error\n"
            if not self._put(self._descriptor, told):
                self._dropped += 1
                return
            self._dropped = 0
        if not self._put(self._descriptor, self._redrawn(f"{line}\n")):
            self._dropped = 1

    def _put(self, descriptor: int, text: str) -> bool:
        """Write a text; False when there is no room for it."""
        if self._is_mid_line:
            text = f"\n{text}"
        view = memoryview(text.encode(errors="backslashreplace"))
        while view:
            # A reader that has just kept us waiting is not waited for again.
            if has_room(descriptor, 0 if self._dropped else PATIENCE) is False:
                return False
            written = os.write(descriptor, view[:SURE_TO_FIT])
            self._is_mid_line = written < len(view)
            view = view[written:]
        return True


def _descriptor_of(stream: TextIO | None) -> int | None:
    try:
        return None if stream is None else stream.fileno()
    except (OSError, ValueError):  # it is captured, as tests do, or closed
        return None


_handler: StderrHandler | None = None
_level = logging.NOTSET


def set_up_logging(level: LogLevel, form: LogFormat = "text") -> None:
    """Write log records to standard error, from a level on; chatty libraries one level later.

    The loggers of mcpkit have the handler to themselves, so that a plugin that sets up logging
    (`logging.basicConfig(force=True)`) directs the rest elsewhere, and not the log of the server.
    """
    global _handler, _level  # as `logging` itself keeps its state
    release_logging()
    _handler, _level = StderrHandler(sys.stderr), logging.getLevelNamesMapping()[level.upper()]
    _handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    logging.basicConfig(level=_level, handlers=[_handler], force=True)
    _claim(_handler)
    for name in CHATTY:
        chatty = logging.NOTSET if level == "debug" else logging.WARNING
        logging.getLogger(name).setLevel(chatty)


def terminal_width() -> int | None:
    """Columns of the terminal that shows the log; None where there is none, or none for people."""
    return None if _handler is None else _handler.width


def show_below(key: object, line: str | None) -> None:
    """Show a line below the log, if it is on a terminal; None ends it."""
    if _handler is not None:
        _handler.show_below(key, line)


def release_logging() -> None:
    """Undo `set_up_logging`; for commands that are run within another program."""
    global _handler  # noqa: PLW0603
    if _handler is not None:
        logging.getLogger().removeHandler(_handler)
        _ours.removeHandler(_handler)
        _ours.propagate = True
        _ours.setLevel(logging.NOTSET)
    _handler = None


def keep_logging() -> None:
    """Undo what a plugin did to the log of the server, such as `logging.disable`.

    Called where the server is about to tell what it must not keep silent about.
    """
    if _handler is None or _is_whole(_handler):
        return
    _claim(_handler)
    _ours.warning("A plugin has changed the log of the server: it is as before again")


def _is_whole(handler: StderrHandler) -> bool:
    is_enabled = _ours.isEnabledFor(_level) and _ours.level == _level
    return is_enabled and handler in _ours.handlers and not _ours.propagate


def _claim(handler: StderrHandler) -> None:
    logging.disable(logging.NOTSET)
    _ours.addHandler(handler)
    _ours.propagate = False
    _ours.setLevel(_level)
    for name, logger in logging.Logger.manager.loggerDict.items():
        if isinstance(logger, logging.Logger) and f"{name}.".startswith("mcpkit."):
            logger.disabled = False  # `dictConfig` disables those that it does not name
