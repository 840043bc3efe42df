"""Stopping: calls in flight finish, lifespans close, the process exits with 0."""

import fcntl
import json
import os
import pty
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Any

import anyio
import httpx2
import mcp
import pytest
from mcp.client.sse import sse_client

from tests.conftest import Run, Serve, ServerProcess, environment
from tests.contract.conftest import websocket_client, write_plugin

pytestmark = [pytest.mark.anyio, pytest.mark.contract]

CALL = 2.0
"""Seconds that the call in flight takes."""

MODES = ("auto", "legacy")
"""Eras of the protocol, in the words of the client."""

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}


def wait_call(number: int, seconds: float) -> dict[str, Any]:
    params = {"name": "conversation_wait", "arguments": {"seconds": seconds}}
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}


async def until(path: Path, word: str, times: int = 1) -> None:
    """Wait until the plugin has noted a word."""
    with anyio.fail_after(20):
        while not path.exists() or path.read_text("utf-8").count(word) < times:
            await anyio.sleep(0.02)


async def test_sigterm_lets_calls_over_the_network_finish(serve: Serve, tmp_path: Path) -> None:
    journal = tmp_path / "journal.txt"
    server = serve(
        *("-t", "streamable-http", "-t", "sse", "-t", "websocket", "--port", "0"),
        *("--set", f"plugins.conversation.journal={journal}"),
    )
    targets: list[Any] = [
        make(server.url(transport))
        for transport, make in (
            ("streamable-http", str),
            ("sse", sse_client),
            ("websocket", websocket_client),
        )
        for _ in MODES
    ]
    results = []

    async def call(target: Any, mode: Any) -> None:
        async with mcp.Client(target, mode=mode) as client:
            await client.list_tools()  # which it asks for anyhow, when it checks a result
            results.append(await client.call_tool("conversation_wait", {"seconds": CALL}))

    with anyio.fail_after(40):
        async with anyio.create_task_group() as tasks:
            for target, mode in zip(targets, MODES * 3, strict=True):
                tasks.start_soon(call, target, mode)
            await until(journal, "waiting", 6)
            server.process.send_signal(signal.SIGTERM)

    code = await anyio.to_thread.run_sync(server.process.wait, 30)
    assert [result.structured_content for result in results] == [{"result": "waited 2 s"}] * 6
    noted = journal.read_text("utf-8").splitlines()
    assert (noted[0], noted.count("waited"), noted[-1]) == ("open", 6, "close")
    assert code == 0


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "end of input"])
async def test_stopping_on_stdio_lets_a_call_finish(serve: Serve, tmp_path: Path, how: str) -> None:
    journal = tmp_path / "journal.txt"
    server = serve("--set", f"plugins.conversation.journal={journal}")
    stdin, stdout = server.process.stdin, server.process.stdout
    assert stdin is not None
    assert stdout is not None
    for message in (
        INITIALIZE,
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        wait_call(2, CALL),
    ):
        stdin.write(json.dumps(message).encode() + b"\n")
    stdin.flush()
    await until(journal, "waiting")

    if how == "end of input":
        stdin.close()
    else:
        server.process.send_signal(getattr(signal, how))
        await anyio.to_thread.run_sync(server.wait_for, "finishing calls in flight")
        stdin.write(json.dumps(wait_call(3, 0)).encode() + b"\n")
        stdin.flush()
    code = await anyio.to_thread.run_sync(server.process.wait, 30)

    lines = map(json.loads, stdout.read().splitlines())
    answers = {answer["id"]: answer for answer in lines if "id" in answer}
    assert answers[2]["result"]["structuredContent"] == {"result": "waited 2 s"}
    if how != "end of input":
        assert answers[3]["error"]["code"] == 503
    assert journal.read_text("utf-8").splitlines() == ["open", "waiting", "waited", "close"]
    assert code == 0


async def test_a_second_signal_stops_at_once(serve: Serve, tmp_path: Path) -> None:
    journal = tmp_path / "journal.txt"
    server = serve("--set", f"plugins.conversation.journal={journal}")
    assert server.process.stdin is not None
    server.process.stdin.write(json.dumps(INITIALIZE).encode() + b"\n")
    server.process.stdin.write(json.dumps(wait_call(2, 60)).encode() + b"\n")
    server.process.stdin.flush()
    await until(journal, "waiting")

    server.process.send_signal(signal.SIGINT)
    await anyio.to_thread.run_sync(server.wait_for, "finishing calls in flight")
    server.process.send_signal(signal.SIGINT)
    with anyio.fail_after(10):
        await anyio.to_thread.run_sync(server.process.wait, 10)

    assert journal.read_text("utf-8").splitlines()[-1] == "close"


async def test_the_grace_period_ends_calls_that_do_not(serve: Serve, tmp_path: Path) -> None:
    journal = tmp_path / "journal.txt"
    server = serve(
        *("--set", f"plugins.conversation.journal={journal}"),
        *("--set", "lifespan.grace_period=0.3"),
    )
    assert server.process.stdin is not None
    server.process.stdin.write(json.dumps(INITIALIZE).encode() + b"\n")
    server.process.stdin.write(json.dumps(wait_call(2, 60)).encode() + b"\n")
    server.process.stdin.flush()
    await until(journal, "waiting")

    code = await anyio.to_thread.run_sync(server.stop)

    assert journal.read_text("utf-8").splitlines() == ["open", "waiting", "cancelled", "close"]
    assert code == 0
    server.close()
    told = [line for line in server.lines if "The grace period of 0.3 s is over" in line]
    assert told[0].endswith("abandoning tools/call 'conversation_wait' (request 2)\n")


async def test_a_client_that_disconnects_mid_call_harms_nobody(
    serve: Serve, tmp_path: Path
) -> None:
    journal = tmp_path / "journal.txt"
    server = serve(
        *("--transport", "streamable-http", "--port", "0"),
        *("--set", f"plugins.conversation.journal={journal}"),
    )
    url = server.url()
    body = wait_call(1, 60)
    body["params"]["_meta"] = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    headers = {
        "Accept": "application/json, text/event-stream",
        "Mcp-Protocol-Version": "2026-07-28",
        "Mcp-Method": "tools/call",
        "Mcp-Name": "conversation_wait",
    }
    with anyio.fail_after(30):
        async with httpx2.AsyncClient() as http:
            with anyio.move_on_after(1):
                await http.post(url, json=body, headers=headers)
        await until(journal, "cancelled")
        async with mcp.Client(url) as client:
            echoed = await client.call_tool("conversation_echo", {"text": "still here"})

    assert echoed.structured_content == {"result": "still here"}
    assert server.stop() == 0


async def test_a_host_that_dies_takes_its_stdio_server_along(serve: Serve) -> None:
    server = serve()
    server.wait_for("Serving stdio")
    assert server.process.stdin is not None
    assert server.process.stdout is not None

    server.process.stdout.close()
    server.process.stdin.close()

    assert await anyio.to_thread.run_sync(server.process.wait, 15) == 0


def install(tmp_path: Path, code: str) -> dict[str, str]:
    """Install a plugin called `bad`, beside which no other is allowed."""
    env = environment(write_plugin(tmp_path / "site", "bad", code))
    return env | {"MCPKIT_PLUGINS_ALLOW": "bad", "JOURNAL": str(tmp_path / "journal.txt")}


def ask(server: ServerProcess, *messages: dict[str, Any]) -> None:
    """Send messages over stdio."""
    assert server.process.stdin is not None
    for message in (INITIALIZE, *messages):
        server.process.stdin.write(json.dumps(message).encode() + b"\n")
    server.process.stdin.flush()


def call_of(tool: str) -> dict[str, Any]:
    params = {"name": f"bad_{tool}", "arguments": {}}
    return {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params}


def ending(server: ServerProcess, seconds: float) -> tuple[int, str]:
    """Wait until the process has ended; its exit code and the record that names what is left."""
    code = server.process.wait(seconds)
    server.close()
    return code, "".join(line for line in server.lines if "Abandoned: " in line)


STUBBORN = """
    @plugin.lifespan
    @asynccontextmanager
    async def lifespan(settings):
        yield
        while True:
            try:
                await anyio.sleep(60)
            except BaseException:
                pass

    @plugin.tool()
    async def nothing() -> str:
        'Return.'
        return ""
"""

NAMED = "lifespan of plugin 'bad' (mcpkit-plugin-bad 1.0)"


@pytest.mark.parametrize("transport", ["stdio", "streamable-http"])
def test_a_second_signal_ends_a_lifespan_that_swallows_cancellation(
    serve: Serve, tmp_path: Path, transport: str
) -> None:
    env = install(tmp_path, STUBBORN)
    server = serve("--eager", "-t", transport, "--port", "0", env=env)
    server.wait_for("Serving")

    server.process.send_signal(signal.SIGTERM)
    server.wait_for("finishing calls in flight")
    server.process.send_signal(signal.SIGTERM)
    server.wait_for("stopping at once")
    began = time.monotonic()
    code, said = ending(server, 10)

    assert (code, NAMED in said) == (1, True), said
    assert time.monotonic() - began < 6


def test_one_signal_ends_it_after_its_limits(serve: Serve, tmp_path: Path) -> None:
    env = install(tmp_path, STUBBORN)
    limits = ("--set", "lifespan.grace_period=0", "--set", "lifespan.shutdown_timeout=0.1")
    server = serve("--eager", *limits, env=env)
    server.wait_for("Serving")

    server.process.send_signal(signal.SIGTERM)
    code, said = ending(server, 25)

    assert (code, NAMED in said) == (1, True), said
    assert "Closing lifespans took too long" in said


def test_a_blocked_event_loop_is_ended(serve: Serve, tmp_path: Path) -> None:
    code = """
        @plugin.tool()
        async def spin() -> str:
            'Block the event loop.'
            print("spinning", file=sys.stderr)
            while True:
                time.sleep(0.01)
    """
    server = serve(env=install(tmp_path, code))
    ask(server, call_of("spin"))
    server.wait_for("spinning")

    server.process.send_signal(signal.SIGTERM)
    server.wait_for("finishing calls in flight")
    server.process.send_signal(signal.SIGTERM)
    ended, said = ending(server, 10)

    assert ended == 1
    assert "the main thread in bad_module.spin (" in said
    assert "tools/call 'bad_spin' (request 2)" in said


HANGING = """
    import asyncio

    def hang():
        print("hanging", file=sys.stderr)
        time.sleep(600)

    @plugin.tool(timeout=0.1)
    def sync() -> str:
        'Hang in a worker thread.'
        hang()

    @plugin.tool(timeout=0.1)
    async def executor() -> str:
        'Hang in a thread of the event loop.'
        await asyncio.to_thread(hang)

    @plugin.tool()
    async def at_exit() -> str:
        'Hang when the process ends.'
        import atexit
        atexit.register(hang)
        print("hanging", file=sys.stderr)
"""


@pytest.mark.parametrize("tool", ["sync", "executor", "at_exit"])
def test_what_hangs_in_a_thread_or_at_the_end_is_named(
    serve: Serve, tmp_path: Path, tool: str
) -> None:
    server = serve(env=install(tmp_path, HANGING))
    ask(server, call_of(tool))
    server.wait_for("hanging")

    assert server.process.stdin is not None
    server.process.stdin.close()
    code, said = ending(server, 20)

    assert (code, "in bad_module.hang (" in said) == (1, True), said


def test_a_command_does_not_wait_for_what_hangs(run: Run, tmp_path: Path) -> None:
    result = run("call", "bad_executor", env=install(tmp_path, HANGING))

    assert (result.returncode, result.stdout) == (1, "")
    assert "Ending the event loop took too long" in result.stderr
    assert "in bad_module.hang (" in result.stderr


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGINT", 130)])
def test_a_signal_ends_an_import_that_hangs(
    serve: Serve, tmp_path: Path, name: str, code: int
) -> None:
    hang = "print('importing', file=sys.stderr)\ntime.sleep(600)"
    env = environment(write_plugin(tmp_path / "site", "bad", f"def hang():\n    ...\n{hang}"))
    server = serve("--eager", env=env | {"MCPKIT_PLUGINS_ALLOW": "bad"})
    server.wait_for("importing")

    server.process.send_signal(getattr(signal, name))
    ended = server.process.wait(10)
    server.close()

    assert ended == code
    assert any(f"{name}: stopping" in line and "bad_module" in line for line in server.lines)


def test_signals_end_a_lifespan_that_blocks_the_start(serve: Serve, tmp_path: Path) -> None:
    code = """
        @plugin.lifespan
        @asynccontextmanager
        async def lifespan(settings):
            print("opening", file=sys.stderr)
            while True:
                try:
                    time.sleep(600)
                except BaseException:  # it swallows that it is interrupted
                    pass
            yield
    """
    server = serve("--eager", env=install(tmp_path, code))
    server.wait_for("opening")

    server.process.send_signal(signal.SIGTERM)
    server.wait_for("stopping before the server has started")
    server.process.send_signal(signal.SIGTERM)
    ended, said = ending(server, 10)

    assert (ended, "bad_module.lifespan" in said) == (1, True), said


JOURNAL = """
    def note(line):
        with open(os.environ["JOURNAL"], "a") as file:
            file.write(line + "\\n")

    @plugin.lifespan
    @asynccontextmanager
    async def lifespan(settings):
        note("open")
        yield
        note("close")
"""


@pytest.mark.parametrize("transport", ["stdio", "streamable-http"])
def test_a_hangup_closes_lifespans(serve: Serve, tmp_path: Path, transport: str) -> None:
    server = serve("--eager", "-t", transport, "--port", "0", env=install(tmp_path, JOURNAL))
    server.wait_for("Serving")

    assert server.stop(signal.SIGHUP) == 0
    assert (tmp_path / "journal.txt").read_text("utf-8").splitlines() == ["open", "close"]


def test_a_terminal_that_is_closed_closes_lifespans(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()

    def control() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    command = [sys.executable, "-m", "mcpkit", "serve", "--eager"]
    options: dict[str, Any] = {"start_new_session": True, "preexec_fn": control}
    streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    env = install(tmp_path, JOURNAL)
    process = subprocess.Popen(command, **streams, **options, env=env, cwd=tmp_path)
    os.close(theirs)
    said = b""
    while b"Serving stdio" not in said:
        said += os.read(ours, 4096)

    os.close(ours)

    assert process.wait(15) == 0
    assert (tmp_path / "journal.txt").read_text("utf-8").splitlines() == ["open", "close"]


def test_nohup_is_respected(tmp_path: Path) -> None:
    command = ["nohup", sys.executable, "-m", "mcpkit", "serve", "--eager"]
    env = install(tmp_path, JOURNAL)
    process = subprocess.Popen(command, stdin=-1, stdout=-1, stderr=-1, env=env, cwd=tmp_path)
    server = ServerProcess(process)
    server.start_following()
    server.wait_for("Serving stdio")

    process.send_signal(signal.SIGHUP)
    ask(server)
    assert process.stdout is not None
    answer = json.loads(process.stdout.readline())
    server.close()

    assert answer["id"] == 1
