"""What plugins declare: tools, resources, resource templates, prompts and completions.

A declaration is what a decorator collected; it has run nothing and imports nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from mcpkit.core.components import ComponentKind, Handler, Run, TaskSupport
from mcpkit.core.options import Enabled

if TYPE_CHECKING:  # only for annotations: declaring a tool must not import the SDK
    from mcp.server.caching import CacheHint
    from mcp.server.mcpserver.resources.templates import ResourceSecurity
    from mcp_types import Annotations, Icon, ToolAnnotations

_TASKS: tuple[str, ...] = get_args(TaskSupport)


def _is_positive(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolDeclaration:
    """A tool as its plugin wrote it; `timeout` is in seconds.

    `enabled` is here and below a bool, or a function of the plugin's settings that returns one.
    """

    handler: Handler
    name: str
    title: str | None = None
    description: str | None = None
    annotations: ToolAnnotations | None = None
    icons: list[Icon] | None = None
    meta: dict[str, Any] | None = None
    structured_output: bool | None = None
    timeout: float | None = None
    input_schema: dict[str, Any] | None = None
    output_schema: dict[str, Any] | None = None
    app: str | None = None
    task: TaskSupport = "forbidden"
    cache: CacheHint | None = None
    enabled: Enabled = True

    def __post_init__(self) -> None:
        """Check what no schema checks.

        Raises:
            TypeError: `task` or `timeout` is something else than it may be.
        """
        if self.task not in _TASKS:
            raise TypeError(f"task must be one of {', '.join(_TASKS)}; got {self.task!r}")
        if self.timeout is not None and not _is_positive(self.timeout):
            raise TypeError(f"timeout must be a number of seconds above 0; got {self.timeout!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceDeclaration:
    """A resource, or a template when `uri` has `{variables}` (RFC 6570)."""

    handler: Handler
    uri: str
    name: str
    title: str | None = None
    description: str | None = None
    mime_type: str | None = None
    icons: list[Icon] | None = None
    annotations: Annotations | None = None
    meta: dict[str, Any] | None = None
    security: ResourceSecurity | None = None
    cache: CacheHint | None = None
    enabled: Enabled = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptDeclaration:
    """A prompt as its plugin wrote it."""

    handler: Handler
    name: str
    title: str | None = None
    description: str | None = None
    icons: list[Icon] | None = None
    cache: CacheHint | None = None
    enabled: Enabled = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillsDeclaration:
    """A folder whose subfolders are skills, each with a `SKILL.md` (agentskills.io)."""

    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionDeclaration:
    """The function that completes arguments of the plugin's own prompts and templates."""

    handler: Handler


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyDeclaration:
    """A component that brings its own wire record and its own way to run.

    For what is not a Python function: another server's tool, or one described by a JSON Schema.
    `definition` is a `mcp_types.Tool`, `Resource`, `ResourceTemplate` or `Prompt`; `run` takes the
    arguments as the client sent them. Unless `strict`, a component that cannot be served is left
    out, or served with a warning, and the rest of its plugin goes on.
    """

    kind: ComponentKind
    name: str
    definition: Any
    run: Run
    match: Callable[[str], dict[str, Any] | None] | None = None
    timeout: float | None = None
    cache: CacheHint | None = None
    strict: bool = True


Declaration = (
    ToolDeclaration
    | ResourceDeclaration
    | PromptDeclaration
    | CompletionDeclaration
    | SkillsDeclaration
    | ReadyDeclaration
)
