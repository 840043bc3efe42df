"""A shared server: hosts that agree on everything share one process, and never their sessions."""

import contextlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import anyio
import mcp
import mcp_types as types
import pytest

from tests.conftest import ROOT, ServerProcess, start_server
from tests.contract.test_stopping import INITIALIZE

pytestmark = [pytest.mark.anyio, pytest.mark.contract]

PLUGIN = '''
    import os
    import anyio
    from mcpkit import Context, Plugin

    plugin = Plugin()

    def note(line):
        with open(os.environ["JOURNAL"], "a") as file:
            file.write(line + "\\n")

    note("import")

    @plugin.tool()
    def process() -> int:
        """Tell which process this is."""
        return os.getpid()

    @plugin.tool()
    def echo(text: str) -> str:
        """Say the same."""
        return text

    @plugin.tool()
    async def wait(seconds: float) -> str:
        """Wait."""
        note("waiting")
        await anyio.sleep(seconds)
        note("waited")
        return "waited"

    @plugin.tool()
    async def publish(ctx: Context) -> str:
        """Log, and publish a change."""
        await ctx.log("warning", "published")
        await ctx.notify_resource_updated("site://topic")
        return "published"

    @plugin.resource("site://topic")
    def topic() -> str:
        """The topic."""
        return "the weather"
'''


class Site:
    """An installed plugin, a folder to work in, and a runtime folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.runtime = folder / "run"
        self.work = folder / "work"
        self.journal = folder / "journal"
        self.installed = folder / "site"
        for path in (self.runtime, self.work, self.installed):
            path.mkdir(mode=0o700)
        (self.installed / "site_module.py").write_text(dedent(PLUGIN), "utf-8")
        self.install("site")
        kept = {key: value for key, value in os.environ.items() if not key.startswith("MCPKIT_")}
        paths = [str(self.installed), os.environ.get("PYTHONPATH", "")]
        self.env = kept | {
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "XDG_RUNTIME_DIR": str(self.runtime),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "MCPKIT_PLUGINS_ALLOW": "site",
            "JOURNAL": str(self.journal),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def install(self, name: str, plugin: str = "site") -> None:
        """Write what an installer leaves."""
        info = self.installed / f"{name}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        if name == plugin:
            entry = "[mcpkit.plugins]\nsite = site_module:plugin\n"
            (info / "entry_points.txt").write_text(entry, "utf-8")

    @property
    def folder(self) -> Path:
        """Where the files of shared servers are."""
        return self.runtime / "mcpkit"

    def files(self, ending: str) -> list[Path]:
        """Files of all servers."""
        return sorted(self.folder.glob(f"*.{ending}"))

    def run(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "mcpkit", *arguments],
            **{"env": self.env, "cwd": self.work, "stdin": subprocess.DEVNULL} | options,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def status(self) -> list[dict[str, Any]]:
        """The servers that run."""
        found: list[dict[str, Any]] = json.loads(self.run("shared", "status", "--json").stdout)
        return found

    def host(self, *arguments: str, env: dict[str, str] | None = None, **options: Any) -> Any:
        """The official client, as a host that starts its server."""
        parameters = mcp.StdioServerParameters(
            command=sys.executable,
            args=["-P", "-m", "mcpkit", "serve", "--shared", *arguments],
            env=self.env | (env or {}),
            cwd=options.pop("cwd", self.work),
        )
        return mcp.Client(parameters, **options)


@pytest.fixture
def site() -> Iterator[Site]:
    """In a short path, as sockets need; servers that still run are stopped."""
    folder = Path(tempfile.mkdtemp(prefix="shared-"))
    site = Site(folder)
    yield site
    if site.files("sock"):
        stopped = site.run("shared", "stop")
        assert stopped.returncode == 0, stopped.stderr
    shutil.rmtree(folder)


@pytest.fixture
def relay(site: Site) -> Iterator[Callable[..., "Relay"]]:
    """Start a relay and speak to it in lines; what still runs at the end is killed."""
    started: list[Relay] = []

    def start(*arguments: str) -> Relay:
        started.append(Relay(start_server(("--shared", *arguments), site.env, site.work)))
        return started[-1]

    yield start
    for item in started:
        item.server.close()


class Relay:
    """A relay, as a host that speaks the protocol by hand sees it."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        self.process = server.process

    def send(self, *messages: dict[str, Any]) -> None:
        """Write lines."""
        assert self.process.stdin is not None
        for message in messages:
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def call(self, tool: str, **arguments: Any) -> None:
        """Call a tool after the handshake."""
        params = {"name": f"site_{tool}", "arguments": arguments}
        self.send(
            INITIALIZE,
            {"jsonrpc": "2.0", "method": "notifications/initialized"},
            {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params},
        )

    def answer(self) -> Any:
        """Read on until the call is answered."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            message = json.loads(line)
            if message.get("id") == 2:
                return message["result"]["structuredContent"]["result"]
        pytest.fail("".join(self.server.lines))

    def wait(self) -> int:
        """Wait for the exit code."""
        return self.process.wait(20)


def until(condition: Callable[[], object], seconds: float = 20) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    """Whether a process runs; one that nobody has waited for does not."""
    try:
        return state_of(pid)[0] != "Z"
    except FileNotFoundError:
        return False


def state_of(pid: int) -> list[str]:
    """State, parent and more of a process (proc_pid_stat(5))."""
    return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()


async def process_of(client: mcp.Client) -> int:
    return int((await client.call_tool("site_process", {})).structured_content["result"])  # type: ignore[index]


@pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")
async def test_two_hosts_share_a_process_and_no_session(site: Site) -> None:
    heard: dict[str, list[str]] = {"one": [], "two": []}

    def ears(name: str) -> dict[str, Any]:
        async def on_message(message: Any) -> None:
            heard[name].append(type(message).__name__)

        async def on_log(params: types.LoggingMessageNotificationParams) -> None:
            heard[name].append(f"log {params.data}")

        return {"message_handler": on_message, "logging_callback": on_log, "mode": "legacy"}

    with anyio.fail_after(30):
        async with site.host(**ears("one")) as one, site.host(**ears("two")) as two:
            assert await process_of(one) == await process_of(two) != os.getpid()
            await one.set_logging_level("debug")
            await one.subscribe_resource("site://topic")
            await two.set_logging_level("error")
            await two.call_tool("site_publish", {})
            while "ResourceUpdatedNotification" not in heard["one"]:
                await anyio.sleep(0.01)
            await one.call_tool("site_publish", {})
            while "log published" not in heard["one"]:
                await anyio.sleep(0.01)

    assert heard["one"].count("log published") == 1
    assert heard["two"] == []


async def test_hosts_that_differ_in_anything_share_nothing(site: Site, tmp_path: Path) -> None:
    pids = []

    async def serve(*arguments: str, **options: Any) -> None:
        async with site.host(*arguments, **options) as client:
            pids.append(await process_of(client))

    with anyio.fail_after(60):
        await serve()
        await serve(env={"TERM": "other", "SHLVL": "7"})
        await serve(cwd=tmp_path)
        await serve("-C", str(tmp_path))
        await serve(env={"A": "b"})
        await serve("--set", "name=other")
        site.install("another")
        await serve()

    first, in_another_terminal, in_folder, told_folder, *others = pids
    assert first == in_another_terminal
    assert in_folder == told_folder
    assert len({first, in_folder, *others}) == 5


def test_ten_hosts_at_once_start_one_server(site: Site, relay: Any) -> None:
    relays = [relay() for _ in range(10)]
    for item in relays:
        item.call("process")

    pids = {item.answer() for item in relays}

    assert len(pids) == 1
    assert site.journal.read_text("utf-8").splitlines() == ["import"]
    (told,) = site.status()
    assert (told["pid"], told["connections"], told["plugins"]) == (*pids, 10, ["site"])
    assert str(told["pid"]) in site.run("shared", "status").stdout


def test_its_files_and_its_status_tell_nobody_a_secret(site: Site, relay: Any) -> None:
    secret = "a-key-of-good-length"
    item = relay("--set", f"auth.api_keys.me={secret}", "--set", "name=shown")
    item.call("process")
    item.answer()

    (told,) = site.status()
    modes = {
        path.suffix or path.name: stat.S_IMODE(path.lstat().st_mode)
        for path in (site.folder, *site.folder.iterdir())
    }

    assert secret not in json.dumps(told)
    masked = ["--set", "auth.api_keys.me=**********", "--set", "name=shown"]
    assert told["command"] == ["mcpkit", "serve", "--shared", *masked]
    assert modes == {"mcpkit": 0o700, ".sock": 0o600, ".lock": 0o600, ".log": 0o600}


def test_a_crash_ends_the_client_and_the_next_one_starts_anew(site: Site, relay: Any) -> None:
    item = relay()
    item.call("process")
    pid = item.answer()
    item.call("wait", seconds=60)
    until(lambda: "waiting" in site.journal.read_text("utf-8"))
    began = time.monotonic()

    os.kill(pid, signal.SIGKILL)
    code = item.wait()
    took = time.monotonic() - began
    item.server.wait_for(r"^Error: The shared server has gone away; its log is /.*\.log$")
    left = site.files("sock")
    removed = (site.status(), site.files("sock"))
    again = relay()
    again.call("process")

    assert (code, took < 5, len(left)) == (1, True, 1)
    assert removed == ([], [])
    assert again.answer() != pid


def test_the_server_outlives_the_host_that_started_it(site: Site, relay: Any) -> None:
    first = relay()
    first.call("process")
    pid = first.answer()
    assert int(state_of(pid)[1]) != first.process.pid

    first.process.kill()
    first.process.wait(20)
    second = relay()
    second.call("process")

    assert second.answer() == pid
    assert os.getsid(pid) == pid


def test_a_server_that_nobody_needs_leaves(site: Site, relay: Any) -> None:
    item = relay("--set", "shared.idle_timeout=0.5")
    item.call("process")
    pid = item.answer()
    item.process.stdin.close()
    assert item.wait() == 0
    until(lambda: not is_running(pid))

    again = relay("--set", "shared.idle_timeout=0.5")
    again.call("process")

    assert again.answer() != pid
    assert "Nobody has needed the server for 0.5 s" in site.files("log")[0].read_text("utf-8")


def test_hosts_that_come_while_it_leaves_are_served(site: Site, relay: Any) -> None:
    idle = ("--set", "shared.idle_timeout=0.001")
    for _ in range(4):
        item = relay(*idle)
        item.call("process")
        assert item.answer() > 0
        item.process.stdin.close()
        assert item.wait() == 0


@pytest.mark.parametrize("who", ["all servers", "relay"])
def test_stopping_lets_a_call_finish(site: Site, relay: Any, who: str) -> None:
    item = relay()
    item.call("wait", seconds=1)
    until(lambda: site.journal.exists() and "waiting" in site.journal.read_text("utf-8"))

    if who == "relay":
        item.process.send_signal(signal.SIGTERM)
    else:
        stopped = site.run("shared", "stop")
        assert stopped.stderr == "Stopped 1 shared server\n"

    assert item.answer() == "waited"
    assert item.wait() == (0 if who == "relay" else 1)
    assert len(site.status()) == (1 if who == "relay" else 0)


def test_a_relay_that_is_told_twice_leaves_at_once(site: Site, relay: Any) -> None:
    item = relay("--set", "lifespan.grace_period=0")
    item.call("wait", seconds=30)
    until(lambda: site.journal.exists() and "waiting" in site.journal.read_text("utf-8"))

    item.process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        item.process.wait(0.2)
    item.process.send_signal(signal.SIGINT)

    assert item.process.wait(5) == 0


def test_the_end_of_input_finishes_what_was_asked(relay: Any) -> None:
    item = relay()
    item.call("wait", seconds=0.5)
    item.process.stdin.close()

    assert item.answer() == "waited"
    assert item.wait() == 0


def test_a_host_that_does_not_read_any_more_ends_its_relay(relay: Any) -> None:
    item = relay()
    item.call("process")
    item.answer()

    item.process.stdout.close()
    with contextlib.suppress(BrokenPipeError):
        item.call("process")

    assert item.wait() == 0
    assert item.server.lines == []


@pytest.mark.parametrize("closed", ["<&-", ">&-"])
def test_a_relay_without_streams_ends(site: Site, closed: str) -> None:
    command = f"exec {sys.executable} -m mcpkit serve --shared {closed}"

    done = subprocess.run(
        ["sh", "-c", command],
        env=site.env,
        cwd=site.work,
        input=json.dumps(INITIALIZE).encode() + b"\n",
        timeout=60,
        check=False,
    )

    assert done.returncode == 0


def test_large_messages_pass_both_ways(relay: Any) -> None:
    item = relay()
    text = "0123456789" * 1_000_000
    writing = threading.Thread(target=item.call, args=("echo",), kwargs={"text": text})
    writing.start()

    assert item.answer() == text
    writing.join(20)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set", "nonsense=1"], "nonsense is no setting"),
        (["--nonsense"], "No such option"),
        (["-C", "nowhere"], "does not exist"),
        (["--strict", "--set", "plugins.site.nonsense=1"], "It takes no settings"),
        (["--transport", "streamable-http"], "--shared serves stdio alone"),
        (["--port", "0"], "--shared serves stdio alone"),
        (["--set", 'transports=["sse"]'], "--shared serves stdio alone"),
    ],
)
def test_a_server_that_cannot_start_says_why(site: Site, arguments: list[str], said: str) -> None:
    result = site.run("serve", "--shared", *arguments)

    assert (result.returncode, said in result.stderr) == (2, True), result.stderr
    if "alone" not in said:
        plain = site.run("serve", *arguments)
        assert plain.returncode == 2
        assert plain.stderr.splitlines()[-1] == result.stderr.splitlines()[-1]
    assert site.files("sock") == []


def test_where_no_server_can_be_shared_it_serves_alone(site: Site) -> None:
    code = "from mcpkit.cli.main import main; main(['serve', '--shared'])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=site.env,
        cwd=site.work,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert "cannot be shared here: serving this client alone" in done.stderr
    assert "Serving stdio" in done.stderr


def test_the_option_of_the_server_is_not_for_people(site: Site) -> None:
    result = site.run("serve", "--shared-server", "1,2")

    assert (result.returncode, "say --shared" in result.stderr) == (2, True)


def test_help_tells_of_sharing(site: Site) -> None:
    helped = site.run("serve", "--shared", "--help")

    assert (helped.returncode, "--shared" in helped.stdout) == (0, True)
    assert "--shared-server" not in helped.stdout


def served_alone(result: subprocess.CompletedProcess[str]) -> str:
    """Why a host was served without a shared server."""
    assert (result.returncode, "Serving stdio" in result.stderr) == (0, True), result.stderr
    assert "Traceback" not in result.stderr
    lines = result.stderr.splitlines()
    return next(filter(None, (line.partition("not by a shared server: ")[2] for line in lines)))


def test_a_hostile_runtime_folder_is_not_used(site: Site) -> None:
    def refusal() -> str:
        return served_alone(site.run("serve", "--shared")).partition("servers: ")[2]

    elsewhere = site.work / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    site.folder.symlink_to(elsewhere)
    assert refusal() == "it is no folder"
    site.folder.unlink()
    site.folder.mkdir()
    site.folder.chmod(0o770)
    assert refusal() == "others have access to it"
    site.folder.chmod(0o700)
    site.runtime.chmod(0o777)
    assert refusal() == "others have access to it"
    site.runtime.chmod(0o700)
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("ending", ["lock", "log"])
def test_a_link_in_place_of_a_file_is_not_followed(site: Site, ending: str) -> None:
    site.run("serve", "--shared")
    site.run("shared", "stop")
    (path,) = site.files(ending)
    path.unlink()
    path.symlink_to(site.work / "precious")

    reason = served_alone(site.run("serve", "--shared"))

    assert reason == f"Refusing '{path}' for a shared server: it is a link"
    assert not (site.work / "precious").exists()
    path.unlink()


@pytest.mark.parametrize("name", ["mcpkit.toml", ".env"])
def test_a_pipe_in_place_of_a_settings_file_keeps_no_host_waiting(site: Site, name: str) -> None:
    os.mkfifo(site.work / name)

    result = site.run("serve", "--shared")

    assert (result.returncode, "it is no regular file" in result.stderr) == (2, True)


def test_a_stopped_server_keeps_no_host_waiting_and_is_killed(site: Site, relay: Any) -> None:
    first = relay()
    first.call("process")
    pid = first.answer()
    os.kill(pid, signal.SIGSTOP)

    began = time.monotonic()
    second = relay()
    second.call("process")
    alone = second.answer()
    took = time.monotonic() - began
    told = second.server.wait_for(r"not by a shared server: (.*)")
    hint = second.server.wait_for(r"^    hint: (.*)")
    stopped = site.run("shared", "stop", "--force")

    assert alone != pid
    assert took < 30
    assert told.endswith(".sock' does not answer")
    assert "mcpkit shared stop --force" in hint
    assert (stopped.returncode, stopped.stderr) == (0, "Stopped 1 shared server\n")
    assert first.wait() == 1
    until(lambda: not is_running(pid))


IMPATIENT = """
import sys
from mcpkit.shared import knocking, relay
knocking.ANSWER, relay.LOOK = 0.2, 1
from mcpkit.__main__ import main
main()
"""


@pytest.mark.parametrize("how", ["the input ends", "nothing is taken"])
def test_a_relay_does_not_outlive_a_server_that_stands_still(site: Site, how: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", IMPATIENT, "serve", "--shared"],
        env=site.env,
        cwd=site.work,
        stdin=-1,
        stdout=-1,
        stderr=-1,
    )
    item = Relay(ServerProcess(process))
    item.server.start_following()
    item.call("process")
    os.kill(item.answer(), signal.SIGSTOP)

    writing = threading.Thread(target=feed, args=(process.stdin, how == "nothing is taken"))
    writing.start()

    assert item.wait() == 1
    writing.join(20)
    item.server.wait_for("^Error: The shared server does not answer; its log is ")
    item.server.close()
    assert site.run("shared", "stop", "--force").returncode == 0


def feed(stdin: Any, is_endless: bool) -> None:
    """Write until nobody reads, or end the input."""
    with contextlib.suppress(BrokenPipeError):
        while is_endless:
            stdin.write(b" " * 65536)
        stdin.close()


def test_bytecode_that_is_written_makes_no_other_server(site: Site, relay: Any) -> None:
    del site.env["PYTHONDONTWRITEBYTECODE"]
    pids = set()
    for _ in range(3):
        item = relay()
        item.call("process")
        pids.add(item.answer())

    assert (site.installed / "__pycache__").is_dir()
    assert len(pids) == 1


def test_the_relay_imports_the_standard_library_alone(site: Site, relay: Any) -> None:
    def imported(*arguments: str) -> set[str]:
        done = subprocess.run(
            [sys.executable, "-X", "importtime", *arguments],
            env=site.env,
            cwd=site.work,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
        return {line.rpartition("|")[2].strip() for line in lines}

    command = ("-m", "mcpkit", "serve", "--shared")
    imported(*command)  # starts the server
    modules = imported(*command) - imported("-c", "import runpy")

    ours = {name for name in modules if name.startswith("mcpkit")}
    assert {name.partition(".")[0] for name in modules - ours} <= sys.stdlib_module_names
    assert ours == {
        "mcpkit",
        "mcpkit.core",
        "mcpkit.core.deferred",
        "mcpkit.core.errors",
        "mcpkit.core.own_files",
        "mcpkit.core.peers",
        "mcpkit.core.user_folders",
        "mcpkit.shared",
        "mcpkit.shared.identity",
        "mcpkit.shared.knocking",
        "mcpkit.shared.places",
        "mcpkit.shared.relay",
    }
    assert not {"typing", "pathlib", "json", "subprocess", "asyncio", "threading"} & modules


def test_the_console_script_shares_as_well() -> None:
    text = (ROOT / "pyproject.toml").read_text("utf-8")

    assert 'mcpkit = "mcpkit.__main__:main"' in text
