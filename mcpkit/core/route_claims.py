"""Route claims: which plugin wants which path of the shared HTTP port.

A path has one owner. What the host serves is the host's; of plugins, all who claim a path are
refused, since the order in which they were found says nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from mcpkit.core.errors import PluginContractError
from mcpkit.core.settings import HttpSettings

HOST = "mcpkit"


class Claims:
    """Claims of plugins to paths.

    Args:
        settings: Where the host's own transports are.
        routes: Other routes of the host.
    """

    def __init__(self, settings: HttpSettings, routes: Iterable[Any]) -> None:
        paths = {settings.path, settings.sse_path, settings.websocket_path}
        self._claimants = {path: [HOST] for path in paths | {*map(_path, routes)}}
        self._routes: dict[str, Sequence[Any]] = {}

    def add(self, plugin: str, routes: Sequence[Any]) -> None:
        """Note the routes of a plugin."""
        self._routes[plugin] = routes
        for route in routes:
            if path := _path(route):
                self._claimants.setdefault(path, []).append(plugin)

    def settle(self, plugin: str) -> Sequence[Any]:
        """The routes of a plugin, if nobody else claims one of their paths.

        Raises:
            PluginContractError: Somebody does, or it has two routes at one path.
        """
        routes = self._routes.get(plugin, ())
        for path in map(_path, routes):
            claimants = self._claimants.get(path, [plugin])
            if len(claimants) > 1:
                others = sorted({*claimants} - {plugin}) or [plugin]
                raise PluginContractError(
                    f"Its route {path!r} collides with one of {', '.join(map(repr, others))}",
                    hint="Give it a path of its own, such as /PLUGIN/…",
                )
        return routes


def _path(route: Any) -> str:
    """The path of a route; empty if it has none, as a host's."""
    return str(getattr(route, "path", ""))
