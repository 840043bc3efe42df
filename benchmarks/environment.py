"""The environment of the benchmarks: mcpkit as a wheel, peers at pinned versions, and plugins.

Everything is installed as users install it: wheels, with bytecode. Plugins are generated, packed
into wheels and installed by pip into a folder of their own for each scenario.
"""

import base64
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "build" / "bench"

PEERS = (
    "fastmcp==4.1.2",
    "mcp==2.3.0",
    "matplotlib==3.11.2",
    "pandas==3.1.1",
    "openai==3.52.0",
)
"""Installed beside mcpkit; pandas and openai are what heavy plugins import."""

REQUIRED = ("cronsim==2.8", "python-dateutil==2.9.0.post0")
"""What the bundled plugins need beyond that."""

MODULE = '''"""Plugin {number} of a benchmark."""

{imports}from mcpkit import Plugin

plugin = Plugin()
'''

TOOL = '''

@plugin.tool()
{kind} tool_{number}(text: str, count: int = 1, loud: bool = False) -> str:
    """Say a text {number} times over, loudly if wanted."""
    return text * count
'''
"""Tools with even numbers are sync functions, the others async ones."""

MIDDLEWARE = """

async def let_pass(call, call_next):
    return await call_next(call)


@plugin.hookimpl
def mcpkit_middleware(settings):
    return [let_pass]
"""


@dataclass(frozen=True)
class Scenario:
    """Installed plugins.

    Attributes:
        plugins: How many.
        tools: How many they have in all.
        heavy: What the first ones import, one each.
        middleware: Whether the first one puts middleware around all calls.
    """

    plugins: int
    tools: int
    heavy: tuple[str, ...] = ()
    middleware: bool = False

    @property
    def name(self) -> str:
        """What the scenario is called."""
        heavy = f", {' and '.join(self.heavy)} imported" if self.heavy else ""
        return f"{self.plugins} plugins, {self.tools} tools{heavy}"

    @property
    def folder(self) -> Path:
        """Where its plugins are installed."""
        key = f"{self.plugins}-{self.tools}" + "".join(f"-{name}" for name in self.heavy)
        key += "-middleware" if self.middleware else ""
        edition = sha256((MODULE + TOOL + MIDDLEWARE).encode()).hexdigest()[:8]
        return BUILD / "scenarios" / f"{key}-{edition}"


def python() -> str:
    """The interpreter of the environment."""
    return str(BUILD / "venv" / "bin" / "python")


def prepare() -> None:
    """Make the environment: a fresh wheel of mcpkit, the peers, bytecode for all."""
    if not Path(python()).exists():
        _run(sys.executable, "-m", "venv", str(BUILD / "venv"))
    _pip("install", *PEERS, *REQUIRED)
    newest = _built(ROOT)
    _pip("install", str(newest))
    _pip("install", "--force-reinstall", "--no-deps", str(newest))
    _run(python(), "-m", "compileall", "-q", "-x", "template", str(BUILD / "venv" / "lib"))


def install(scenario: Scenario) -> Path:
    """Install the plugins of a scenario, once.

    Returns:
        The folder to put on `PYTHONPATH`.
    """
    folder = scenario.folder
    if not folder.exists():
        wheels = [str(_wheel(scenario, number)) for number in range(scenario.plugins)]
        _pip("install", "--no-deps", "--target", str(folder), *wheels)
        _run(python(), "-m", "compileall", "-q", str(folder))
    return folder


def install_bundled(name: str) -> Path:
    """Install a plugin of this repository, as it is now.

    Returns:
        The folder to put on `PYTHONPATH`.
    """
    folder = BUILD / "bundled" / name
    shutil.rmtree(folder, ignore_errors=True)
    _pip("install", "--no-deps", "--target", str(folder), str(_built(ROOT / "plugins" / name)))
    _run(python(), "-m", "compileall", "-q", str(folder))
    return folder


def _built(project: Path) -> Path:
    """Build the wheel of a project."""
    folder = BUILD / "wheels" / project.name
    shutil.rmtree(folder, ignore_errors=True)
    build = (sys.executable, "-m", "build", "--wheel", "--no-isolation")
    _run(*build, "--outdir", str(folder), str(project))
    (wheel,) = folder.glob("*.whl")
    return wheel


def _wheel(scenario: Scenario, number: int) -> Path:
    """Write the wheel of one plugin (PEP 427)."""
    name = f"bench_{number:03}"
    share = range(number, scenario.tools, scenario.plugins)
    imports = f"import {scenario.heavy[number]}\n\n" if number < len(scenario.heavy) else ""
    code = MODULE.format(number=number, imports=imports)
    code += MIDDLEWARE if scenario.middleware and number == 0 else ""
    code += "".join(
        TOOL.format(kind="async def" if tool % 2 else "def", number=tool) for tool in share
    )
    info = f"mcpkit_plugin_{name}-1.0.dist-info"
    files = {
        f"mcpkit_plugin_{name}.py": code,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: mcpkit-plugin-{name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[mcpkit.plugins]\n{name} = mcpkit_plugin_{name}:plugin\n",
    }
    folder = BUILD / "plugins" / scenario.folder.name
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"mcpkit_plugin_{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        record = ""
        for file, text in files.items():
            wheel.writestr(file, text)
            digest = base64.urlsafe_b64encode(sha256(text.encode()).digest()).rstrip(b"=").decode()
            record += f"{file},sha256={digest},{len(text.encode())}\n"
        wheel.writestr(f"{info}/RECORD", f"{record}{info}/RECORD,,\n")
    return path


def _pip(*arguments: str) -> None:
    _run(python(), "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}\n{done.stderr}")
