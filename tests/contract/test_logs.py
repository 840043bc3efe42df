"""What operators see: records that nobody can forge, and terminals that nobody can write to."""

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.conftest import Run, Serve, environment
from tests.contract.conftest import websocket_client, write_plugin
from tests.contract.test_stopping import INITIALIZE

pytestmark = [pytest.mark.anyio, pytest.mark.contract]

RECORD = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d [A-Z]+ +[\w.]+: ")
FORGED = "\n2026-11-21 12:00:00.000+00:00 INFO    mcpkit: forged\x1b[2J\u202e"
ALLOWED = ("--set", 'plugins_allow=["demo"]')

PLUGIN = '''
    @plugin.tool()
    def refuse(word: str) -> str:
        """Refuse a word."""
        raise ToolError(f"No word {word}")

    @plugin.tool()
    def crash(word: str) -> str:
        """Crash at a word."""
        raise ValueError(word)

    @plugin.tool()
    def paint(word: str) -> str:
        """Paint the terminal \\x1b]0;title\\x07 and \\u202eesrever."""
        print("noise")
        return word
'''


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """An environment in which the plugin is installed."""
    return environment(write_plugin(tmp_path / "site", "demo", PLUGIN))


def call(number: int, tool: str, word: str) -> dict[str, Any]:
    params = {"name": f"demo_{tool}", "arguments": {"word": word}}
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}


def converse(server: Any, *messages: dict[str, Any]) -> None:
    """Send messages, read the answer to each, and end the server."""
    lines = b"".join(json.dumps(message).encode() + b"\n" for message in messages)
    server.process.stdin.write(lines)
    server.process.stdin.flush()
    answered: set[Any] = set()
    while len(answered) < len(messages):
        answered.add(json.loads(server.process.stdout.readline()).get("id"))
    server.process.stdin.close()
    server.process.wait(20)


async def test_arguments_write_no_records_and_stay_out_of_them(
    serve: Serve, env: dict[str, str]
) -> None:
    server = serve(*ALLOWED, env=env)

    converse(server, INITIALIZE, call(2, "refuse", FORGED), call(3, "crash", FORGED))
    server.close()

    lines = "".join(server.lines).split("\n")[:-1]
    records = [line for line in lines if not line.startswith("    ")]
    assert all(RECORD.match(record) for record in records), records
    assert all(line.isprintable() for line in lines)
    (refused,) = [record for record in records if "demo_refuse" in record]
    assert refused.endswith("Plugin 'demo': tool 'demo_refuse' failed (request 2): ToolError")
    assert not any("forged" in record for record in records)


async def test_debug_tells_the_text_of_an_error(serve: Serve, env: dict[str, str]) -> None:
    server = serve("--log-level", "debug", *ALLOWED, env=env)

    converse(server, INITIALIZE, call(2, "refuse", "sesame"))
    server.close()

    assert any(
        line.endswith("told (request 2): ToolError: No word sesame\n") for line in server.lines
    )


async def test_json_records_are_lines_of_json(serve: Serve, env: dict[str, str]) -> None:
    server = serve(*ALLOWED, env={**env, "MCPKIT_LOG_FORMAT": "json"})

    converse(server, INITIALIZE, call(2, "refuse", FORGED), call("x", "crash", FORGED))  # type: ignore[arg-type]
    server.close()

    records = [json.loads(line) for line in server.lines]
    assert all({"time", "level", "logger", "message"} <= record.keys() for record in records)
    failed = {record["request_id"]: record for record in records if "request_id" in record}
    assert (failed[2]["plugin"], failed[2]["name"], failed[2]["level"]) == (
        *("demo", "demo_refuse", "info"),
    )
    assert failed["x"]["exception"].endswith(f"ValueError: {FORGED}")


def test_names_and_texts_do_not_act_on_the_terminal(run: Run, env: dict[str, str]) -> None:
    server = f"env PYTHONPATH={env['PYTHONPATH']} {sys.executable} -m mcpkit serve"
    word = ("-a", f"word={FORGED}")

    listed = run("tools", "list", *ALLOWED, env=env)
    of_another = run("tools", "list", "--command", f"{server} --log-level critical", env=env)
    called = run("call", "demo_paint", *word, *ALLOWED, env=env)
    exact = run("call", "demo_paint", *word, "--json", *ALLOWED, env=env)

    for result in (listed, of_another, called, exact):
        said = result.stdout + result.stderr
        assert all(char.isprintable() or char == "\n" for char in said)
    assert "\\x1b]0;title\\x07 and \\u202eesrever" in listed.stdout
    assert "\\x1b]0;title\\x07 and \\u202eesrever" in of_another.stdout
    assert called.stdout == FORGED.replace("\x1b", "\\x1b").replace("\u202e", "\\u202e") + "\n"
    assert json.loads(exact.stdout)["content"][0]["text"] == FORGED


def test_bytes_are_not_written_to_a_terminal(tmp_path: Path) -> None:
    code = '''
    @plugin.resource("demo://bytes", mime_type="application/octet-stream")
    def content() -> bytes:
        """Bytes."""
        return b"\\x1b[2J"
    '''
    env = environment(write_plugin(tmp_path / "site", "demo", code))
    command = [sys.executable, "-m", "mcpkit", "read", "demo://bytes", *ALLOWED]
    ours, theirs = pty.openpty()

    options: dict[str, Any] = {"env": env, "cwd": tmp_path, "timeout": 60}
    told = subprocess.run(command, stdout=theirs, stderr=subprocess.PIPE, check=False, **options)
    piped = subprocess.run(command, capture_output=True, check=True, **options)
    os.close(theirs)
    os.close(ours)

    assert (told.returncode, b"The resource is binary, 4 bytes" in told.stderr) == (1, True)
    assert piped.stdout == b"\x1b[2J"


async def test_each_request_is_logged_if_asked_for(serve: Serve, env: dict[str, str]) -> None:
    key = "a-key-of-good-length"
    network = ("-t", "streamable-http", "-t", "websocket", "--port", "0")
    server = serve(
        *(*network, *ALLOWED, "--set", f"auth.api_keys.alice={key}"),
        *("--set", "http.access_log=true", "--log-level", "info"),
        env={**env, "MCPKIT_LOG_FORMAT": "json"},
    )
    url = server.wait_for(r"Serving streamable-http at (http://[^ \"]+)")
    headers = {"X-API-Key": key}
    async with httpx2.AsyncClient() as http:
        answers = [
            await http.get(url, headers=headers),
            await http.get(url.replace("/mcp", '/x%0A%1b"?key=secret'), headers=headers),
            await http.get(url),
            await http.get(url, headers={"Host": "elsewhere.example"}),
        ]
    ws = url.replace("http:", "ws:").replace("/mcp", "/ws")
    async with websocket_client(ws, additional_headers=headers):
        pass
    server.wait_for(r'"status": 101')
    server.stop()
    server.close()

    records = [json.loads(line) for line in server.lines if "access_log" in line]
    assert [record["status"] for record in records] == [item.status_code for item in answers] + [
        101
    ]
    assert [record["client"] for record in records] == ["alice", "alice", None, None, "alice"]
    assert records[0]["bytes"] == len(answers[0].content)
    assert records[1]["path"] == "/x%0A%1b%22"
    assert all(record["address"] == "127.0.0.1" for record in records)
    assert all(record["method"] == "GET" and record["seconds"] > 0 for record in records)
    said = "".join(server.lines)
    assert key not in said
    assert "secret" not in said


async def test_requests_are_not_logged_unless_asked_for(serve: Serve, env: dict[str, str]) -> None:
    server = serve("-t", "streamable-http", "--port", "0", *ALLOWED, env=env)
    async with httpx2.AsyncClient() as http:
        await http.get(server.url())
    server.stop()
    server.close()

    assert not any("GET" in line for line in server.lines)


def test_a_start_says_in_three_lines_what_is_served(
    run: Run, env: dict[str, str], tmp_path: Path
) -> None:
    write_plugin(tmp_path / "more", "gone", "1 / 0")
    write_plugin(tmp_path / "more", "unwanted", PLUGIN)
    paths = os.pathsep.join([env["PYTHONPATH"], str(tmp_path / "more")])
    settings = tmp_path / "server.toml"
    settings.write_text("[plugins.unwanted]\nenabled = false\n", "utf-8")
    allowed = {"PYTHONPATH": paths, "MCPKIT_PLUGINS_ALLOW": "demo,gone,unwanted"}

    served = run("serve", "--settings", str(settings), env=allowed)

    said = [line.partition(": ")[2] for line in served.stderr.splitlines() if " INFO " in line]
    assert said[0] == f"Settings from {settings}"
    ok, failed, rest = said[1].split(", ", 2)
    assert (ok, failed) == ("Plugins: 1 ok", "1 failed (gone)")
    assert re.search(r"disabled \(.*unwanted.*\); 3 tools$", rest)
    assert said[2] == "Serving stdio"
