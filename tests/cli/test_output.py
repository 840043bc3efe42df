"""Tables and errors: what a terminal shows of them, and what a pipe gets."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Run, environment
from tests.contract.conftest import write_plugin

RunOnTerminal = Callable[..., subprocess.CompletedProcess[str]]

BROKEN = """
def load():
    raise ValueError(
        "[red]The depth of snow[/red] :snowflake: needs \\x1b[31mcentimetres\\x1b[0m, and there is"
        " neither a ruler nor a stick on this machine"
    )

load()
"""


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The module of an installed plugin whose import raises in its line 3."""
    site = tmp_path / "site"
    info = site / "mcpkit_plugin_snow-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Name: mcpkit-plugin-snow\nVersion: 1.0\n", "utf-8")
    entry = "[mcpkit.plugins]\nsnow = mcpkit_plugin_snow:plugin\n"
    (info / "entry_points.txt").write_text(entry, "utf-8")
    module = site / "mcpkit_plugin_snow.py"
    module.write_text(BROKEN, "utf-8")
    monkeypatch.syspath_prepend(site)
    return module


ALONE = ("--set", 'plugins_allow=["snow", "timeutil"]')


def test_a_failed_plugin_is_explained_below_the_table(
    run_on_terminal: RunOnTerminal, broken: Path
) -> None:
    result = run_on_terminal("plugins", "list", *ALONE, env={"NO_COLOR": "1"})

    assert result.returncode == 0
    assert "\x1b" not in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
    table, _, below = result.stdout.partition("'snow' (mcpkit-plugin-snow 1.0) failed (import)\n")
    assert "timeutil" in table
    text = " ".join(below.split())
    assert "ValueError: [red]The depth of snow[/red] :snowflake: needs \\x1b[31mcent" in text
    assert "a stick on this machine" in text
    assert f"{broken}:3" in below.replace("\n  ", "")
    assert "hint: Correct line 3 of mcpkit_plugin_snow.py if the plugin is yours" in text


def test_a_pipe_gets_whole_lines_and_json_the_place(run: Run, broken: Path) -> None:
    lines = run("plugins", "list", *ALONE).stdout.splitlines()
    records = json.loads(run("plugins", "list", *ALONE, "--json").stdout)

    assert lines[0].split() == ["NAME", "STATUS", "DISTRIBUTION", "COMPONENTS", "IMPORT"]
    assert f"  at: {broken}:3" in lines
    assert [line for line in lines if line != line.rstrip()] == []
    snow = next(record for record in records if record["name"] == "snow")
    assert snow["where"] == f"{broken}:3"


def test_a_check_tells_the_place_of_a_failure(run: Run, broken: Path) -> None:
    lines = run("plugins", "check", "snow", "timeutil", *ALONE)
    report = json.loads(run("plugins", "check", "snow", *ALONE, "--json").stdout)

    assert lines.returncode == 1
    assert "FAILED  snow" in lines.stdout.splitlines()
    assert f"  at: {broken}:3" in lines.stdout.splitlines()
    assert "ok      timeutil" in lines.stdout
    assert report["plugins"]["snow"]["where"] == f"{broken}:3"


@pytest.mark.parametrize("arguments", [("tools", "list", "--json"), ("settings", "schema")])
def test_a_reader_that_has_had_enough_is_no_failure(
    run: Run, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        done = run(*arguments, "--no-plugins")

    assert (done.returncode, done.stderr) == (0, "")


def test_facts_of_a_plugin_are_told_in_words(run: Run, broken: Path) -> None:
    lines = run("plugins", "show", "snow", *ALONE).stdout.splitlines()

    assert "editable: no" in lines


LIFESPAN = """
from contextlib import asynccontextmanager
import anyio
from mcpkit import Plugin
plugin = Plugin()

@plugin.lifespan
@asynccontextmanager
async def lifespan(settings):
    yield
    {end}
"""


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        ("await anyio.sleep_forever()", "Its lifespan did not close within 0.1 s"),
        ("raise RuntimeError('no end')", "Its lifespan raised RuntimeError: no end"),
    ],
)
def test_a_check_tells_of_a_lifespan_that_does_not_close(
    run: Run, broken: Path, monkeypatch: pytest.MonkeyPatch, end: str, reason: str
) -> None:
    broken.write_text(LIFESPAN.format(end=end), "utf-8")
    monkeypatch.delitem(sys.modules, "mcpkit_plugin_snow", raising=False)

    done = run("plugins", "check", "snow", *ALONE, "--set", "lifespan.shutdown_timeout=0.1")
    monkeypatch.delitem(sys.modules, "mcpkit_plugin_snow", raising=False)

    assert done.returncode == 1
    assert done.stdout.splitlines()[:2] == ["FAILED  snow", f"  {reason}"]
    assert "hint: Set plugins.snow.enabled = false" in done.stdout


@pytest.mark.parametrize("arguments", [("plugins", "list", *ALONE), ("serv",), ("read", "x://y")])
def test_no_color_is_respected(run_on_terminal: RunOnTerminal, arguments: tuple[str, ...]) -> None:
    plain = run_on_terminal(*arguments, env={"NO_COLOR": "1"}).stdout

    assert plain
    assert "\x1b" not in plain


def test_colours_stand_on_a_terminal_or_where_they_are_forced(
    run: Run, run_on_terminal: RunOnTerminal
) -> None:
    command = ("trust", "--remove", "/")

    assert "\x1b[1m" in run_on_terminal(*command).stdout
    assert "\x1b[1m" in run(*command, env={"FORCE_COLOR": "1"}).stderr
    assert "\x1b" not in run(*command).stderr


def test_rich_is_imported_for_tables_alone() -> None:
    code = (
        "import sys\nfrom mcpkit.cli.main import run\n"
        "import mcpkit.cli.plugins, mcpkit.cli.components\n"
        "run(['--help']); run(['catalogue', 'list'])\n"
        "assert 'rich' not in sys.modules, 'rich'"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stderr


def test_output_that_cannot_be_written_is_an_error() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "mcpkit", "tools", "list", "--no-plugins"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )

    assert done.returncode == 1
    assert done.stderr == "Error: Cannot write the output: No space left on device\n"


@pytest.mark.slow
@pytest.mark.parametrize(("body", "code"), [("1 / 0", 1), ("", 0)])
def test_a_check_that_nobody_reads_has_its_exit_code(tmp_path: Path, body: str, code: int) -> None:
    env = environment(write_plugin(tmp_path / "site", "demo", body))
    reads, writes = os.pipe()
    os.close(reads)

    with os.fdopen(writes, "wb") as output:
        command = [sys.executable, "-m", "mcpkit", "plugins", "check", "demo"]
        done = subprocess.run(command, stdout=output, stderr=-1, env=env, cwd=tmp_path, check=False)

    assert (done.returncode, b"Traceback" in done.stderr) == (code, False), done.stderr
