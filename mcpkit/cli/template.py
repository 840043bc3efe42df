"""The template of `mcpkit new`, filled in: each `{{ cookiecutter.name }}` becomes a value.

The template is one for cookiecutter as well, which a server does not need. Nothing but names stands
in its files, so that no template engine is needed to fill them; values that follow from the answers
are derived here, and for cookiecutter in `cookiecutter.json`. A test compares both.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

_PLACE = re.compile(r"\{\{ cookiecutter\.(\w+) \}\}")
_LICENSES = "licenses"


def answers(given: Mapping[str, str | None]) -> dict[str, str]:
    """What was asked for, with the defaults of `cookiecutter.json` for the rest."""
    questions = json.loads((_folder() / "cookiecutter.json").read_text("utf-8"))
    defaults = {
        name: default[0] if isinstance(default, list) else default
        for name, default in questions.items()
        if not name.startswith("_") and "{" not in default
    }
    return {**defaults, **{name: text for name, text in given.items() if text}}


def fill(given: Mapping[str, str]) -> dict[Path, bytes]:
    """The files of a plugin, by their path below the folder to make it in."""
    values = {**given, **_derived(given)}
    root = next(_folder().glob("{{*"))
    files: dict[Path, bytes] = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root.parent)
        if not path.is_file() or name.parts[1] == _LICENSES or "__pycache__" in name.parts:
            continue
        text = path.read_text("utf-8")
        is_kept = name.match(".github/workflows/*.yml")  # GitHub's expressions look alike
        files[Path(_filled(str(name), values))] = (
            text if is_kept else _filled(text, values)
        ).encode()
    license_text = (root / _LICENSES / f"{values['license']}.txt").read_text("utf-8")
    files[Path(values["distribution"], "LICENSE")] = _filled(license_text, values).encode()
    return files


def write(files: Mapping[Path, bytes], output: Path, *, force: bool = False) -> Path:
    """Write the files of a plugin.

    Args:
        files: Content by relative path; all of them are in one folder.
        output: The folder to make that folder in.
        force: Whether the folder may be there already.

    Returns:
        The folder made; without force, nothing is left of it where it cannot be written whole.

    Raises:
        OSError: It is there already, or cannot be written.
    """
    made = output / next(iter(files)).parts[0]
    output.mkdir(parents=True, exist_ok=True)
    made.mkdir(exist_ok=force)
    try:
        for name, content in files.items():
            path = output / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    except BaseException:
        if not force:
            shutil.rmtree(made, ignore_errors=True)
        raise
    return made


def _derived(given: Mapping[str, str]) -> dict[str, str]:
    name, description, license_name = given["plugin_name"], given["description"], given["license"]
    is_private = license_name == "Proprietary"
    return {
        "distribution": f"mcpkit-plugin-{name.replace('_', '-')}",
        "module": f"mcpkit_plugin_{name}",
        "class_name": name.replace("_", " ").title().replace(" ", ""),
        "__scheme": name.replace("_", "-"),
        "__variable": name.upper(),
        "__docstring": description.replace("\\", "\\\\").replace('"', "'"),
        "__description": _quotable(description),
        "__author": _quotable(given["author"]),
        "__email": _quotable(given["email"]),
        "__license": "LicenseRef-Proprietary" if is_private else license_name,
        "__private": '\n  "Private :: Do Not Upload",' if is_private else "",
        "__next_mcpkit": str(int(given["minimum_mcpkit"].partition(".")[0]) + 1),
        "__year": datetime.now(UTC).strftime("%Y"),
    }


def _quotable(text: str) -> str:
    """A text as it stands between the quotes of TOML."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _filled(text: str, values: Mapping[str, str]) -> str:
    return _PLACE.sub(lambda place: values[place[1]], text)


def _folder() -> Path:
    """The template: packaged in a wheel, beside the package in a checkout."""
    package = Path(__file__).parents[1]
    packaged = package / "template"
    return packaged if packaged.is_dir() else package.parent / "cookiecutter-template"
