"""Apps: tools that show a page of their own in the host (MCP Apps, SEP-1865).

A tool names a `ui://` resource of its plugin; the host reads it and renders it in a sandbox. What
the tool returns must make sense without it: `mcp.server.apps.client_supports_apps(ctx)` tells
whether the client shows pages.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mcpkit.core.components import Component
from mcpkit.core.contributions import Extension
from mcpkit.core.errors import PluginContractError
from mcpkit.core.extensions import APPS

SCHEME = "ui://"
"""What the URI of a page begins with."""


def tool_meta(meta: Mapping[str, Any] | None, app: str | None) -> dict[str, Any] | None:
    """The `_meta` of a tool that is bound to a page; what `meta` has under `ui` is kept."""
    if app is None:
        return dict(meta) if meta else None
    own = dict(meta or {})
    return {**own, "ui": {**own.get("ui", {}), "resourceUri": app}}


def check_pages(components: Iterable[Component]) -> None:
    """Make sure that every page that a tool names is there.

    Raises:
        PluginContractError: One is not, or is no `ui://` resource.
    """
    components = list(components)
    pages = {component.exposed for component in components if component.kind == "resource"}
    for component in components:
        page = _page(component)
        if page is not None and (page not in pages or not page.startswith(SCHEME)):
            raise PluginContractError(
                f"Its tool {component.name!r} shows {page!r}, which is no resource of it",
                hint=f'Declare it: @plugin.resource("{SCHEME}…")',
            )


def apps_extension(components: Iterable[Component]) -> Extension | None:
    """What tells clients that there are pages; None when there are none."""
    if any(_page(component) is not None for component in components):
        return Extension(identifier=APPS)
    return None


def _page(component: Component) -> str | None:
    if component.kind != "tool":
        return None
    ui = component.definition.get("_meta", {}).get("ui")
    page = ui.get("resourceUri") if isinstance(ui, Mapping) else None
    return page if isinstance(page, str) else None
