"""What clients see of a target: told by manifests where they suffice, else by its server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from mcpkit.cli.options import load_app, read_inventory
from mcpkit.cli.output import dumped
from mcpkit.cli.target import Target

if TYPE_CHECKING:  # importing the core costs: commands do it when they run
    from mcpkit.core.app import App
    from mcpkit.core.components import ComponentKind
    from mcpkit.core.errors import NotFoundError
    from mcpkit.core.registry import Registry
    from mcpkit.core.settings import Settings
    from mcpkit.core.status import PluginRecord

Definition = Mapping[str, Any]
"""A tool, resource, resource template or prompt as it is sent."""

_LISTED: Mapping[ComponentKind, str] = {
    "tool": "`mcpkit tools list` lists the tools",
    "resource": "`mcpkit resources list` lists the resources",
    "prompt": "`mcpkit prompts list` lists the prompts and their arguments",
}
"""Hints for a name, or arguments, that a server refuses."""


class Source(Protocol):
    """Plugins that were loaded, or of which manifests tell."""

    @property
    def records(self) -> Sequence[PluginRecord]:
        """Every plugin, with its status."""

    @property
    def registry(self) -> Registry:
        """What clients see."""

    @property
    def settings(self) -> Settings:
        """Of the whole server."""


def definitions(target: Target, *kinds: ComponentKind, eager: bool = False) -> list[Definition]:
    """List what clients see, without importing plugins or the SDK where manifests suffice.

    Args:
        target: Whose components are listed.
        kinds: Which of them, in this order.
        eager: Whether plugins are imported, whatever manifests tell.

    Raises:
        MCPKitError: The settings are wrong, or the server cannot be reached.
    """
    return _look(target, kinds, eager)[0]


def find_tool(target: Target, name: str, *, eager: bool = False) -> Definition:
    """Look up one tool.

    Raises:
        NotFoundError: There is none of that name; the message suggests one, or tells why.
    """
    from mcpkit.core.errors import NotFoundError
    from mcpkit.core.suggestions import did_you_mean, quoted

    found, source = _look(target, ("tool",), eager)
    for tool in found:
        if tool["name"] == name:
            return tool
    suggestion = did_you_mean(name, [tool["name"] for tool in found])
    if source is not None:
        reason = _absence("tool", name, source)
        if reason is not None:
            raise reason
        suggestion = source.registry.suggest("tool", name)
    raise NotFoundError(
        f"Unknown tool {quoted(name)}{suggestion}", hint="`mcpkit tools list` lists them"
    )


@contextmanager
def explained_absence(kind: ComponentKind, name: str, app: App | None) -> Iterator[None]:
    """Say why a component is not there, where its plugin failed or is disabled; else which are."""
    from mcpkit.core.errors import MCPKitError, NotFoundError

    try:
        yield
    except MCPKitError as exc:
        reason = None if app is None else _absence(kind, name, app)
        if reason is None and exc.message == "Method not found":
            reason = NotFoundError(f"The server has no {kind}s", hint=_LISTED[kind])
        elif reason is None and exc.hint is None and _is_refused(exc.__cause__):
            exc.hint = _LISTED[kind] + (", given the same options" if app is None else "")
        raise reason or exc from exc


def _is_refused(cause: BaseException | None) -> bool:
    """Whether a server said that it does not know the name, or that the arguments are wrong."""
    from mcp.shared.exceptions import MCPError
    from mcp_types import INVALID_PARAMS

    return isinstance(cause, MCPError) and cause.code == INVALID_PARAMS


def _look(
    target: Target, kinds: Sequence[ComponentKind], eager: bool
) -> tuple[list[Definition], Source | None]:
    """Find what clients see, and what knows why the rest is not there."""
    if not target.is_local:
        asked = target.run(None, lambda client: _ask(client, kinds))
        return [dumped(item) for item in asked], None
    effective = target.settings()
    eager = eager or effective.settings.eager
    if not eager:
        inventory = read_inventory(effective, no_plugins=target.no_plugins)
        if inventory.is_whole:
            return _listed(inventory.registry, kinds), inventory
    app = load_app(effective, no_plugins=target.no_plugins, use_catalogues=not eager)
    asked = target.run(app, lambda client: _ask(client, kinds))
    return [dumped(item) for item in asked], app


def _listed(registry: Registry, kinds: Iterable[ComponentKind]) -> list[Definition]:
    """The definitions that lists show."""
    return [
        component.definition
        for kind in kinds
        for component in registry.components(kind).values()
        if component.listed
    ]


def _absence(kind: ComponentKind, name: str, source: Source) -> NotFoundError | None:
    """Why a component is not there; None when its name belongs to no plugin that is not served."""
    from mcpkit.core.errors import NotFoundError

    if name in source.registry.components(kind):
        return None
    for record in source.records:
        reason = record.error.message if record.error is not None else record.reason
        if reason is not None and _belongs(kind, name, record.name, source.settings):
            state = "has failed" if record.error is not None else "is disabled"
            text = f"Plugin {record.label}, to which {name!r} belongs, {state}: {reason}"
            hint = record.error.hint if record.error is not None else None
            return NotFoundError(text, hint=hint or "`mcpkit plugins list` lists all plugins")
    return None


def _belongs(kind: ComponentKind, name: str, plugin: str, settings: Settings) -> bool:
    """Whether a name is one that the components of a plugin have."""
    if kind not in {"tool", "prompt"}:
        return name.startswith((f"{plugin}://", f"{plugin.replace('_', '-')}://"))
    prefix = settings.plugin(plugin).prefix
    start = plugin if prefix is None else prefix
    return bool(start) and name.startswith(f"{start}_")


async def _ask(client: Any, kinds: Iterable[ComponentKind]) -> list[Any]:
    """Ask a server for its lists, page by page."""
    capabilities = client.server_capabilities
    has_resources = capabilities.resources is not None
    lists: Mapping[str, tuple[bool, Callable[..., Any], str]] = {
        "tool": (capabilities.tools is not None, client.list_tools, "tools"),
        "resource": (has_resources, client.list_resources, "resources"),
        "resource_template": (
            has_resources,
            client.list_resource_templates,
            "resource_templates",
        ),
        "prompt": (capabilities.prompts is not None, client.list_prompts, "prompts"),
    }
    found: list[Any] = []
    for kind in kinds:
        is_there, list_page, field = lists[kind]
        if is_there:
            found += [item async for page in pages(list_page) for item in getattr(page, field)]
    return found


async def pages(list_page: Callable[..., Any]) -> AsyncIterator[Any]:
    """Ask for the pages of one list."""
    cursor: str | None = None
    while True:
        page = await list_page(cursor=cursor)
        yield page
        cursor = page.next_cursor
        if not cursor:
            return
