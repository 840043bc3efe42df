"""The hooks of mcpkit: what a plugin may contribute, and when it is asked.

Hooks are sync and only declare: they return records and run nothing. Each is called once for one
plugin at a time, in the order of this file; what one plugin raises concerns that plugin alone.

A `mcpkit.Plugin` implements the first six itself. A module (or any object) with functions marked
`@hookimpl` is a plugin too. Leave out the parameters you do not need: pluggy passes by name.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:  # only for annotations: hooks are declared without importing these
    import click
    from pydantic import BaseModel
    from starlette.routing import BaseRoute

    from mcpkit.core.changes import Changes
    from mcpkit.core.contributions import Endpoint, Extension, Health, Middleware, Transport
    from mcpkit.core.declarations import Declaration

PROJECT_NAME = "mcpkit"

hookspec = pluggy.HookspecMarker(PROJECT_NAME)
"""Marks a hook specification."""

hookimpl = pluggy.HookimplMarker(PROJECT_NAME)
"""Marks a plugin's implementation of a hook."""


@hookspec
def mcpkit_settings() -> type[BaseModel] | None:
    """The pydantic model of the plugin's settings section.

    When: after import, before any other hook. The host fills it from `[plugins.<name>]` and
    `MCPKIT_PLUGINS__<NAME>__…`; settings that do not fit fail this plugin alone.
    """


@hookspec
def mcpkit_components() -> Iterable[Declaration] | None:
    """The tools, resources, prompts and completions of the plugin.

    When: after its settings were read. What comes back is checked; one illegal component fails
    the plugin, and nothing of it is registered.
    """


@hookspec
def mcpkit_extensions(settings: Any) -> Iterable[Extension] | None:
    """Extensions of the protocol: identifiers to advertise, and request methods to answer.

    When: after its components were checked. Two plugins that claim the same identifier or method
    are both refused. Apps, skills and tasks are the host's own: see `Plugin.tool` and
    `Plugin.skills`.
    """


@hookspec
def mcpkit_instructions(settings: Any) -> str | None:
    """What the model should know before it uses the plugin, in a sentence or two.

    When: after its components were checked. Joined into the server's instructions.
    """


@hookspec
def mcpkit_middleware(settings: Any) -> Iterable[Middleware] | None:
    """Middleware around every call of every plugin, the first outermost.

    When: after all plugins were loaded. Built-in middleware stands outside of it.
    """


@hookspec
def mcpkit_transports(settings: Any) -> Iterable[Transport] | None:
    """Ways to reach the server, chosen by `mcpkit serve --transport NAME`.

    When: after all plugins were loaded. The built-in transports come the same way.
    """


@hookspec
def mcpkit_routes(settings: Any, endpoint: Endpoint) -> Iterable[BaseRoute] | None:
    """Starlette routes on the shared HTTP port, behind its host check and authentication.

    When: after all plugins were loaded; served while any HTTP transport is.
    """


@hookspec
def mcpkit_commands() -> Iterable[click.Command] | None:
    """Commands mounted under `mcpkit x <plugin>`.

    When: only when such a command is asked for; the server does not run then.
    """


@hookspec
def mcpkit_lifespan(settings: Any, changes: Changes) -> AbstractAsyncContextManager[Any] | None:
    """An async context manager around the serving; what it yields is the plugin's state.

    `changes` publishes to clients what its background tasks find out.

    When: entered once per server, before the first call; closed after the last one, in reverse
    order. Raising or hanging in it fails this plugin alone.
    """


@hookspec
def mcpkit_eager(settings: Any) -> bool | None:
    """Whether the plugin has to be there from the start, though nobody calls it.

    When: after its components were checked. Plugins with middleware, transports, routes, extensions
    or skills are there anyway; any other one may be imported at its first call.
    """


@hookspec
def mcpkit_health(settings: Any, state: Any) -> Health | None:
    """How the plugin is, from what it already knows: no I/O here.

    When: at `/readyz`, at most once a second, and at `mcpkit plugins check`, while the plugin's
    lifespan is open. It runs in a thread, one at a time, and must answer within half a second.
    """
