"""The commands: what they print where, and how they exit."""

import json
import logging
import re
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar
from urllib.parse import urlsplit

import click
import pytest

from mcpkit import __version__
from mcpkit.cli.arguments import typed_arguments, typed_value
from mcpkit.cli.extra import extra
from mcpkit.cli.tool_help import type_in_words
from tests.cli.conftest import kept_logging
from tests.conftest import BUNDLED, Run, Serve

pytestmark = pytest.mark.slow


def test_version_and_help_teach(run: Run) -> None:
    version, help_text, nothing = run("--version"), run("--help"), run()

    assert version.stdout.strip() == f"mcpkit, version {__version__}"
    assert "plugins" in help_text.stdout
    assert "Usage" in nothing.stdout + nothing.stderr
    assert nothing.returncode == 2


def test_a_misspelt_command_gets_a_suggestion(run: Run) -> None:
    result = run("serv")
    nested = run("plugins", "lst")

    assert (result.returncode, "Did you mean 'serve'?" in result.stderr) == (2, True)
    assert "Did you mean 'list'?" in nested.stderr


def test_a_tool_is_called_with_typed_arguments(run: Run) -> None:
    called = run("call", "timeutil_now", "--arg", "timezone=Europe/Oslo", "--json")
    from_json = run("call", "conversation_echo", "--json-args", '{"text": "hi"}')
    from_stdin = run("call", "conversation_echo", "--json-args", "-", stdin='{"text": "in"}')
    number = run("call", "conversation_wait", "-a", "seconds=0.01")

    assert json.loads(called.stdout)["structuredContent"]["timezone"] == "Europe/Oslo"
    assert from_json.stdout == "hi\n"
    assert from_stdin.stdout == "in\n"
    assert number.stdout == "waited 0.01 s\n"
    assert "0/2" in number.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("call", "conversation_fail"), 1, "Try echo instead"),
        (("call", "conversation_ecko"), 2, "Did you mean 'conversation_echo'?"),
        (("call", "conversation_echo"), 1, "text is required"),
        (("call", "conversation_echo", "--arg", "nonsense"), 2, "is not NAME=VALUE"),
        (("call", "conversation_echo", "--json-args", "[1]"), 2, "not a JSON object"),
        (("call", "conversation_echo", "--json-args", "{"), 2, "not valid JSON"),
        (("read", "conversation://topik"), 2, "Did you mean 'conversation://topic'?"),
        (("prompt", "conversation_discuss"), 2, "subject is required"),
        (("tools", "list", "--url", "http://127.0.0.1:1/mcp"), 1, "Cannot talk to"),
        (("tools", "list", "--url", "x", "--command", "y"), 2, "exclude each other"),
        (("tools", "list", "--url", "ftp://127.0.0.1/mcp"), 2, "it is no URL"),
        (("tools", "list", "--url", "http://[::1/mcp"), 2, "it is no URL"),
        (("tools", "list", "--url", "ws://127.0.0.1:1"), 1, "Cannot talk to 'ws://127.0.0.1:1/ws'"),
        (
            ("tools", "list", "--header", "hunter2", "--url", "http://127.0.0.1:1"),
            2,
            "NAME: VALUE",
        ),
        (("tools", "list", "--command", "no-such-program"), 1, "no-such-program"),
        (("tools", "list", "--settings", "no.toml"), 2, "does not exist"),
        (("tools", "list", "--set", "nonsense-hunter2"), 2, "is not KEY=VALUE"),
        (("tools", "list", "--set", "htp.port=1"), 2, "Did you mean"),
        (("plugins", "show", "timutil"), 2, "Did you mean 'timeutil'?"),
        (("call", "conversation_echo", "--header", "X: 1"), 2, "--header goes with --url"),
        (("serve", "-t", "sse,stdio", "--no-plugins"), 2, "hint: Repeat --transport for each"),
        (("x", "nothing", "here"), 2, "No such command 'nothing'"),
        (("new", "Bad-Name"), 2, "is not lower-case"),
    ],
)
def test_what_goes_wrong_is_told_in_plain_words(
    run: Run, arguments: tuple[str, ...], code: int, said: str
) -> None:
    result = run(*arguments)

    assert said in result.stderr
    assert result.returncode == code
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert "hunter2" not in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("call", "nothing"),
        ("read", "nothing://here"),
        ("prompt", "nothing"),
        ("tools", "show", "nothing"),
        ("plugins", "show", "nothing"),
        ("plugins", "check", "nothing"),
    ],
)
def test_a_name_that_is_not_there_is_exit_code_2_in_every_command(
    run: Run, arguments: tuple[str, ...]
) -> None:
    plain = run(*arguments, "--no-plugins")
    data = run(*arguments, "--no-plugins", "--json")

    assert (plain.returncode, plain.stdout) == (data.returncode, data.stdout) == (2, "")
    error, hint = plain.stderr.splitlines()
    assert json.loads(data.stderr) == {
        "error": error.removeprefix("Error: "),
        "hint": hint.removeprefix("hint: "),
        "exit_code": 2,
    }


def test_a_wrong_command_line_is_json_too_where_json_is_wanted(run: Run) -> None:
    done = run("tools", "list", "--json", "--nothing")

    assert (done.returncode, done.stdout) == (2, "")
    assert "--nothing" in json.loads(done.stderr.splitlines()[-1])["error"]


def test_resources_and_prompts_are_listed_and_used(run: Run) -> None:
    resources = run("resources", "list", "--json")
    prompts = run("prompts", "list")
    content = run("read", "conversation://topic")
    prompt = run("prompt", "conversation_discuss", "-a", "subject=snow")

    uris = {item.get("uri") or item["uriTemplate"] for item in json.loads(resources.stdout)}
    assert {"conversation://topic", "weather://{city}/current"} <= uris
    assert re.search(r"conversation_discuss +subject", prompts.stdout)
    assert content.stdout == "the weather\n"
    assert "Let us discuss snow" in prompt.stdout


def test_other_servers_are_used_by_url_and_by_command(
    run: Run, run_process: Run, serve: Serve
) -> None:
    key = "a-key-of-good-length"
    server = serve(
        *("-t", "http", "-t", "sse", "-t", "websocket", "--port", "0"),
        env={"MCPKIT_AUTH__API_KEYS": key},
    )
    header = ("--header", f"X-API-Key: {key}")
    command = f"{sys.executable} -m mcpkit serve --log-level error"
    place = urlsplit(server.url()).netloc
    ws = f"ws://{place}/ws"

    for url in (server.url(), f"http://{place}", place, server.url("sse"), ws, f"ws://{place}"):
        said = run("call", "conversation_echo", "-a", "text=1", "--url", url, *header)
        assert said.stdout == "1\n", f"{url}: {said.stderr}"
    for url in (server.url(), server.url("sse"), ws):
        keyless = run("tools", "list", "--url", url)
        wrong = run("tools", "list", "--url", url, "--header", "X-API-Key: wrong")
        assert keyless.returncode == wrong.returncode == 1
        assert f"{url!r} wants a key: 401 Unauthorized" in keyless.stderr
        assert "--header 'X-API-Key: …'" in keyless.stderr
        assert "does not accept the key: 401" in wrong.stderr
    lost = run("tools", "list", "--url", f"http://me:hunter2@{place}/nothing?key=hunter2", *header)
    unknown = run("call", "conversation_ecko", "--url", place, *header)
    shown = run("tools", "show", "conversation_echo", "--url", place, *header)
    zone = {"MCPKIT_PLUGINS__TIMEUTIL__DEFAULT_TIMEZONE": "Asia/Tokyo"}
    stdio = run_process("call", "timeutil_now", "--command", command, "--json", env=BUNDLED | zone)

    assert (lost.returncode, "is not an MCP server: status 404" in lost.stderr) == (1, True)
    assert "hunter2" not in lost.stderr
    assert "Did you mean 'conversation_echo'?" in unknown.stderr
    assert "mcpkit call conversation_echo --arg text=…" in shown.stdout
    assert json.loads(stdio.stdout)["structuredContent"]["timezone"] == "Asia/Tokyo"


class Elsewhere(BaseHTTPRequestHandler):
    """Redirects every request to `/there` under another name of this machine, and keeps those."""

    protocol_version = "HTTP/1.1"
    followed: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        if self.path == "/there":
            self.followed.append(str(self.headers))
        self.send_response(307)
        self.send_header("Location", f"//localhost:{self.server.server_address[1]}/there")
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@pytest.mark.parametrize("path", ["http", "http/sse", "ws"])
def test_a_redirect_gets_no_key_and_is_told(run: Run, path: str) -> None:
    scheme, _, rest = path.partition("/")
    Elsewhere.followed.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        url = f"{scheme}://127.0.0.1:{server.server_address[1]}/{rest}"
        result = run("tools", "list", "--url", url, "--header", "X-API-Key: secret")
        server.shutdown()
        thread.join()

    assert Elsewhere.followed == []
    assert (result.returncode, "leads to another URL: status 307" in result.stderr) == (1, True)


def test_options_of_the_network_warn_where_nothing_listens(run_process: Run) -> None:
    result = run_process("serve", "--port", "8001", "--no-plugins")

    assert result.returncode == 0
    assert "WARNING" in result.stderr
    assert "--port has no effect" in result.stderr
    assert "hint: Say --transport streamable-http" in result.stderr


def test_a_plugin_is_made_where_the_home_folder_cannot_be_written(
    run_process: Run, tmp_path: Path
) -> None:
    result = run_process("new", "bird_song", env={"HOME": "/dev/null"})

    assert result.returncode == 0, result.stderr
    assert (tmp_path / "mcpkit-plugin-bird-song" / "pyproject.toml").exists()


def test_commands_of_plugins_are_mounted(run: Run) -> None:
    greeted = run("x", "conversation", "greet", "Kari")
    help_text = run("x", "--help")

    assert greeted.stdout == "Hello Kari\n"
    assert "conversation" in help_text.stdout


def test_a_command_line_loads_its_plugin_once(run: Run) -> None:
    helped = run("x", "conversation", "--help")
    context = click.Context(extra)
    with kept_logging():
        first, again = (extra.get_command(context, "conversation") for _ in range(2))

    assert "greet" in helped.stdout
    assert first is not None
    assert first is again
    assert extra.get_command(context, "nothing") is None


def test_what_plugins_print_stays_out_of_data(run: Run) -> None:
    result = run("call", "conversation_echo", "-a", "text=clean", "--json")

    assert json.loads(result.stdout)["structuredContent"] == {"result": "clean"}


@pytest.mark.parametrize(
    ("text", "schema", "value"),
    [
        ("5", {"type": "integer"}, 5),
        ("5", {"type": "string"}, "5"),
        ("5", {"anyOf": [{"type": "integer"}, {"type": "string"}]}, 5),
        ("five", {"anyOf": [{"type": "integer"}, {"type": "string"}]}, "five"),
        ("null", {"anyOf": [{"type": "string"}, {"type": "null"}]}, "null"),
        ("null", {"anyOf": [{"type": "integer"}, {"type": "null"}]}, None),
        ("true", {"type": "boolean"}, True),
        ('["a"]', {"type": "array"}, ["a"]),
        ('{"a": 1}', {"$ref": "#/$defs/A"}, {"a": 1}),
        ("many", {"type": "integer"}, "many"),
        ("5", {}, "5"),
    ],
)
def test_words_of_the_command_line_get_the_type_of_the_schema(
    text: str, schema: dict[str, object], value: object
) -> None:
    assert typed_value(text, schema) == value


@pytest.mark.parametrize("several", [1, 3])
def test_a_schema_that_refers_to_itself_is_read_soon(several: int) -> None:
    names = [f"A{number}" for number in range(several)]
    parts = [{"$ref": f"#/$defs/{name}"} for name in names for _ in range(12)]
    definitions = {name: {"anyOf": [*parts, {"type": "integer"}]} for name in names}
    schema = {"$defs": definitions, "properties": {"a": {"$ref": "#/$defs/A0"}}}
    began = time.process_time()

    arguments = typed_arguments({"a": ["5"]}, schema)
    words = type_in_words({"$ref": "#/$defs/A0"}, schema)

    assert arguments == {"a": 5}
    assert words.endswith("…")
    assert len(words) < 1000
    assert time.process_time() - began < 1


def test_limits_of_any_size_are_told() -> None:
    schema = {"type": "integer", "minimum": 1_000_000, "maximum": 10**400}

    assert type_in_words(schema, {}).startswith("integer, at least 1000000, at most 1000000")


def test_a_command_within_a_program_gives_its_streams_back(run: Run) -> None:
    stdout, handlers = sys.stdout, logging.getLogger("mcpkit").handlers[:]
    run("call", "conversation_echo", "-a", "text=x")

    print("mine", file=sys.stdout)  # noqa: T201
    printed = run("--version").stdout

    assert sys.stdout is stdout
    assert printed.startswith("mine\n")
    assert logging.getLogger("mcpkit").handlers == handlers
