"""Serving skills: their files as resources, and the methods that list them (SEP-2640)."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from posixpath import dirname
from typing import Any

import mcp_types as types
from mcp.shared.exceptions import MCPError

from mcpkit.core.calls import uri_data
from mcpkit.core.components import Component
from mcpkit.core.contributions import Extension, Method
from mcpkit.core.extensions import SKILLS
from mcpkit.core.lists import hints, paginate
from mcpkit.core.settings import ListSettings
from mcpkit.core.skills import Skill, SkillFile
from mcpkit.core.suggestions import quoted
from mcpkit.core.wire import wired

DIRECTORY = "inode/directory"
"""MIME type of a folder."""


class UriParams(types.PaginatedRequestParams):
    """Parameters of a request about one URI."""

    uri: str


def skill_components(skills: Iterable[Skill], plugin: str) -> Iterator[Component]:
    """Make every file of the skills readable; lists show each `SKILL.md` alone."""
    for skill in skills:
        for file in skill.files:
            is_manifest = file.uri == skill.uri
            name = file.uri.rpartition("/")[2]
            definition = types.Resource(
                uri=file.uri,
                name=skill.frontmatter["name"] if is_manifest else name,
                description=skill.frontmatter["description"] if is_manifest else None,
                mime_type=file.mime_type,
                size=len(file.content),
            )
            yield Component(
                kind="resource",
                plugin=plugin,
                name=file.uri,
                exposed=file.uri,
                definition=wired(definition),
                run=_Reader(file),
                listed=is_manifest,
                takes_context=False,
            )


@dataclass(frozen=True, slots=True)
class _Reader:
    file: SkillFile

    async def __call__(self, arguments: Mapping[str, Any], context: Any) -> Any:
        common = {"uri": self.file.uri, "mime_type": self.file.mime_type}
        try:
            content: Any = types.TextResourceContents(text=self.file.content.decode(), **common)
        except UnicodeDecodeError:
            blob = base64.b64encode(self.file.content).decode()
            content = types.BlobResourceContents(blob=blob, **common)
        return types.ReadResourceResult(contents=[content])


def skills_extension(skills: Iterable[Skill], settings: ListSettings) -> Extension | None:
    """The extension that serves these skills; None when there are none."""
    by_uri = {skill.uri: skill for skill in sorted(skills, key=lambda skill: skill.uri)}
    if not by_uri:
        return None
    answers = _Answers(by_uri, _folders(by_uri.values()), settings)
    return Extension(
        identifier=SKILLS,
        settings={"directoryRead": True},
        methods=(
            Method(
                name="skills/list", params=types.PaginatedRequestParams, handler=answers.list_all
            ),
            Method(name="skills/get", params=UriParams, handler=answers.get),
            Method(name="resources/directory/read", params=UriParams, handler=answers.directory),
        ),
    )


@dataclass(frozen=True, slots=True)
class _Answers:
    skills: Mapping[str, Skill]
    folders: Mapping[str, Mapping[str, dict[str, Any]]]
    settings: ListSettings

    async def list_all(self, ctx: Any, params: types.PaginatedRequestParams) -> dict[str, Any]:
        """Answer `skills/list`."""
        page, cursor = paginate("skills", self.skills, params, self.settings.page_size)
        return self._kept({"skills": [skill.entry for skill in page]}, cursor)

    async def get(self, ctx: Any, params: UriParams) -> dict[str, Any]:
        """Answer `skills/get`."""
        skill = self.skills.get(params.uri)
        if skill is None:
            raise _unknown(f"Unknown skill {quoted(params.uri)}", params.uri)
        return self._kept({"skill": skill.entry}, None)

    async def directory(self, ctx: Any, params: UriParams) -> dict[str, Any]:
        """Answer `resources/directory/read`: what lies directly in a folder of a skill."""
        children = self.folders.get(params.uri.rstrip("/"))
        if children is None:
            raise _unknown(f"{quoted(params.uri)} is no folder", params.uri)
        page, cursor = paginate(params.uri, children, params, self.settings.page_size)
        return self._kept({"resources": page}, cursor)

    def _kept(self, result: dict[str, Any], cursor: str | None) -> dict[str, Any]:
        result |= hints((), self.settings.ttl)
        return result if cursor is None else {**result, "nextCursor": cursor}


def _unknown(message: str, uri: str) -> MCPError:
    return MCPError(types.INVALID_PARAMS, message, uri_data(uri))


def _folders(skills: Iterable[Skill]) -> dict[str, dict[str, dict[str, Any]]]:
    """Every folder of the skills, with what lies directly in it by URI, sorted."""
    folders: dict[str, dict[str, dict[str, Any]]] = {}
    for skill in skills:
        root = dirname(skill.uri)
        for file in skill.files:
            path = file.uri
            name = path.rpartition("/")[2]
            child = {
                "uri": path,
                "name": name,
                "mimeType": file.mime_type,
                "size": len(file.content),
            }
            while path != root:
                parent = dirname(path)
                folders.setdefault(parent, {})[path] = child
                path, name = parent, parent.rpartition("/")[2]
                child = {"uri": path, "name": name, "mimeType": DIRECTORY}
    return {uri: dict(sorted(children.items())) for uri, children in folders.items()}
