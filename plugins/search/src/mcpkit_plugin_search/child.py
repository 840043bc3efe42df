"""The process that reads documents: bytes of files come in, their texts go out.

`python -m mcpkit_plugin_search.child MEMORY` is started by `reader.Reader`. A file that takes too
long or too much memory ends this process alone.

A request is a line of JSON (what, name, size, seconds, encoding, max_text) and the bytes of the
file. A response is a line of JSON (`error`, or title and sizes) and texts of these sizes in UTF-8:
the whole text, or each passage as it is quoted and as it is searched.
"""

import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from . import pages  # noqa: F401  # before the limit, so that a small one fails no import
from .passages import read_document
from .texts import Content, UnreadableError, read_text

if sys.platform != "win32":
    import resource


@dataclass(frozen=True, slots=True)
class Child:
    """Answers requests until there are no more.

    Attributes:
        requests: Where they come from.
        responses: Where texts go to.
    """

    requests: BinaryIO
    responses: BinaryIO

    def serve(self) -> None:
        """Read one file after the other."""
        self._send({"ready": True})
        while line := self.requests.readline():
            request = json.loads(line)
            with _time_limit(request["seconds"]):
                self._answer(request)

    def _answer(self, request: dict[str, Any]) -> None:
        content = Content(
            name=request["name"],
            data=self.requests.read(request["size"]),
            encoding=request["encoding"],
            max_text=request["max_text"],
        )
        try:
            title, texts = _read(content, request["what"])
            bodies = [text.encode(errors="replace") for text in texts]
            header = {"title": title, "sizes": [len(body) for body in bodies]}
            self._send(header, b"".join(bodies))
        except UnreadableError as exc:
            self._send({"error": str(exc)})
        except MemoryError:
            self._send({"error": "reading it takes too much memory (read_memory)"})
        except Exception as exc:  # noqa: BLE001  # a broken file makes libraries raise anything
            self._send({"error": f"it is broken: {type(exc).__name__}"})

    def _send(self, header: dict[str, Any], body: bytes = b"") -> None:
        self.responses.write(json.dumps(header).encode() + b"\n")
        self.responses.write(body)
        self.responses.flush()


def _read(content: Content, what: str) -> tuple[str, list[str]]:
    """Title and texts of a document."""
    if what == "text":
        text = read_text(content)
        return text.title, [text.body]
    document = read_document(content)
    return document.title, [
        text for passage in document.passages for text in (passage.text, passage.folded)
    ]


@contextlib.contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """End this process by a signal after some processor time, whatever it is doing."""
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_PROF, seconds)
    yield
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_PROF, 0)


def limit(memory: int) -> None:
    """Bound the memory of this process, and let others go first."""
    if sys.platform != "win32":
        with contextlib.suppress(ValueError, OSError):  # macOS refuses some limits
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        with contextlib.suppress(OSError):
            os.nice(5)


def main() -> None:
    """Serve over stdin and stdout."""
    limit(int(sys.argv[1]))
    responses = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not stand among the responses
    Child(sys.stdin.buffer, responses).serve()


if __name__ == "__main__":
    main()
