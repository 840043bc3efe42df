"""Pages in a browser: those of this machine can use the server, those of others cannot."""

import json
import os
import queue
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.conftest import ServerProcess, environment, start_server

pytestmark = pytest.mark.contract

KEY = "correct-horse-battery-staple"
PATIENCE = 90.0
"""Seconds that a browser gets to start and to report."""

BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def browser() -> str:
    """The browser that is installed; none is a failure, not a reason to leave the test out."""
    wanted = (os.environ.get("CHROMIUM"), *BROWSERS)
    found = next(filter(None, (shutil.which(name) for name in wanted if name)), None)
    assert found is not None, (
        "No Chromium or Chrome is installed: apt-get install chromium, or name one in the "
        "environment variable CHROMIUM"
    )
    return found


Visit = Callable[[str], Any]


@pytest.fixture
def visit(served: ServerProcess, tmp_path: Path) -> Iterator[Visit]:
    """Open the page under a host name, and return what it reports."""
    reports: queue.SimpleQueue[Any] = queue.SimpleQueue()

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer((Path(__file__).parent / "page.html").read_bytes())

        def do_POST(self) -> None:
            reports.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self._answer(b"")

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            """Say nothing."""

    def open_page(host: str) -> Any:
        query = urlencode({"server": served.url().removesuffix("/mcp"), "key": KEY})
        page = f"http://{host}:{pages.server_port}/?{query}"
        with running(page, tmp_path / "profile"):
            return reports.get(timeout=PATIENCE)

    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as pages:
        thread = threading.Thread(target=pages.serve_forever)
        thread.start()
        yield open_page
        pages.shutdown()
        thread.join(PATIENCE)


@contextmanager
def running(page: str, profile: Path) -> Iterator[None]:
    """Run a browser with a page; end it and its children."""
    with (profile.parent / "browser.log").open("wb") as log:
        process = subprocess.Popen(
            # It reports by itself; a port for debugging keeps it open until then.
            [browser(), *FLAGS, "--remote-debugging-port=0", f"--user-data-dir={profile}", page],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(PATIENCE)


@pytest.fixture(scope="module")
def served(test_plugins: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that wants a key, over all transports for pages."""
    transports = ("-t", "streamable-http", "-t", "sse", "--port", "0")
    env = environment(test_plugins, {"MCPKIT_AUTH__API_KEYS": KEY})
    server = start_server(transports, env, tmp_path_factory.mktemp("served"))
    try:
        yield server
    finally:
        server.close()


def test_a_page_of_this_machine_uses_every_transport(visit: Visit) -> None:
    report = visit("localhost")

    tools = report["legacy"].pop("tools")
    assert "conversation_echo" in tools
    assert report == {
        "legacy": {
            "hasSession": True,
            "ready": 202,
            "called": "from a page",
            "stream": "text/event-stream",
            "ended": 200,
        },
        "modern": "modern",
        "sse": {"posted": 202, "answer": {"jsonrpc": "2.0", "id": 1, "result": {}}},
        "refused": {"closed": 401, "scheme": "Bearer", "unknown": 404},
    }


def test_a_page_of_another_host_learns_nothing(visit: Visit, served: ServerProcess) -> None:
    report = visit("evil.localhost")

    assert report == dict.fromkeys(
        ("legacy", "modern", "sse", "refused"), "TypeError: Failed to fetch"
    )
    served.wait_for("Refused Origin 'http://evil.localhost:.*http.allowed_origins")
