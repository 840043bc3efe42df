"""Options: keyword arguments of the decorators of `mcpkit.Plugin`, for type checkers and editors.

`Plugin.tool`, `Plugin.resource` and `Plugin.prompt` document them. Each is a field of the record
in `mcpkit.core.declarations` that the decorator makes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypedDict

from mcpkit.core.components import TaskSupport

if TYPE_CHECKING:  # only for annotations: declaring a tool must not import the SDK
    from mcp.server.caching import CacheHint
    from mcp.server.mcpserver.resources.templates import ResourceSecurity
    from mcp_types import Annotations, Icon, ToolAnnotations

Enabled = bool | Callable[[Any], bool]
"""Whether a component is served: a fact, or a function of the plugin's settings."""


class Options(TypedDict, total=False):
    """Options of every component."""

    name: str | None
    title: str | None
    description: str | None
    icons: list[Icon] | None
    cache: CacheHint | None
    enabled: Enabled


class ToolOptions(Options, total=False):
    """Options of `Plugin.tool`."""

    annotations: ToolAnnotations | None
    meta: dict[str, Any] | None
    structured_output: bool | None
    timeout: float | None
    input_schema: dict[str, Any] | None
    output_schema: dict[str, Any] | None
    app: str | None
    task: TaskSupport


class ResourceOptions(Options, total=False):
    """Options of `Plugin.resource`."""

    mime_type: str | None
    annotations: Annotations | None
    meta: dict[str, Any] | None
    security: ResourceSecurity | None


class PromptOptions(Options, total=False):
    """Options of `Plugin.prompt`."""
