"""Ways to connect the official client to a server process, by transport."""

import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any

import anyio
import mcp
import mcp_types as types
import pytest
import websockets
from mcp.client.sse import sse_client
from mcp.shared.message import SessionMessage

from tests.conftest import BUNDLED, START, ServerProcess, environment, install, start_server

PREAMBLE = """
    import logging, os, subprocess, sys, threading, time
    from collections.abc import AsyncIterator
    from contextlib import asynccontextmanager
    import anyio
    from mcpkit import Context, Plugin, ToolError
    plugin = Plugin()
"""
"""What the plugins that tests write begin with."""


def write_plugin(folder: Path, name: str, code: str) -> Path:
    """Install a plugin as an installer would, to be found by processes with that `PYTHONPATH`."""
    module = f"{name}_module"
    info = folder / f"mcpkit_plugin_{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / f"{module}.py").write_text(dedent(PREAMBLE) + dedent(code), "utf-8")
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: mcpkit-plugin-{name}\nVersion: 1.0\n", "utf-8"
    )
    (info / "entry_points.txt").write_text(f"[mcpkit.plugins]\n{name} = {module}:plugin\n", "utf-8")
    return folder


@asynccontextmanager
async def websocket_client(url: str, **options: Any) -> AsyncIterator[Any]:
    """A client transport over WebSocket, as hosts that speak it write one."""
    to_client, read = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    write, from_client = anyio.create_memory_object_stream[SessionMessage](0)
    async with (
        websockets.connect(url, subprotocols=[websockets.Subprotocol("mcp")], **options) as socket,
        anyio.create_task_group() as tasks,
    ):

        async def receive() -> None:
            async with to_client:
                async for text in socket:
                    message = types.jsonrpc_message_adapter.validate_json(text, by_name=False)
                    await to_client.send(SessionMessage(message))

        async def send() -> None:
            async with from_client:
                async for item in from_client:
                    await socket.send(
                        item.message.model_dump_json(by_alias=True, exclude_unset=True)
                    )

        tasks.start_soon(receive)
        tasks.start_soon(send)
        async with read, write:
            yield read, write
        tasks.cancel_scope.cancel()


@pytest.fixture(scope="session")
def features(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip installed the two plugins that use every feature."""
    return install("features", tmp_path_factory)


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file in which the plugin notes what happened."""
    return tmp_path_factory.mktemp("journal") / "journal.txt"


@pytest.fixture(scope="module")
def network(
    test_plugins: Path, journal: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    """One process that serves all network transports on one port."""
    arguments = ["--port", "0", "--set", f"plugins.conversation.journal={journal}"]
    for name in ("streamable-http", "sse", "websocket"):
        arguments += ["--transport", name]
    folder = tmp_path_factory.mktemp("network")
    server = start_server(tuple(arguments), environment(test_plugins, BUNDLED), folder)
    try:
        yield server
    finally:
        server.close()


@pytest.fixture(scope="module")
def stdio(test_plugins: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A process that serves standard input and output."""
    server = start_server((), environment(test_plugins), tmp_path_factory.mktemp("stdio"))
    try:
        server.wait_for("Serving stdio")
        yield server
    finally:
        server.close()


@pytest.fixture(scope="module")
def unix(
    test_plugins: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[ServerProcess, str]]:
    """A process that serves a Unix socket, and the path of that."""
    folder = tmp_path_factory.mktemp("unix")
    path = folder / "s"
    arguments = ("-t", "unix-socket", "--set", f"plugins.conversation.socket={path}")
    server = start_server(arguments, environment(test_plugins), folder)
    try:
        server.wait_for("Serving unix-socket")
        deadline = time.monotonic() + START
        while not path.exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield server, str(path)
    finally:
        server.close()


@pytest.fixture(params=["stdio", "streamable-http", "sse", "websocket"])
def target(
    request: pytest.FixtureRequest, network: ServerProcess, test_plugins: Path, journal: Path
) -> Any:
    """What to give the official client, for each transport."""
    arguments = ["--set", f"plugins.conversation.journal={journal}"]
    return connect_to(request.param, network, test_plugins, arguments)


def connect_to(transport: str, served: ServerProcess, plugins: Path, arguments: list[str]) -> Any:
    """What to give the official client: a URL of a server, or a command of its own for stdio."""
    if transport == "stdio":
        command = ["-m", "mcpkit", "serve", "--log-level", "warning", *arguments]
        return mcp.StdioServerParameters(
            command=sys.executable, args=command, env=environment(plugins, BUNDLED)
        )
    url = served.url(transport)
    if transport == "sse":
        return sse_client(url)
    return websocket_client(url) if transport == "websocket" else url
