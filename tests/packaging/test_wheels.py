"""Wheels in a clean environment: installing adds, uninstalling removes; the template's too."""

import json
import sys
import sysconfig
import venv
from pathlib import Path
from typing import Any

import pytest

from tests.packaging.conftest import BUNDLED, execute

pytestmark = pytest.mark.packaging

OTHERS = {"__pycache__", "cookiecutter", "pip"}

RUFF = Path(sys.executable).with_name("ruff")


class Environment:
    """A clean virtual environment.

    Third-party packages come from the environment of the tests, whose pins they are, but for
    cookiecutter, which nothing needs; of ours it has only what is installed into it.
    """

    def __init__(self, folder: Path) -> None:
        venv.create(folder)
        self.bin = folder / "bin"
        self.folder = folder
        third_party = folder / "third-party"
        third_party.mkdir()
        for entry in Path(sysconfig.get_path("purelib")).iterdir():
            if "mcpkit" not in entry.name and entry.name not in OTHERS:
                (third_party / entry.name).symlink_to(entry)
        site = next(folder.glob("lib/python*/site-packages"))
        (site / "third-party.pth").write_text(f"{third_party}\n", "utf-8")

    def run(self, program: str, *arguments: object, cwd: Path | None = None) -> str:
        """Run one of its programs."""
        return execute(self.bin / program, *arguments, cwd=cwd or self.folder)

    def pip(self, *arguments: object) -> None:
        """Run the pip of the tests for this environment: a pip of its own takes long to make."""
        execute(sys.executable, "-m", "pip", "--python", self.bin / "python", *arguments)

    def install(self, *wheels: Path) -> None:
        """Install wheels, and nothing else."""
        self.pip("install", "--quiet", "--no-deps", "--no-index", *wheels)

    def uninstall(self, *names: str) -> None:
        """Uninstall distributions."""
        self.pip("uninstall", "--quiet", "--yes", *names)

    def plugins(self) -> dict[str, Any]:
        """What `mcpkit plugins list` tells, by name."""
        listed = json.loads(self.run("mcpkit", "plugins", "list", "--json"))
        return {plugin["name"]: plugin for plugin in listed}

    def tools(self) -> list[str]:
        """The exposed names of all tools."""
        return [tool["name"] for tool in json.loads(self.run("mcpkit", "tools", "list", "--json"))]


@pytest.fixture(scope="session")
def clean(tmp_path_factory: pytest.TempPathFactory, wheels: Path) -> Environment:
    """A clean environment with the wheel of mcpkit and no plugin."""
    environment = Environment(tmp_path_factory.mktemp("clean") / "venv")
    environment.install(*wheels.glob("mcpkit-*.whl"))
    return environment


def test_installing_adds_and_uninstalling_removes(clean: Environment, wheels: Path) -> None:
    names = {project.name for project in BUNDLED}
    before = clean.plugins()

    clean.install(*wheels.glob("mcpkit_plugin_*.whl"))
    installed, tools = clean.plugins(), clean.tools()
    clean.uninstall("mcpkit-plugin-timeutil")
    without, fewer = clean.plugins(), clean.tools()
    clean.install(*wheels.glob("mcpkit_plugin_timeutil-*.whl"))
    again = clean.tools()

    assert before == {}
    assert set(installed) == names
    assert {plugin["status"] for plugin in installed.values()} == {"loaded"}
    assert not any(plugin["editable"] for plugin in installed.values())
    assert set(without) == names - {"timeutil"}
    assert fewer == [tool for tool in tools if not tool.startswith("timeutil_")]
    assert again == tools
    clean.uninstall(*(f"mcpkit-plugin-{name}" for name in sorted(names)))


def test_a_new_plugin_passes_its_own_checks_and_is_discovered(
    clean: Environment, tmp_path: Path
) -> None:
    clean.run("mcpkit", "new", "bird_song", "-o", tmp_path, "--license", "Apache-2.0")
    project = tmp_path / "mcpkit-plugin-bird-song"
    assert "Apache License" in (project / "LICENSE").read_text("utf-8")
    assert not (project / "licenses").exists()
    assert "${{ matrix.python }}" in (project / ".github/workflows/ci.yml").read_text("utf-8")

    clean.run("python", "-m", "build", "--wheel", "--no-isolation", cwd=project)
    clean.install(*(project / "dist").glob("*.whl"))
    plugin = clean.plugins()["bird_song"]
    execute(RUFF, "check", cwd=project)
    execute(RUFF, "format", "--check", cwd=project)
    clean.run("python", "-m", "mypy", cwd=project)
    passed = clean.run("python", "-m", "pytest", "-p", "no:cacheprovider", cwd=project)
    said = clean.run("mcpkit", "call", "bird_song_greet", "--arg", "name=Kari")
    clean.uninstall("mcpkit-plugin-bird-song")

    assert plugin["status"] == "loaded"
    assert plugin["components"] == {
        "tools": ["bird_song_greet"],
        "resources": ["bird-song://salutation"],
        "prompts": ["bird_song_welcome"],
    }
    assert "4 passed" in passed
    assert "Hello Kari!" in said
    assert clean.plugins() == {}
