"""Completion in shells: names come from manifests, fast, in bash, zsh and fish."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Run

pytestmark = pytest.mark.slow

BASH = """
eval "$(mcpkit completion bash)"
compopt() { open=yes; }
COMP_WORDBREAKS=$' \\t\\n"\\'@><=;|&(:'  # as in an interactive shell
while IFS= read -r line; do
    COMP_LINE=$line COMP_POINT=${#line} open=
    _mcpkit_completion mcpkit
    echo "$line -> ${COMPREPLY[*]}${open:+ …}"
done
"""


@pytest.fixture
def env(run: Run, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of a shell that finds the command and the manifest of the plugin."""
    monkeypatch.setenv("MCPKIT_PLUGINS_ALLOW", "clock")
    assert run("plugins", "list").returncode == 0
    commands = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, "PATH": commands, "PYTHONPATH": str(site)}


def test_bash_completes_names_of_every_kind(env: dict[str, str]) -> None:
    expected = {
        "mcpkit ca": "call catalogue",
        "mcpkit call cl": "clock_now clock_tick",
        "mcpkit tools show clock_t": "clock_tick",
        "mcpkit call clock_now --arg ": "hours= side= within= zones= …",
        "mcpkit call clock_now --arg side=": "am pm",
        "mcpkit prompt ": "clock_ask",
        "mcpkit prompt clock_ask -a w": "what= …",
        "mcpkit read clock:": "//face //hands/ …",
        "mcpkit plugins show cl": "clock",
        "mcpkit x cl": "clock",
        "mcpkit serve -t s": "sse stdio streamable-http",
        "mcpkit serve --set plugins.clock.z": "plugins.clock.zone= …",
        "mcpkit tools list --set http.po": "http.port= …",
        "mcpkit call --url http://127.0.0.1:1/mcp cl": "",
        "mcpkit call --settings no.toml cl": "",
    }

    done = subprocess.run(
        ["bash", "--norc", "-c", BASH],
        input="".join(f"{line}\n" for line in expected),
        env=env,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    told = dict(line.split(" -> ", 1) for line in done.stdout.splitlines())

    assert told == expected
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("shell", "words", "number", "printed"),
    [
        ("zsh", "mcpkit call clock_t", "2", "plain\nclock_tick\nTick.\n"),
        ("zsh", "mcpkit read clock://f", "2", "plain\nclock\\://face\nThe face.\n"),
        ("fish", "mcpkit call clock_t", "clock_t", "plain,clock_tick\tTick.\n"),
    ],
)
def test_completion_imports_neither_plugins_nor_the_sdk(
    env: dict[str, str], shell: str, words: str, number: str, printed: str
) -> None:
    code = "import atexit, sys\nfrom mcpkit.cli.main import run\n"
    code += "atexit.register(lambda: print(*sys.modules, file=sys.stderr))\nrun([])"
    asked = {"_MCPKIT_COMPLETE": f"{shell}_complete", "COMP_WORDS": words, "COMP_CWORD": number}

    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**env, **asked},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert done.stdout == printed
    assert not {"mcp", "mcp_types", "clock_module", "anyio"} & set(done.stderr.split())


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_printed(run: Run, shell: str) -> None:
    script = run("completion", shell).stdout

    assert f"_MCPKIT_COMPLETE={shell}_complete" in script
    assert script.count(" 2>/dev/null") == 1, "an error would stand in the line being written"
