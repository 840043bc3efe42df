"""Skills: folders of instructions that a plugin ships (SEP-2640, agentskills.io).

In comes a folder; out come its skills with every file's bytes and digest, read once when the plugin
is loaded, so that what is listed and what is read never disagree.
"""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from mcpkit.core.deferred import deferred
from mcpkit.core.errors import PluginContractError

read_frontmatter = deferred("mcpkit.core.frontmatter:read_frontmatter")

MANIFEST = "SKILL.md"
SCHEME = "skill://"
MAX_FILES = 512
"""Most files of one skill (SEP-2640)."""

MAX_BYTES = 16 * 1024 * 1024
"""Most bytes of one skill (SEP-2640)."""

NAME = re.compile(r"(?!.*--)[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?")
"""What a skill may be called (agentskills.io)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillFile:
    """One file of a skill: its URI, bytes, and MIME type."""

    uri: str
    content: bytes
    mime_type: str

    @property
    def digest(self) -> str:
        """SHA-256 of the bytes, as `sha256:…`."""
        return f"sha256:{sha256(self.content).hexdigest()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Skill:
    """One skill.

    Attributes:
        uri: Of its `SKILL.md`.
        frontmatter: The YAML head of that file as JSON; it has `name` and `description`.
        files: All files, that one first.
    """

    uri: str
    frontmatter: dict[str, Any]
    files: tuple[SkillFile, ...]

    @property
    def entry(self) -> dict[str, Any]:
        """How `skills/list` shows it."""
        resources = [
            {"uri": file.uri, "digest": file.digest, "size": len(file.content)}
            for file in self.files
        ]
        return {"uri": self.uri, "frontmatter": self.frontmatter, "resources": resources}


def read_skills(folder: Path, plugin: str) -> tuple[Skill, ...]:
    """Read every skill in a folder, sorted by name.

    Args:
        folder: Its subfolders with a `SKILL.md` are the skills.
        plugin: Name of the plugin that ships them; it begins their URIs.

    Raises:
        PluginContractError: The folder is missing or empty, or a skill breaks the rules.
    """
    if not folder.is_dir():
        raise PluginContractError(
            f"Its skills folder {str(folder)!r} does not exist",
            hint="Ship it as package data, and pass Path(__file__).parent / 'skills'",
        )
    found = sorted(path.parent for path in folder.glob(f"*/{MANIFEST}"))
    if not found:
        raise PluginContractError(
            f"Its skills folder {str(folder)!r} holds no skill",
            hint=f"Put each skill into a folder of its own, with a {MANIFEST}",
        )
    return tuple(_read_skill(path, plugin) for path in found)


def _read_skill(folder: Path, plugin: str) -> Skill:
    base = f"{SCHEME}{plugin}/{folder.name}"
    if not NAME.fullmatch(folder.name):
        raise _broken(
            folder, "has an illegal name", "Lower-case letters, digits and single hyphens, up to 64"
        )
    files: list[SkillFile] = []
    for path in _files(folder):
        uri = f"{base}/{path.relative_to(folder).as_posix()}"
        files.append(SkillFile(uri=uri, content=path.read_bytes(), mime_type=_mime_type(path)))
    if len(files) > MAX_FILES or sum(len(file.content) for file in files) > MAX_BYTES:
        raise _broken(folder, "is too large", f"At most {MAX_FILES} files and 16 MiB in all")
    frontmatter = _frontmatter(folder)
    files.sort(key=lambda file: (file.uri != f"{base}/{MANIFEST}", file.uri))
    return Skill(uri=f"{base}/{MANIFEST}", frontmatter=frontmatter, files=tuple(files))


def _files(folder: Path) -> Iterator[Path]:
    """Every file of a skill; hidden ones, caches, and links that lead out of it stay out."""
    inside = folder.resolve()
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if any(part.startswith(".") or part == "__pycache__" for part in parts):
            continue
        if path.is_file() and path.resolve().is_relative_to(inside):
            yield path


def _frontmatter(folder: Path) -> dict[str, Any]:
    try:
        text = (folder / MANIFEST).read_text("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise _broken(folder, f"has a {MANIFEST} that is not UTF-8", "Save it as UTF-8") from exc
    try:
        parsed = read_frontmatter(text)
    except ValueError as exc:
        raise _broken(folder, f"has broken YAML in its {MANIFEST}: {exc}", "Mend it") from exc
    if not isinstance(parsed, dict) or not all(
        isinstance(parsed.get(key), str) and parsed[key].strip() for key in ("name", "description")
    ):
        raise _broken(
            folder,
            f"has a {MANIFEST} without name and description",
            "Begin it with ---, name: …, description: …, ---",
        )
    if parsed["name"] != folder.name:
        raise _broken(folder, f"calls itself {parsed['name']!r}", "Give folder and skill one name")
    return parsed


def _mime_type(path: Path) -> str:
    if path.suffix.lower() in {".md", ".markdown"}:
        return "text/markdown"
    return mimetypes.guess_type(path.name)[0] or "application/octet-stream"


def _broken(folder: Path, problem: str, hint: str) -> PluginContractError:
    return PluginContractError(f"Its skill {folder.name!r} {problem}", hint=hint)
