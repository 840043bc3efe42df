"""Lists and help that are told from manifests, and what is said of what is not there."""

import json
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from tests.conftest import Run

ONLY = ("--set", "plugins_allow=clock")

LISTS = (
    ("tools", "list"),
    ("resources", "list"),
    ("prompts", "list"),
    ("plugins", "list"),
    ("tools", "show", "clock_now"),
    ("call", "clock_now", "--help"),
)


def test_lists_and_help_need_neither_the_plugin_nor_the_sdk(run: Run, site: Path) -> None:
    run("plugins", "list", *ONLY)
    code = f"""
        import sys
        from mcpkit.cli.main import run
        codes = [run([*command, {", ".join(map(repr, ONLY))}]) for command in {LISTS}]
        print(codes, *sys.modules, sep="\\n", file=sys.stderr)
    """

    done = subprocess.run(
        [sys.executable, "-c", dedent(code)],
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    codes, *modules = done.stderr.splitlines()

    assert codes == str([0] * len(LISTS))
    assert not {"mcp", "mcp_types", "clock_module"} & set(modules)
    for said in ("clock_tick", "clock://hands/{hand}", "clock_ask", "asleep", "IANA time zones"):
        assert said in done.stdout


@pytest.mark.parametrize("what", ["tools", "resources", "prompts"])
def test_lists_are_the_same_from_manifests_and_from_plugins(
    run: Run, site: Path, what: str
) -> None:
    run("plugins", "list", *ONLY)
    del sys.modules["clock_module"]

    told = json.loads(run(what, "list", "--json", *ONLY).stdout)
    assert "clock_module" not in sys.modules
    asked = json.loads(run(what, "list", "--json", "--eager", *ONLY).stdout)

    assert told == asked
    assert len(told) == {"tools": 2, "resources": 2, "prompts": 1}[what]
    assert "clock_module" in sys.modules


def test_plugins_are_imported_where_manifests_do_not_suffice(run: Run, site: Path) -> None:
    def status(*more: str) -> str:
        (record,) = [
            record
            for record in json.loads(run("plugins", "list", "--json", *ONLY, *more).stdout)
            if record["name"] == "clock"
        ]
        return str(record["status"])

    assert [status(), status(), status("--eager"), status("--set", "eager=true")] == [
        "loaded",
        "asleep",
        "loaded",
        "loaded",
    ]
    assert status("--set", "plugins.clock.zone=CET") == "loaded"
    assert status("--set", "plugins.clock.nonsense=1") == "failed"


@pytest.mark.parametrize("command", [("tools", "show", "clock_now"), ("call", "clock_now", "-h")])
def test_help_on_a_tool_tells_its_parameters(
    run: Run, site: Path, command: tuple[str, ...]
) -> None:
    result = run(*command, *ONLY)

    words = " ".join(result.stdout.split())
    assert "clock_now Current time Tell the time." in words
    assert "zones list of string required IANA time zones" in words
    assert 'side "am" or "pm" "am"' in words
    assert "hours integer, at least 0, at most 12 or null null" in words
    assert "within object or null null" in words
    assert "mcpkit call clock_now --arg zones=… [--arg NAME=VALUE]..." in words


def test_help_on_a_tool_is_told_as_json(run: Run, site: Path) -> None:
    tool = json.loads(run("tools", "show", "clock_now", "--json", *ONLY).stdout)

    assert tool["inputSchema"]["required"] == ["zones"]


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        (("call", "now"), 2, "Did you mean 'clock_now'?"),
        (("tools", "show", "now"), 2, "Did you mean 'clock_now'?"),
        (("tools", "show", "clock_tik"), 2, "Did you mean 'clock_tick'?"),
        (("prompt", "ask"), 2, "Did you mean 'clock_ask'?"),
        (("call",), 2, "Missing argument 'TOOL'"),
        (("call", "timeutil_now"), 2, "disabled: It is not in plugins_allow"),
        (("tools", "show", "timeutil_now"), 2, "disabled: It is not in plugins_allow"),
        (("read", "timeutil://zones"), 2, "disabled: It is not in plugins_allow"),
        (("call", "clock_now", "--set", "plugins.clock.nonsense=1"), 2, "has failed"),
        (("tools", "show", "clock_now", "--set", "plugins.clock.nonsense=1"), 2, "has failed"),
        (("call", "clock_tick", "-a", "count=1", "-a", "count=2"), 2, "takes a single value"),
        (("prompt", "clock_ask", "-a", "what=1", "-a", "what=2"), 2, "takes a single value"),
        (("call", "no_tool", "-a", "x=1", "-a", "x=2"), 2, "Unknown tool 'no_tool'"),
        (("call", "no_tool"), 2, "hint: `mcpkit tools list` lists the tools"),
        (("read", "clock://foot"), 2, "hint: `mcpkit resources list` lists the resources"),
        (("prompt", "nothing"), 2, "hint: `mcpkit prompts list` lists the prompts and their"),
        (("x", "clock"), 2, "Plugin 'clock' (mcpkit-plugin-clock 1.0) brings no commands"),
    ],
)
def test_what_is_not_there_is_explained(
    run: Run, site: Path, command: tuple[str, ...], code: int, said: str
) -> None:
    result = run(*command, *ONLY)

    assert said in result.stderr
    assert (result.returncode, result.stdout) == (code, "")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("catalogue", "list"), "Nothing is written down of any plugin"),
        (("shared", "status"), "No shared server is running"),
        (("trust", "--list"), "No folder is trusted"),
    ],
)
def test_an_empty_list_says_so(
    run: Run,
    command: tuple[str, ...],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for variable in ("XDG_CACHE_HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path))

    result = run(*command)

    assert (result.returncode, result.stdout, result.stderr) == (0, "", f"{said}\n")


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (("zones=a", "zones=b"), "['a', 'b'] am None None"),
        (("zones=7", "hours=7", "side=pm"), "['7'] pm 7 None"),
        (('zones=["a", "b"]',), "['a', 'b'] am None None"),
        (("zones=a", 'within={"start": 1}'), "['a'] am None start=1 end=3"),
    ],
)
def test_repeated_arguments_make_a_list(
    run: Run, site: Path, arguments: tuple[str, ...], printed: str
) -> None:
    pairs = [part for pair in arguments for part in ("--arg", pair)]

    assert run("call", "clock_now", *pairs, *ONLY).stdout == f"{printed}\n"


def test_help_on_calls_is_shown_without_a_tool(run: Run) -> None:
    result = run("call", "--help")

    assert (result.returncode, "--json-args" in result.stdout) == (0, True)


def test_components_are_counted_and_named_in_one_order_whatever_a_plugin_declares_first(
    run: Run,
) -> None:
    only = ("--set", "plugins_allow=weather")

    listed = run("plugins", "list", *only).stdout
    shown = run("plugins", "show", "weather", *only).stdout.splitlines()

    assert "5 tools, 1 template, 1 prompt" in listed
    assert [line for line in shown if line in {"tools:", "resource templates:", "prompts:"}] == [
        "tools:",
        "resource templates:",
        "prompts:",
    ]
    assert [line.split()[0] for line in shown if line.endswith(" ms")] == ["import:"]
