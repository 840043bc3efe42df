"""`Plugin`: the authoring object.

In come decorated functions; out go declarations, through pluggy hooks that the object implements
itself. It collects; it runs nothing, does no I/O, and never sees the server.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import fields
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from mcpkit.core import hookspecs
from mcpkit.core.declarations import (
    CompletionDeclaration,
    Declaration,
    PromptDeclaration,
    ResourceDeclaration,
    SkillsDeclaration,
    ToolDeclaration,
)
from mcpkit.core.signatures import as_function, function_of, name_of, place_of
from mcpkit.core.suggestions import did_you_mean

if TYPE_CHECKING:  # only for annotations: a plugin is declared without importing the SDK
    from typing import Unpack

    from pydantic import BaseModel

    from mcpkit.core.options import PromptOptions, ResourceOptions, ToolOptions

logger = logging.getLogger(__name__)

HandlerT = TypeVar("HandlerT", bound=Callable[..., Any])
LifespanT = TypeVar("LifespanT", bound=Callable[..., AbstractAsyncContextManager[Any]])

_META = frozenset({"tags", "version"})
"""Parameters that FastMCP's decorators have, for what is of no use to a host."""

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
        self._is_loaded = False
        self._lifespan: Callable[..., AbstractAsyncContextManager[Any]] | None = None

    @property
    def declarations(self) -> tuple[Declaration, ...]:
        """What was declared so far, in order."""
        return tuple(self._declarations)

    @overload
    def tool(self, handler: HandlerT, /, **options: Unpack[ToolOptions]) -> HandlerT: ...

    @overload
    def tool(
        self, name: str | None = None, /, **options: Unpack[ToolOptions]
    ) -> Callable[[HandlerT], HandlerT]: ...

    def tool(self, given: Any = None, /, **options: Any) -> Any:
        """Declare a tool; the function's signature is its schema, its docstring its description.

        Write `@plugin.tool`, `@plugin.tool(title="…")` or `plugin.tool(function)`.

        Args:
            given: The function, or the name.
            **options: `name`: without the plugin's prefix; the function's name by default.
                `title`: name for people.
                `description`: what the model reads; the docstring by default. One is required.
                `annotations`: hints about behaviour, such as read-only or destructive.
                `icons`: icons for user interfaces.
                `meta`: `_meta` of the tool.
                `enabled`: whether it is served: a bool, or a function of the plugin's settings.
                `structured_output`: whether results carry structured content; by default when the
                return type allows it.
                `timeout`: seconds a call may take, instead of the operator's `calls.timeout`.
                `input_schema`: JSON Schema 2020-12 of the arguments, instead of the signature; the
                function then takes one mapping, which was validated.
                `output_schema`: JSON Schema 2020-12 of what the function returns, instead of its
                return type; each result is validated against it.
                `app`: `ui://` resource of this plugin that hosts show with the result (MCP Apps).
                `task`: whether a call runs as a task, which the client follows by its id:
                `optional` when the client can, `required` to refuse clients that cannot.
                `cache`: how long clients may keep the list with this tool.
        """
        return self._declare(ToolDeclaration, given, options)

    def resource(
        self, uri: str, **options: Unpack[ResourceOptions]
    ) -> Callable[[HandlerT], HandlerT]:
        """Declare a resource, or a resource template when `uri` has `{variables}`.

        Args:
            uri: URI, or URI template (RFC 6570); its scheme is the plugin's name by convention.
            **options: `name`: the function's name by default.
                `title`: name for people.
                `description`: the docstring by default.
                `mime_type`: `text/plain` by default.
                `icons`: icons for user interfaces.
                `annotations`: audience and priority.
                `meta`: `_meta` of the resource.
                `enabled`: whether it is served: a bool, or a function of the plugin's settings.
                `security`: what values a template's variables may not have; by default no path
                traversal, absolute path or NUL.
                `cache`: how long clients may keep what was read, and for whom.
        """
        if not isinstance(uri, str):
            raise TypeError('A resource needs a URI: write @plugin.resource("scheme://path")')
        declare: Callable[[HandlerT], HandlerT]
        declare = self._declare(ResourceDeclaration, None, {"uri": uri, **options})
        return declare

    @overload
    def prompt(self, handler: HandlerT, /, **options: Unpack[PromptOptions]) -> HandlerT: ...

    @overload
    def prompt(
        self, name: str | None = None, /, **options: Unpack[PromptOptions]
    ) -> Callable[[HandlerT], HandlerT]: ...

    def prompt(self, given: Any = None, /, **options: Any) -> Any:
        """Declare a prompt; the function returns a string, a message, a list of them or the result.

        Write `@plugin.prompt`, `@plugin.prompt(title="…")` or `plugin.prompt(function)`.

        Args:
            given: The function, or the name.
            **options: `name`: without the plugin's prefix; the function's name by default.
                `title`: name for people.
                `description`: the docstring by default.
                `icons`: icons for user interfaces.
                `enabled`: whether it is served: a bool, or a function of the plugin's settings.
                `cache`: how long clients may keep the list with this prompt.
        """
        return self._declare(PromptDeclaration, given, options)

    def skills(self, folder: str | Path) -> None:
        """Ship skills: each subfolder with a `SKILL.md` is one (SEP-2640, agentskills.io).

        Args:
            folder: Usually `Path(__file__).parent / "skills"`, shipped as package data.
        """
        self._add(SkillsDeclaration(folder=Path(folder)), str(folder))

    @overload
    def completion(self, handler: HandlerT) -> HandlerT: ...

    @overload
    def completion(self) -> Callable[[HandlerT], HandlerT]: ...

    def completion(self, handler: Any = None) -> Any:
        """Declare the function that completes arguments of this plugin's prompts and templates.

        It takes `(ref, argument, context)` as the SDK's does, and may take a `ctx: Context` after
        them. `ref.name` is the prompt's name in the plugin, without the prefix.
        """

        def declare(handler: HandlerT) -> HandlerT:
            function = function_of(handler, "completion")
            self._add(CompletionDeclaration(handler=as_function(function)), place_of(function))
            return handler

        return declare if handler is None else declare(handler)

    @overload
    def lifespan(self, function: LifespanT) -> LifespanT: ...

    @overload
    def lifespan(self) -> Callable[[LifespanT], LifespanT]: ...

    def lifespan(self, function: Any = None) -> Any:
        """Declare the lifespan: a function of the settings that returns an async context manager.

        What it yields is the plugin's state: `ctx.state` in handlers. Decorate the function with
        `contextlib.asynccontextmanager` first. With a second parameter it is given the
        `mcpkit.Changes` by which its background tasks tell clients what has changed.
        """
        if function is None:
            return self.lifespan
        if self._lifespan is not None:
            raise ValueError("A plugin has one lifespan; this one has two")
        self._lifespan = function_of(function, "lifespan")
        return function

    @overload
    def hookimpl(self, function: HandlerT) -> HandlerT: ...

    @overload
    def hookimpl(self) -> Callable[[HandlerT], HandlerT]: ...

    def hookimpl(self, function: Any = None) -> Any:
        """Implement a hook, such as `mcpkit_health`, by its name."""
        if function is None:
            return self.hookimpl
        name = name_of(function_of(function, "hookimpl"))
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
        self._is_loaded = True
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

    def _declare(self, record: Callable[..., Declaration], given: Any, options: Any) -> Any:
        """Declare a function, or return the decorator that will."""
        handler, name = (given, None) if callable(given) else (None, given)
        name = options.pop("name", None) or name
        kind = record.__name__.removesuffix("Declaration").lower()
        if name is not None and not isinstance(name, str):
            raise TypeError(f"Plugin.{kind}() takes a function or a name; got {name!r}")
        known = {field.name for field in fields(cast(Any, record))} - {"handler"}
        for option in sorted(options.keys() - known):
            told = "; put it into meta=" if option in _META and "meta" in known else None
            told = told or did_you_mean(option, known)
            raise TypeError(f"Plugin.{kind}() has no parameter {option!r}{told}")

        def declare(handler: HandlerT) -> HandlerT:
            function = as_function(function_of(handler, kind))
            named = name or name_of(function)
            self._add(record(handler=function, name=named, **options), place_of(function))
            return handler

        return declare if handler is None else declare(handler)

    def _add(self, declaration: Declaration, what: str) -> None:
        """Add a declaration, and warn when it comes too late for the servers that run."""
        self._declarations.append(declaration)
        if self._is_loaded:
            kind = type(declaration).__name__.removesuffix("Declaration").lower()
            logger.warning(
                "Plugin.%s() declares %s after its plugin was loaded: no server that runs has it. "
                "Declare it while the module is imported, with enabled= if settings decide",
                kind,
                what,
            )

    @property
    def _takes_changes(self) -> bool:
        return self._lifespan is not None and len(signature(self._lifespan).parameters) > 1
