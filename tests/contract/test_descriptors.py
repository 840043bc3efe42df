"""Standard input and output may be pipes, sockets, files or a terminal: all are served alike."""

import contextlib
import json
import os
import pty
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run, environment
from tests.contract.conftest import write_plugin

pytestmark = pytest.mark.contract

LIMIT = 30.0
TEXT = "æ" * 300_000
"""More than pipes and sockets hold."""


def request(number: int, method: str, **params: Any) -> bytes:
    message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    return json.dumps(message).encode() + b"\n"


def conversation(text: str) -> bytes:
    client = {"name": "raw", "version": "1"}
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client}
    return request(1, "initialize", **hello) + request(
        2, "tools/call", name="conversation_echo", arguments={"text": text}
    )


@pytest.fixture
def serve(test_plugins: Path, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start a server over some descriptors; what still runs at the end is killed."""
    started: list[subprocess.Popen[bytes]] = []

    def start(stdin: Any, stdout: Any) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "mcpkit", "serve"]
        env = environment(test_plugins)
        with (tmp_path / "log.txt").open("wb") as log:
            started.append(
                subprocess.Popen(
                    command, stdin=stdin, stdout=stdout, stderr=log, env=env, cwd=tmp_path
                )
            )
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait(LIMIT)
        for pipe in filter(None, (process.stdin, process.stdout)):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


def echoed(said: bytes) -> str:
    """What the server answers to the call."""
    messages = [json.loads(line) for line in said.splitlines()]
    return str(next(m for m in messages if m["id"] == 2)["result"]["content"][0]["text"])


def test_files_are_read_and_written(serve: Any, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(conversation(TEXT))
    with (tmp_path / "in").open("rb") as stdin, (tmp_path / "out").open("wb") as stdout:
        process = serve(stdin, stdout)

    assert process.wait(LIMIT) == 0
    assert echoed((tmp_path / "out").read_bytes()) == TEXT


def test_sockets_are_read_and_written(serve: Any) -> None:
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            process = serve(theirs, theirs)
        ours.settimeout(LIMIT)
        ours.sendall(conversation(TEXT))
        ours.shutdown(socket.SHUT_WR)
        said = b""
        while chunk := ours.recv(65536):
            said += chunk

        assert process.wait(LIMIT) == 0
    assert echoed(said) == TEXT


def test_a_terminal_is_read_and_a_pipe_written(serve: Any) -> None:
    ours, theirs = pty.openpty()
    settings = termios.tcgetattr(theirs)
    settings[3] &= ~(termios.ECHO | termios.ICANON)
    termios.tcsetattr(theirs, termios.TCSANOW, settings)
    process = serve(theirs, subprocess.PIPE)
    os.close(theirs)
    os.write(ours, conversation("typed"))
    said = process.stdout.readline() + process.stdout.readline()
    process.terminate()

    assert process.wait(LIMIT) == 0
    os.close(ours)
    assert echoed(said) == "typed"


def test_a_host_that_reads_late_gets_it_all(serve: Any) -> None:
    process = serve(subprocess.PIPE, subprocess.PIPE)
    process.stdin.write(conversation(TEXT))
    process.stdin.close()
    time.sleep(2)  # the pipe is full by then
    before = processor_time(process.pid)
    time.sleep(0.5)
    waited = processor_time(process.pid) - before
    said = process.stdout.read()

    assert process.wait(LIMIT) == 0
    assert echoed(said) == TEXT
    assert waited <= 0.1  # it waits, and does not look again and again


def processor_time(pid: int) -> float:
    """Seconds that a process has used."""
    after_name = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def test_a_host_that_reads_no_more_ends_the_server(serve: Any) -> None:
    process = serve(subprocess.PIPE, subprocess.PIPE)
    process.stdin.write(conversation(TEXT))
    process.stdin.flush()
    process.stdout.readline()
    process.stdout.close()

    assert process.wait(LIMIT) == 0


NOISY = """
    def noise(where):
        os.write(1, f"descriptor {where}\\n".encode())
        print("print", where)
        print("__stdout__", where, file=sys.__stdout__)
        subprocess.run(["sh", "-c", "echo subprocess; cat; echo read"], check=True)

    def shout():
        while True:
            os.write(1, b"thread\\n")
            time.sleep(0.01)

    noise("import")
    threading.Thread(target=shout, daemon=True).start()
    logging.basicConfig(stream=sys.__stdout__, force=True)
    logging.getLogger("noisy").warning("log")

    @plugin.lifespan
    @asynccontextmanager
    async def lifespan(settings):
        noise("lifespan")
        yield
        noise("close")

    @plugin.tool()
    def echo(text: str) -> str:
        'Say the same.'
        noise("handler")
        return text

    import atexit
    atexit.register(noise, "exit")
"""


@pytest.fixture
def noisy(tmp_path: Path) -> dict[str, str]:
    """An environment with a plugin that writes to standard output in every way it can."""
    return environment(write_plugin(tmp_path / "site", "noisy", NOISY))


@pytest.mark.parametrize("options", [["--eager"], []])
def test_nothing_that_a_plugin_writes_mixes_with_the_protocol(
    noisy: dict[str, str], tmp_path: Path, options: list[str]
) -> None:
    command = [sys.executable, "-m", "mcpkit", "serve", *options]
    spoken = conversation(TEXT).replace(b"conversation_echo", b"noisy_echo")

    done = subprocess.run(
        [*command, "--set", 'plugins_allow=["noisy"]'],
        input=spoken,
        env=noisy,
        cwd=tmp_path,
        timeout=60,
        capture_output=True,
        check=True,
    )

    assert echoed(done.stdout) == TEXT
    said = done.stderr.decode()
    for where in ("import", "lifespan", "handler", "close", "exit"):
        assert f"descriptor {where}\n" in said
        assert f"print {where}\n" in said
        assert f"__stdout__ {where}\n" in said
    assert said.replace("thread\n", "").count("subprocess\nread\n") == 5
    assert "WARNING:noisy:log" in said
    assert "mcpkit.core.serving: Serving stdio\n" in said


@pytest.mark.parametrize(
    "arguments", [("tools", "list"), ("plugins", "check"), ("call", "noisy_echo", "-a", "text=x")]
)
def test_nothing_that_a_plugin_writes_mixes_with_data(
    run: Run, noisy: dict[str, str], arguments: tuple[str, ...]
) -> None:
    result = run(*arguments, "--json", "--set", 'plugins_allow=["noisy"]', env=noisy)

    assert json.loads(result.stdout)
    assert result.returncode == 0
    assert "descriptor exit\n" in result.stderr


def test_nothing_that_an_import_writes_mixes_with_a_command_of_a_plugin(
    run: Run, tmp_path: Path
) -> None:
    code = """
        import click
        os.write(1, b"import\\n")

        @plugin.hookimpl
        def mcpkit_commands():
            return [click.Command("say", callback=lambda: click.echo("said"))]
    """
    env = environment(write_plugin(tmp_path / "site", "speaking", code))

    result = run("x", "speaking", "say", env=env)

    assert (result.stdout, result.stderr) == ("said\n", "import\n")


def test_a_copy_of_the_process_does_not_keep_the_host_waiting(
    tmp_path: Path, test_plugins: Path
) -> None:
    code = """
        @plugin.tool()
        def fork() -> int:
            "Leave a copy of the process behind."
            pid = os.fork()
            if pid == 0:
                time.sleep(120)
                os._exit(0)
            return pid
    """
    env = environment(write_plugin(tmp_path / "site", "forking", code))
    command = [sys.executable, "-W", "ignore", "-m", "mcpkit", "serve"]
    spoken = conversation("").replace(b"conversation_echo", b"forking_fork")
    spoken = spoken.replace(b'{"text": ""}', b"{}")
    with (tmp_path / "log").open("wb") as log:
        done = subprocess.run(
            [*command, "--set", 'plugins_allow=["forking"]'],
            input=spoken,
            env=env,
            cwd=tmp_path,
            timeout=60,
            stdout=subprocess.PIPE,
            stderr=log,
            check=True,
        )

    os.kill(int(echoed(done.stdout)), 9)


@pytest.mark.parametrize("closed", ["0", "1", "2", "012"])
def test_streams_that_the_host_closed_are_empty(
    test_plugins: Path, tmp_path: Path, closed: str
) -> None:
    (tmp_path / "in").write_bytes(conversation("here"))
    shut = " ".join(f"{number}>&-" for number in closed)
    command = f"exec {sys.executable} -m mcpkit serve <in >out 2>log {shut}"

    done = subprocess.run(
        ["sh", "-c", command],
        env=environment(test_plugins),
        cwd=tmp_path,
        timeout=60,
        check=False,
    )

    said = (tmp_path / "out").read_bytes()
    assert done.returncode == 0
    assert (echoed(said) == "here") if closed == "2" else (said == b"")


def test_a_command_without_streams_has_nowhere_to_print(test_plugins: Path, tmp_path: Path) -> None:
    command = f"exec {sys.executable} -m mcpkit tools list --json --eager 2>log <&- >&-"

    done = subprocess.run(
        ["sh", "-c", command],
        env=environment(test_plugins),
        cwd=tmp_path,
        timeout=60,
        check=False,
    )

    said = (tmp_path / "log").read_text("utf-8")
    assert (done.returncode, said) == (0, "noise on stdout\n")


def test_a_server_whose_log_nobody_reads_any_more_goes_on(test_plugins: Path) -> None:
    command = [sys.executable, "-m", "mcpkit", "serve", "--log-level", "debug"]
    process = subprocess.Popen(
        command, env=environment(test_plugins), stdin=-1, stdout=-1, stderr=-1
    )
    assert process.stderr is not None
    process.stderr.close()

    said, _ = process.communicate(conversation("here"), LIMIT)

    assert (process.returncode, len(said.splitlines())) == (0, 2)


def test_a_host_that_does_not_read_the_log_is_answered(test_plugins: Path) -> None:
    command = [sys.executable, "-m", "mcpkit", "serve", "--log-level", "debug"]
    calls = b"".join(request(n, "tools/call", name="x" * 400) for n in range(3, 400))
    process = subprocess.Popen(
        command, env=environment(test_plugins), stdin=-1, stdout=-1, stderr=-1
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(conversation("here") + calls)
    process.stdin.close()

    said = process.stdout.read()

    assert process.wait(LIMIT) == 0
    assert len(said.splitlines()) == 399
    assert process.stderr is not None
    process.stdout.close()
    process.stderr.close()
