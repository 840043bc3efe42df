"""Over streamable HTTP: requests a second on one core, with the load from another.

The load generator is wrk (Debian's package), so that it is not what limits.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from benchmarks.environment import BUILD, Scenario, install, python
from benchmarks.measuring import Table, cores, take_turns

PEERS = Path(__file__).parent / "servers" / "http_peers.py"
SECONDS = 2
BEST = "SDK, best configuration"
MODERN = "2026-07-28"
LEGACY = "2025-11-25"

LUA = """
wrk.method = "POST"
wrk.body = [==[{body}]==]
{headers}
local bad = 0
function response(status, headers, body)
  if status ~= 200 or string.find(body, '"error"') then bad = bad + 1 end
end
"""


@contextmanager
def served(command: list[str], port: int, env: dict[str, str]) -> Iterator[str]:
    """Run a server on the first core until it is no longer needed."""
    pinned = ["taskset", "-c", str(cores()[0]), *command]
    server = subprocess.Popen(
        pinned, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        _wait_for(server, port)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        server.terminate()
        try:
            server.wait(5)
        except subprocess.TimeoutExpired:  # some peers wait for sessions to end
            server.kill()
            server.wait(5)


def _wait_for(server: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    server.kill()
    assert server.stderr is not None
    sys.exit(f"{server.args} does not listen: {server.stderr.read().decode()[-2000:]}")


def modern(method: str, **params: Any) -> tuple[dict[str, str], dict[str, Any]]:
    """Headers and body of a request of the stateless protocol."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    headers = {"MCP-Protocol-Version": MODERN, "Mcp-Method": method}
    if "name" in params:
        headers["Mcp-Name"] = params["name"]
    return headers, {
        "jsonrpc": "2.0",
        "id": 1,
        "method": method,
        "params": {**params, "_meta": meta},
    }


def legacy(url: str, method: str, **params: Any) -> tuple[dict[str, str], dict[str, Any]]:
    """Headers and body of a request in a session, which is opened for it."""
    hello = {
        "protocolVersion": LEGACY,
        "capabilities": {},
        "clientInfo": {"name": "bench", "version": "1"},
    }
    accept = {"Accept": "application/json, text/event-stream"}
    with httpx2.Client(headers=accept) as http:
        body = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello}
        opened = http.post(url, json=body)
        opened.raise_for_status()
        headers = {
            "MCP-Protocol-Version": LEGACY,
            "Mcp-Session-Id": opened.headers["mcp-session-id"],
        }
        ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        http.post(url, json=ready, headers=headers).raise_for_status()
    return headers, {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


def load(url: str, request: tuple[dict[str, str], dict[str, Any]], connections: int) -> float:
    """Requests a second; fails loudly when an answer is not what was asked for."""
    wrk = shutil.which("wrk")
    if wrk is None:
        sys.exit("wrk is needed to make a load: apt-get install wrk")
    headers, body = request
    headers = {
        **headers,
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
    }
    with httpx2.Client() as http:
        probe = http.post(url, json=body, headers=headers)
        if probe.status_code != 200 or '"error"' in probe.text or '"isError":true' in probe.text:
            sys.exit(f"{url} answers {probe.status_code}: {probe.text[:500]}")
    lines = "\n".join(f'wrk.headers["{name}"] = "{value}"' for name, value in headers.items())
    script = BUILD / "load.lua"
    script.write_text(LUA.format(body=json.dumps(body), headers=lines))
    common = [wrk, "-t", "1", "-c", str(connections), "--timeout", "30s", "-s", str(script)]
    pinned = ["taskset", "-c", str(cores()[-1])]
    subprocess.run([*pinned, *common, "-d", "1s", url], capture_output=True, check=True)
    done = subprocess.run(
        [*pinned, *common, "-d", f"{SECONDS}s", url], capture_output=True, text=True, check=True
    )
    if "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        sys.exit(f"The load on {url} failed:\n{done.stdout}")
    match = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    if match is None or not float(match[1]):
        sys.exit(f"Nothing was measured at {url}; wrk said: {done.stdout}")
    return float(match[1])


def environment(scenario: Scenario | None = None) -> dict[str, str]:
    """The environment of a server."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MCPKIT_")}
    plugins = str(install(scenario)) if scenario else ""
    return {**kept, "PYTHONPATH": plugins, "XDG_CACHE_HOME": str(BUILD / "cache")}


def ours(port: int, *arguments: str) -> list[str]:
    """The command of mcpkit, as installed."""
    command = str(Path(python()).with_name("mcpkit"))
    return [command, "serve", "-t", "streamable-http", "--port", str(port), *arguments]


Ask = Callable[[str], tuple[dict[str, str], dict[str, Any]]]
"""Makes the request for the server at a URL."""


def _measure(
    command: Callable[[int], list[str]],
    ask: Ask,
    connections: int,
    scenario: Scenario | None = None,
) -> Callable[[], float]:
    def measure() -> float:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        with served(command(port), port, environment(scenario)) as url:
            return load(url, ask(url), connections)

    return measure


def _call(tool: str, era: str, text: str) -> Ask:
    def ask(url: str) -> tuple[dict[str, str], dict[str, Any]]:
        call = {"name": tool, "arguments": {"text": text}}
        return modern("tools/call", **call) if era == MODERN else legacy(url, "tools/call", **call)

    return ask


CALLS = (
    (MODERN, 1, "hello"),
    (MODERN, 16, "hello"),
    (MODERN, 64, "hello"),
    (MODERN, 16, "x" * 10_000),
    (LEGACY, 16, "hello"),
)
"""Era, connections, and the text that comes back."""


def measure_calls(rounds: int, combinations: Sequence[tuple[str, int, str]] = CALLS) -> list[Table]:
    """Calls a second, by era, connections and size of the text that comes back."""
    tables = []
    for era, connections, text in combinations:
        echo = _call("echo", era, text)
        own = _call("bench_000_tool_0", era, text)
        measures = {
            BEST: _measure(_peer("sdk_best"), echo, connections),
            "SDK, as shipped": _measure(_peer("sdk_as_shipped"), echo, connections),
            "FastMCP, as shipped": _measure(_peer("fastmcp_as_shipped"), echo, connections),
            "mcpkit, as shipped": _measure(ours, own, connections, Scenario(1, 3)),
        }
        if era == MODERN:
            limit = _measure(_peer("starlette_echo"), echo, connections)
            measures["bare Starlette (the limit)"] = limit
        title = f"HTTP calls, {era}, {connections} connections, {len(text):,} bytes of text"
        figures = take_turns(measures, rounds, warm=0)
        tables.append(Table(title, "requests/s", BEST, figures, higher_is_better=True))
    return tables


def measure_lists(rounds: int) -> list[Table]:
    """`tools/list` a second, by the number of tools."""
    tables = []
    for tools in (10, 100, 1000):
        many = _measure(_peer("sdk_best", str(tools)), lambda url: modern("tools/list"), 4)
        scenario = Scenario(10, tools)
        own = _measure(ours, lambda url: modern("tools/list"), 4, scenario)
        figures = take_turns({BEST: many, "mcpkit, as shipped": own}, rounds, warm=0)
        title = f"`tools/list` over HTTP with {tools} tools, {MODERN}"
        tables.append(Table(title, "requests/s", BEST, figures, higher_is_better=True))
    return tables


def _peer(name: str, *arguments: str) -> Callable[[int], list[str]]:
    return lambda port: [python(), str(PEERS), name, str(port), *arguments]
