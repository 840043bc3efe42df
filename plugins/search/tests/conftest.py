"""Folders to search, and a local web search API."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """Run async tests on asyncio."""
    return "asyncio"


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """A folder with documents of every kind, and things that must stay out."""
    folder = tmp_path / "notes"
    (folder / "trips").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    (folder / "node_modules").mkdir()
    (folder / "plan.md").write_text("# The grand plan\n\nBuy a wooden boat in spring.\n", "utf-8")
    (folder / "trips" / "lofoten.txt").write_text(
        "Lofoten in winter\n=================\n\nNorthern lights over a wooden cabin. Éclair.\n",
        "utf-8",
    )
    (folder / "page.html").write_text(
        "<html><head><title>Boats &amp; ships</title><script>var wooden = 1;</script></head>"
        "<body><p>A boat floats.</p><p>Steel &gt; tin</p></body></html>",
        "utf-8",
    )
    (folder / ".hidden" / "secret.md").write_text("wooden secret", "utf-8")
    (folder / "node_modules" / "lib.md").write_text("wooden module", "utf-8")
    (folder / "data.csv").write_text("wooden,1", "utf-8")
    (folder / "binary.txt").write_bytes(b"wooden\0\1\2")
    (tmp_path / "outside.md").write_text("wooden outside", "utf-8")
    (folder / "link.md").symlink_to(tmp_path / "outside.md")
    return folder


@pytest.fixture
def settings(notes: Path, tmp_path: Path) -> dict[str, Any]:
    """Settings of the plugin for that folder."""
    return {
        "folders": [str(notes)],
        "index_path": str(tmp_path / "index.sqlite"),
        "first_index_wait": 60,  # a busy machine is no reason to fail
        "refresh_wait": 60,
        "search_timeout": 60,
    }


@dataclass
class WebApi:
    """A local search API: what it was asked, and what it answers.

    Attributes:
        requests: Method, path, headers and body of every request.
        answers: Status, headers and body to give, in order; the last one again and again. Status
            0 breaks the connection, -1 answers nothing; with a header `X-Drip` blanks follow for
            ever.
    """

    url: str = ""
    requests: list[tuple[str, str, dict[str, str], Any]] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str], Any]] = field(default_factory=list)


@pytest.fixture
def web_api() -> Iterator[WebApi]:
    """A local search API on loopback."""
    api = WebApi()
    web_api_closes = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            api.requests.append((self.command, self.path, dict(self.headers), body))
            status, headers, content = (
                api.answers.pop(0) if len(api.answers) > 1 else api.answers[0]
            )
            if status <= 0:
                web_api_closes.wait(-status * 10)
                self.close_connection = True
                return
            raw = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            sent = {"Content-Type": "application/json", "Content-Length": str(len(raw)), **headers}
            for name, value in sent.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(raw)
            while "X-Drip" in headers and not web_api_closes.wait(0.01):
                self.wfile.write(b" ")

        do_GET = do_POST = answer  # noqa: N815  # as the base class spells them

        def log_message(self, *args: Any) -> None:
            return

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            return  # the client has gone

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    api.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield api
    web_api_closes.set()
    server.shutdown()
    server.server_close()
