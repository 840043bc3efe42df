"""Plugins that hang while the server starts: they are named, others answer, and signals work."""

import os
import signal
import sys
import time
from pathlib import Path
from textwrap import dedent
from typing import Any

import anyio
import httpx2
import mcp
import pytest
from mcp.shared.exceptions import MCPError

from tests.conftest import Run, Serve, ServerProcess

pytestmark = [pytest.mark.anyio, pytest.mark.contract]

CODE = """
    import os, sys, time
    from contextlib import asynccontextmanager
    from pathlib import Path
    import anyio
    from mcpkit import Context, Plugin

    READY = Path(__file__).with_name("ready")
    plugin = Plugin()

    @plugin.tool()
    async def run(ctx: Context) -> str:
        "Run."
        return f"state: {ctx.state}"
"""

HANGS_AT_IMPORT = "time.sleep(3600)"

BLOCKS = """
    @plugin.lifespan
    @asynccontextmanager
    async def lifespan(settings):
        time.sleep(3600)
        yield
"""

TAKES_LONG = """
    @plugin.lifespan
    @asynccontextmanager
    async def lifespan(settings):
        while not READY.exists():
            await anyio.sleep(0.01)
        yield "open"
"""

SOON = 10.0
"""Seconds in which a process that was told to end has ended, on a busy machine."""


class Host:
    """A host with two plugins: `good`, and `bad` with more code."""

    def __init__(self, serve: Serve, folder: Path) -> None:
        self._serve = serve
        self.folder = folder / "site"
        self.folder.mkdir()
        self.install("good")

    def install(self, name: str, more: str = "") -> None:
        info = self.folder / f"mcpkit_plugin_{name}-1.0.dist-info"
        info.mkdir()
        (self.folder / f"{name}_module.py").write_text(dedent(CODE) + dedent(more), "utf-8")
        (info / "METADATA").write_text(f"Name: mcpkit-plugin-{name}\nVersion: 1.0\n\n", "utf-8")
        entry = f"[mcpkit.plugins]\n{name} = {name}_module:plugin\n"
        (info / "entry_points.txt").write_text(entry, "utf-8")

    def start(self, more: str, *assignments: str) -> ServerProcess:
        self.install("bad", more)
        given = ['plugins_allow=["good","bad"]', *assignments]
        arguments = [part for assignment in given for part in ("--set", assignment)]
        return self._serve("-t", "streamable-http", "--port", "0", *arguments, env=self.env)

    @property
    def env(self) -> dict[str, str]:
        return {"PYTHONPATH": os.pathsep.join([str(self.folder), *filter(None, sys.path)])}

    def make_ready(self) -> None:
        (self.folder / "ready").touch()


@pytest.fixture
def host(serve: Serve, tmp_path: Path) -> Host:
    return Host(serve, tmp_path)


async def call(client: mcp.Client, name: str) -> str:
    return str((await client.call_tool(f"{name}_run", {})).content[0].text)  # type: ignore[union-attr]


async def readyz(url: str) -> tuple[int, Any]:
    async with httpx2.AsyncClient() as http:
        answer = await http.get(url.replace("/mcp", "/readyz"))
    return answer.status_code, answer.json()


@pytest.mark.parametrize(
    ("more", "warning", "reason", "listed"),
    [
        (
            HANGS_AT_IMPORT,
            "'bad' .*still being imported; it has 4 s",
            "did not finish within 4 s",
            ["good_run"],
        ),
        (
            BLOCKS,
            r"'bad' .*blocks the event loop, at .*bad_module.py:\d+",
            "blocked the event loop",
            ["bad_run", "good_run"],  # a call tries it again
        ),
    ],
)
async def test_what_hangs_at_the_start_is_named_and_costs_itself(
    host: Host, more: str, warning: str, reason: str, listed: list[str]
) -> None:
    server = host.start(more, "lifespan.startup_timeout=4")
    server.wait_for(warning)
    url = server.url()
    async with mcp.Client(url) as client:
        answer = await call(client, "good")
        tools = [tool.name for tool in (await client.list_tools()).tools]
    status, report = await readyz(url)

    assert answer == "state: None"
    assert tools == listed
    assert (status, report["status"]) == (200, "degraded")
    assert reason in report["plugins"]["bad"]["reason"]
    assert server.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(
    ("more", "warning"),
    [(HANGS_AT_IMPORT, "still being imported"), (BLOCKS, "blocks the event loop")],
)
async def test_a_signal_ends_a_start_that_hangs(
    host: Host, more: str, warning: str, number: int
) -> None:
    server = host.start(more)
    server.wait_for(warning)
    start = time.monotonic()
    code = server.stop(number)

    assert time.monotonic() - start < SOON
    assert code in {-signal.SIGTERM, 0, 130, 143}, "".join(server.lines)


async def test_the_others_answer_while_a_lifespan_takes_long(host: Host) -> None:
    server = host.start(TAKES_LONG, "plugins.bad.call_timeout=1", "lifespan.startup_timeout=60")
    url = server.url()
    async with mcp.Client(url) as client:
        answer = await call(client, "good")
        tools = [tool.name for tool in (await client.list_tools()).tools]
        meanwhile = await readyz(url)
        with pytest.raises(MCPError, match="'bad' is still starting"):
            await call(client, "bad")
        host.make_ready()
        with anyio.fail_after(SOON):
            late = await call(client, "bad")
    after = await readyz(url)

    assert answer == "state: None"
    assert tools == ["bad_run", "good_run"]
    assert (meanwhile[0], meanwhile[1]["status"]) == (200, "starting")
    assert meanwhile[1]["plugins"]["bad"]["status"] == "starting"
    assert meanwhile[1]["plugins"]["bad"]["ready"] is False
    assert late == "state: open"
    assert after[1]["status"] == "ok"
    assert server.stop() == 0


async def test_a_server_stops_at_once_while_a_lifespan_is_being_entered(host: Host) -> None:
    server = host.start(TAKES_LONG, "lifespan.startup_timeout=60")
    server.url()
    start = time.monotonic()

    assert server.stop() == 0
    assert time.monotonic() - start < SOON


@pytest.mark.parametrize("body", ["time.sleep(3600)", "raise KeyboardInterrupt"])
def test_a_command_that_cannot_be_had_is_an_error(host: Host, run: Run, body: str) -> None:
    host.install("bad", f"@plugin.hookimpl\ndef mcpkit_commands(): {body}")
    env = {**host.env, "MCPKIT_LIFESPAN__STARTUP_TIMEOUT": "3"}

    done = run("x", "bad", "reload", env=env)

    assert done.returncode == 2
    assert "Error: Its hook 'mcpkit_commands'" in done.stderr
