"""`Plugin`: the authoring object.

In come decorated functions; out go declarations, through pluggy hooks that the object implements
itself. It collects; it runs nothing, does no I/O, and never sees the server.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mcpkit.core import hookspecs
from mcpkit.core.components import TaskSupport
from mcpkit.core.declarations import (
    CompletionDeclaration,
    Declaration,
    PromptDeclaration,
    ResourceDeclaration,
    SkillsDeclaration,
    ToolDeclaration,
)

if TYPE_CHECKING:  # only for annotations: a plugin is declared without importing the SDK
    from mcp.server.caching import CacheHint
    from mcp.server.mcpserver.resources.templates import ResourceSecurity
    from mcp_types import Annotations, Icon, ToolAnnotations
    from pydantic import BaseModel

HandlerT = TypeVar("HandlerT", bound=Callable[..., Any])
LifespanT = TypeVar("LifespanT", bound=Callable[..., AbstractAsyncContextManager[Any]])

HOOK_PREFIX = "mcpkit_"
"""What the name of every hook starts with."""


class Plugin:
    """What a distribution contributes: decorate functions with its methods.

    Args:
        settings: Model of the plugin's settings section, filled by the host; derive it from
            `mcpkit.PluginSettings`.
        instructions: What the model should know before it uses the plugin, in a sentence or two.
    """

    def __init__(
        self, *, settings: type[BaseModel] | None = None, instructions: str | None = None
    ) -> None:
        self._settings = settings
        self._instructions = instructions
        self._declarations: list[Declaration] = []
        self._lifespan: Callable[..., AbstractAsyncContextManager[Any]] | None = None

    @property
    def declarations(self) -> tuple[Declaration, ...]:
        """What was declared so far, in order."""
        return tuple(self._declarations)

    def tool(
        self,
        name: str | None = None,
        *,
        title: str | None = None,
        description: str | None = None,
        annotations: ToolAnnotations | None = None,
        icons: list[Icon] | None = None,
        meta: dict[str, Any] | None = None,
        structured_output: bool | None = None,
        timeout: float | None = None,
        input_schema: dict[str, Any] | None = None,
        app: str | None = None,
        task: TaskSupport = "forbidden",
        cache: CacheHint | None = None,
    ) -> Callable[[HandlerT], HandlerT]:
        """Declare a tool; the function's signature is its schema, its docstring its description.

        Args:
            name: Name without the plugin's prefix; the function's name by default.
            title: Name for people.
            description: What the model reads; the docstring by default. One is required.
            annotations: Hints about behaviour, such as read-only or destructive.
            icons: Icons for user interfaces.
            meta: `_meta` of the tool.
            structured_output: Whether results carry structured content; by default when the return
                type allows it.
            timeout: Seconds a call may take, instead of the operator's `calls.timeout`.
            input_schema: JSON Schema 2020-12 of the arguments, instead of the signature; the
                function then takes one mapping, which was validated.
            app: `ui://` resource of this plugin that hosts show with the result (MCP Apps).
            task: Whether a call runs as a task, which the client follows by its id: `optional`
                when the client can, `required` to refuse clients that cannot.
            cache: How long clients may keep the list with this tool, and for whom.
        """
        _refuse_bare(name, "tool")

        def declare(handler: HandlerT) -> HandlerT:
            self._declarations.append(
                ToolDeclaration(
                    handler=handler,
                    name=name or _name(handler),
                    title=title,
                    description=description,
                    annotations=annotations,
                    icons=icons,
                    meta=meta,
                    structured_output=structured_output,
                    timeout=timeout,
                    input_schema=input_schema,
                    app=app,
                    task=task,
                    cache=cache,
                )
            )
            return handler

        return declare

    def resource(
        self,
        uri: str,
        *,
        name: str | None = None,
        title: str | None = None,
        description: str | None = None,
        mime_type: str | None = None,
        icons: list[Icon] | None = None,
        annotations: Annotations | None = None,
        meta: dict[str, Any] | None = None,
        security: ResourceSecurity | None = None,
        cache: CacheHint | None = None,
    ) -> Callable[[HandlerT], HandlerT]:
        """Declare a resource, or a resource template when `uri` has `{variables}`.

        Args:
            uri: URI, or URI template (RFC 6570); its scheme is the plugin's name by convention.
            name: The function's name by default.
            title: Name for people.
            description: The docstring by default.
            mime_type: `text/plain` by default.
            icons: Icons for user interfaces.
            annotations: Audience and priority.
            meta: `_meta` of the resource.
            security: What values a template's variables may not have; by default no path
                traversal, absolute path or NUL.
            cache: How long clients may keep what was read, and for whom.
        """
        _refuse_bare(uri, "resource")

        def declare(handler: HandlerT) -> HandlerT:
            self._declarations.append(
                ResourceDeclaration(
                    handler=handler,
                    uri=uri,
                    name=name or _name(handler),
                    title=title,
                    description=description,
                    mime_type=mime_type,
                    icons=icons,
                    annotations=annotations,
                    meta=meta,
                    security=security,
                    cache=cache,
                )
            )
            return handler

        return declare

    def prompt(
        self,
        name: str | None = None,
        *,
        title: str | None = None,
        description: str | None = None,
        icons: list[Icon] | None = None,
        cache: CacheHint | None = None,
    ) -> Callable[[HandlerT], HandlerT]:
        """Declare a prompt; the function returns a string, a message, or a list of them.

        Args:
            name: Name without the plugin's prefix; the function's name by default.
            title: Name for people.
            description: The docstring by default.
            icons: Icons for user interfaces.
            cache: How long clients may keep the list with this prompt, and for whom.
        """
        _refuse_bare(name, "prompt")

        def declare(handler: HandlerT) -> HandlerT:
            self._declarations.append(
                PromptDeclaration(
                    handler=handler,
                    name=name or _name(handler),
                    title=title,
                    description=description,
                    icons=icons,
                    cache=cache,
                )
            )
            return handler

        return declare

    def skills(self, folder: str | Path) -> None:
        """Ship skills: each subfolder with a `SKILL.md` is one (SEP-2640, agentskills.io).

        Args:
            folder: Usually `Path(__file__).parent / "skills"`, shipped as package data.
        """
        self._declarations.append(SkillsDeclaration(folder=Path(folder)))

    def completion(self) -> Callable[[HandlerT], HandlerT]:
        """Declare the function that completes arguments of this plugin's prompts and templates.

        It takes `(ref, argument, context)` as the SDK's does, and may take a `ctx: Context` after
        them. `ref.name` is the prompt's name in the plugin, without the prefix.
        """

        def declare(handler: HandlerT) -> HandlerT:
            self._declarations.append(CompletionDeclaration(handler=handler))
            return handler

        return declare

    def lifespan(self, function: LifespanT) -> LifespanT:
        """Declare the lifespan: a function of the settings that returns an async context manager.

        What it yields is the plugin's state: `ctx.state` in handlers. Decorate the function with
        `contextlib.asynccontextmanager` first. With a second parameter it is given the
        `mcpkit.Changes` by which its background tasks tell clients what has changed.
        """
        if self._lifespan is not None:
            raise ValueError("A plugin has one lifespan; this one has two")
        self._lifespan = function
        return function

    def hookimpl(self, function: HandlerT) -> HandlerT:
        """Implement a hook of `mcpkit.core.hookspecs`, such as `mcpkit_health`, by its name."""
        name = _name(function)
        if not name.startswith(HOOK_PREFIX):
            raise ValueError(f"A hook's name starts with {HOOK_PREFIX!r}; got {name!r}")
        setattr(self, name, hookspecs.hookimpl(function))
        return function

    @hookspecs.hookimpl
    def mcpkit_settings(self) -> type[BaseModel] | None:
        """The settings model given to the constructor."""
        return self._settings

    @hookspecs.hookimpl
    def mcpkit_components(self) -> tuple[Declaration, ...]:
        """Everything that was decorated."""
        return self.declarations

    @hookspecs.hookimpl
    def mcpkit_instructions(self) -> str | None:
        """The instructions given to the constructor."""
        return self._instructions

    @hookspecs.hookimpl
    def mcpkit_eager(self) -> bool:
        """Whether its lifespan publishes changes."""
        return self._takes_changes

    @hookspecs.hookimpl
    def mcpkit_lifespan(
        self, settings: Any, changes: Any
    ) -> AbstractAsyncContextManager[Any] | None:
        """The decorated lifespan, opened for these settings."""
        if self._lifespan is None:
            return None
        given = (settings, changes) if self._takes_changes else (settings,)
        return self._lifespan(*given)

    @property
    def _takes_changes(self) -> bool:
        return self._lifespan is not None and len(signature(self._lifespan).parameters) > 1


def _refuse_bare(value: object, decorator: str) -> None:
    """Refuse `@plugin.tool` without parentheses, which would lose the function."""
    if callable(value):
        raise TypeError(f"Write @plugin.{decorator}(...) with parentheses")


def _name(handler: Callable[..., Any]) -> str:
    name = getattr(handler, "__name__", "")
    if not name or name == "<lambda>":
        raise ValueError(f"{handler!r} has no name: pass name=")
    return str(name)
