"""Reading documents in a process of its own, with a time and a memory limit for each file.

In: name and bytes of a file. Out: its title and text, or an `UnreadableError` that says why there
is none. A file that exceeds a limit, or crashes a parser, costs itself and that process; the next
file gets a new one.
"""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from .passages import Document, Passage, read_document
from .texts import Content, Text, UnreadableError, read_text

logger = logging.getLogger(__name__)

ENVIRONMENT = (
    "PATH",
    "PYTHONHOME",
    "PYTHONPATH",
    "LD_LIBRARY_PATH",
    "LANG",
    "LC_ALL",
    "SYSTEMROOT",
    "TEMP",
    "TMPDIR",
)
"""Variables that an interpreter may need to start; keys and tokens are not among them."""

PATIENCE = 3.0
"""Time that a file may take by the clock, in times of its processor time: machines are busy."""

STARTUP = 30.0
"""Seconds that the process may take to start."""


OUT_OF_TIME = -getattr(signal, "SIGPROF", 0) or None
"""Exit code of a process that has used up its processor time."""

SMALL = 100_000
"""Bytes of plain text that are read right here: that takes less time than starting a process."""


class ReaderError(Exception):
    """The process that reads documents does not start; no file is at fault."""


class ReaderClosedError(Exception):
    """The reader was closed meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadLimits:
    """Limits for one file.

    Attributes:
        seconds: Longest processor time; `PATIENCE` times as long by the clock.
        memory: Most memory of the process, in bytes.
    """

    seconds: float
    memory: int


class Reader:
    """Reads files, one at a time, in a process that is started when it is first needed.

    Blocking: it belongs into a worker thread. `close` may be called from any thread and ends a
    `read` that is under way.
    """

    def __init__(self, limits: ReadLimits) -> None:
        self._limits = limits
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._closed = False
        self._failure: ReaderError | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def read(self, content: Content) -> Text:
        """Read title and text of a file.

        Raises:
            UnreadableError: It has no text that could be read within the limits.
            ReaderError: The process does not start.
            ReaderClosedError: `close` was called.
        """
        if _is_small(content):
            return read_text(content)
        title, (body,) = self._ask(content, "text")
        return Text(title, body)

    def read_document(self, content: Content) -> Document:
        """Read a file as it is indexed.

        Raises:
            UnreadableError: It has no text that could be read within the limits.
            ReaderError: The process does not start.
            ReaderClosedError: `close` was called.
        """
        if _is_small(content):
            return read_document(content)
        title, texts = self._ask(content, "passages")
        pairs = zip(texts[::2], texts[1::2], strict=True)
        return Document(title, [Passage(text, folded) for text, folded in pairs])

    def close(self) -> None:
        """End the process; nothing is read any more."""
        with self._lock:
            self._closed = True
            process = self._process
        if process is not None:
            process.kill()  # whoever reads from it finds its pipes closed, and gives its turn back
            with self._turn:
                self._dispose(process)

    def _reason(self, process: "subprocess.Popen[bytes]", watch: "_Watch") -> str:
        if watch.expired or process.returncode == OUT_OF_TIME:
            return f"reading it takes longer than {self._limits.seconds:g} s (read_timeout)"
        return f"reading it ended the process (exit code {process.returncode})"

    def _ask(self, content: Content, what: str) -> tuple[str, list[str]]:
        """Title and texts, from the process."""
        with self._turn:
            process = self._running()
            watch = _Watch(process, PATIENCE * self._limits.seconds)
            try:
                header, texts = self._exchange(process, content, what)
            except (OSError, EOFError, ValueError) as exc:
                self._dispose(process)
                if self._closed:
                    raise ReaderClosedError from exc
                raise UnreadableError(self._reason(process, watch)) from exc
            finally:
                watch.stop()
        if "error" in header:
            raise UnreadableError(header["error"])
        return header["title"], texts

    def _running(self) -> "subprocess.Popen[bytes]":
        with self._lock:
            if self._closed:
                raise ReaderClosedError
            if self._process is not None:
                return self._process
            if self._failure is not None:
                raise self._failure.with_traceback(None)
            process = self._process = self._start()
        watch = _Watch(process, STARTUP)
        try:
            _header(process)
        except (OSError, EOFError, ValueError) as exc:
            self._dispose(process)
            if self._closed:
                raise ReaderClosedError from exc
            raise self._failed(f"exit code {process.returncode}") from exc
        finally:
            watch.stop()
        return process

    def _start(self) -> "subprocess.Popen[bytes]":
        # -P: nothing is imported from the working directory, which may be a stranger's.
        arguments = [sys.executable, "-P", "-m", "mcpkit_plugin_search.child"]
        try:
            return subprocess.Popen(  # noqa: S603  # our own module
                [*arguments, str(self._limits.memory)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={name: os.environ[name] for name in ENVIRONMENT if name in os.environ},
                start_new_session=True,  # Ctrl-C is for the server, not for a file
            )
        except OSError as exc:
            raise self._failed(str(exc)) from exc

    def _failed(self, reason: str) -> ReaderError:
        """The error of a process that does not start; it is not tried again."""
        message = f"The process that reads documents does not start ({reason})"
        self._failure = ReaderError(message)
        return self._failure

    def _exchange(
        self, process: "subprocess.Popen[bytes]", content: Content, what: str
    ) -> tuple[dict[str, Any], list[str]]:
        assert process.stdin is not None
        assert process.stdout is not None
        request = {
            "what": what,
            "name": content.name,
            "size": len(content.data),
            "seconds": self._limits.seconds,
            "encoding": content.encoding,
            "max_text": content.max_text,
        }
        process.stdin.write(json.dumps(request).encode() + b"\n")
        process.stdin.write(content.data)
        process.stdin.flush()
        header = _header(process)
        texts = []
        for size in header.get("sizes", ()):
            text = process.stdout.read(size)
            if len(text) != size:
                raise EOFError
            texts.append(text.decode())
        return header, texts

    def _dispose(self, process: "subprocess.Popen[bytes]") -> None:
        """End a process and forget it."""
        with self._lock:
            if self._process is process:
                self._process = None
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with suppress(OSError):
                pipe.close()  # type: ignore[union-attr]  # both are pipes


class _Watch:
    """Kills a process that takes too long."""

    def __init__(self, process: "subprocess.Popen[bytes]", seconds: float) -> None:
        self.expired = False
        self._process = process
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> None:
        """Watch no longer."""
        self._timer.cancel()

    def _expire(self) -> None:
        self.expired = True
        self._process.kill()


def _is_small(content: Content) -> bool:
    return content.is_plain and len(content.data) <= SMALL


def _header(process: "subprocess.Popen[bytes]") -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    header: dict[str, Any] = json.loads(line)
    return header
