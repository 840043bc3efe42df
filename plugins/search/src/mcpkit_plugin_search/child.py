"""The process that reads documents: bytes of files come in, their texts go out.

`python -m mcpkit_plugin_search.child MEMORY` is started by `reader.Reader`. A file that takes too
long or too much memory ends this process alone.

A request is a line of JSON (name, size, seconds, encoding, max_text) and the bytes of the file; a
response is a line of JSON (`error`, or title and size) and the text in UTF-8.
"""

import contextlib
import json
import math
import os
import signal
import sys
from dataclasses import dataclass
from typing import Any, BinaryIO

from . import pages  # noqa: F401  # before the limit, so that a small one fails no import
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
        data = self.requests.read(request["size"])
        try:
            text = read_text(
                Content(
                    name=request["name"],
                    data=data,
                    encoding=request["encoding"],
                    max_text=request["max_text"],
                )
            )
            body = text.body.encode(errors="replace")
            self._send({"title": text.title, "size": len(body)}, body)
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


@contextlib.contextmanager
def _time_limit(seconds: float) -> Any:
    """End this process later than the parent would, in case the parent is gone."""
    if sys.platform != "win32":
        signal.alarm(math.ceil(seconds) + 1)
    yield
    if sys.platform != "win32":
        signal.alarm(0)


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
