"""`mcpkit new`: a plugin from the template, or a reason why there is none."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from mcpkit.cli import new
from tests.conftest import ROOT, Run

pytestmark = pytest.mark.slow

TEMPLATE = ROOT / "cookiecutter-template"


def contents(folder: Path) -> dict[str, bytes]:
    """The content of every file of a folder."""
    found = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items()}


def cookiecutter(folder: Path, *answers: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *(sys.executable, "-m", "cookiecutter", str(TEMPLATE), "--no-input"),
            *("-o", str(folder), *answers),
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("licence", ["Apache-2.0", "Proprietary"])
def test_cookiecutter_makes_the_same_plugin(run: Run, tmp_path: Path, licence: str) -> None:
    description = 'Songs of "birds" \\d.'

    made = run(
        *("new", "bird_song2", "-d", description, "--author", 'Kari "K" \\ Nordmann'),
        *("--email", "kari@example.com", "--license", licence, "-o", "ours"),
    )
    done = cookiecutter(
        tmp_path / "theirs",
        *("plugin_name=bird_song2", f"description={description}", "email=kari@example.com"),
        *('author=Kari "K" \\ Nordmann', f"license={licence}"),
    )

    assert (made.returncode, done.returncode) == (0, 0), made.stderr + done.stderr
    assert "Made ours/mcpkit-plugin-bird-song2\n" in made.stderr
    ours = contents(tmp_path / "ours")
    assert ours == contents(tmp_path / "theirs")
    folder = "mcpkit-plugin-bird-song2"
    project = tomllib.loads(ours[f"{folder}/pyproject.toml"].decode())["project"]
    assert project["description"] == description
    assert project["authors"][0]["name"] == 'Kari "K" \\ Nordmann'
    code = ours[f"{folder}/src/mcpkit_plugin_bird_song2/__init__.py"].decode()
    assert ast.get_docstring(ast.parse(code)) == "Songs of 'birds' \\d."
    assert "cookiecutter" not in "".join(name + text.decode() for name, text in ours.items())


@pytest.mark.parametrize("output", ["/dev/null/x", "/proc/x", "taken/x", "taken"])
def test_a_folder_that_cannot_be_written_is_an_error(run: Run, tmp_path: Path, output: str) -> None:
    (tmp_path / "taken").write_text("", "utf-8")

    result = run("new", "bird_song", "-o", output)

    assert result.returncode in {1, 2}
    assert "Error:" in result.stderr
    assert "Traceback" not in result.stderr
    assert contents(tmp_path) == {"taken": b""}


def test_what_stands_in_the_folder_is_left_there(run: Run, tmp_path: Path) -> None:
    name = "bird_song"
    folder = tmp_path / "mcpkit-plugin-bird-song"
    (folder / "README.md").mkdir(parents=True)
    (folder / "notes.txt").write_text("mine", "utf-8")

    refused = run("new", name)
    blocked = run("new", name, "--force")
    (folder / "README.md").rmdir()
    forced = run("new", name, "--force")

    assert (refused.returncode, "exists already" in refused.stderr) == (1, True)
    assert (blocked.returncode, "README.md' cannot be written" in blocked.stderr) == (1, True)
    assert forced.returncode == 0, forced.stderr
    assert (folder / "notes.txt").read_text("utf-8") == "mine"
    assert (folder / "LICENSE").read_text("utf-8").startswith("MIT")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("mcpkit", "mcpkit uses it itself"),
        ("settings", "mcpkit uses it itself"),
        ("class", "a keyword of Python"),
        ("bird__song", "two underscores"),
        ("bird_", "two underscores"),
        ("b" * 51, "longer than 50 characters"),
        ("timeutil", "mcpkit-plugin-timeutil is installed and has it"),
    ],
)
def test_a_name_that_makes_trouble_is_refused(
    run: Run, tmp_path: Path, name: str, said: str
) -> None:
    result = run("new", name)

    assert result.returncode == 2
    assert said in result.stderr
    assert contents(tmp_path) == {}


def test_texts_of_several_lines_are_refused(run: Run, tmp_path: Path) -> None:
    result = run("new", "bird_song", "-d", "Songs\nof birds")

    assert (result.returncode, "not one line" in result.stderr) == (2, True)
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("name", ["Bad-Name", "mcpkit", "class", "a__b", "b" * 51])
def test_cookiecutter_refuses_the_same_names(tmp_path: Path, name: str) -> None:
    done = cookiecutter(tmp_path, f"plugin_name={name}")

    assert done.returncode != 0
    assert f"Error: {name!r}" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_template_reserves_the_same_names() -> None:
    hook = (TEMPLATE / "hooks" / "pre_gen_project.py").read_text("utf-8")
    values = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in ast.parse(hook).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        if node.targets[0].id in {"RESERVED", "LONGEST"}
    }

    assert values == {"RESERVED": set(new.RESERVED), "LONGEST": new.LONGEST}


def test_mcpkit_does_not_need_cookiecutter() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

    assert not [line for line in project["dependencies"] if line.startswith("cookiecutter")]
