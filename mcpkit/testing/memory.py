"""The in-memory client: plugins given in code, served to the official client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import mcp
from pydantic import ValidationError

from mcpkit.core.assembly import build
from mcpkit.core.errors import SettingsError
from mcpkit.core.extensions.following import FollowTasks
from mcpkit.core.settings import Settings
from mcpkit.core.settings.sources import settings_error
from mcpkit.core.suggestions import did_you_mean

Mode = Literal["auto", "legacy"]
"""Era of the protocol: `auto` opens with the newest (2026-07-28), `legacy` shakes hands as the
protocols of 2025 do."""


_DATA = (str, int, float, Mapping, list, tuple)
"""Types of what is no plugin, but was meant for another argument."""


@asynccontextmanager
async def connect(
    *,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    server: Mapping[str, Any] | None = None,
    mode: Mode = "auto",
    client: Mapping[str, Any] | None = None,
    **plugins: object,
) -> AsyncIterator[mcp.Client]:
    """Serve plugins in memory and connect a client to them.

    Args:
        settings: Section of each plugin, by plugin name.
        server: Other settings of the server, as `mcpkit.toml` spells them.
        mode: Era of the protocol.
        client: Further arguments of `mcp.Client`, such as callbacks. It follows tasks unless
            these have `extensions`.
        **plugins: Plugins by name: `weather=plugin`.

    Yields:
        The connected client.

    Raises:
        PluginError: A plugin does not load, or its lifespan does not start.
        SettingsError: A setting is unknown or wrong, or belongs to no connected plugin.
        TypeError: An argument is misspelt, or of a wrong type.
    """
    _check_arguments({"settings": settings, "server": server, "client": client}, plugins)
    options = {"extensions": [FollowTasks()], **(client or {})}
    with TemporaryDirectory(prefix="mcpkit-") as folder:
        tasks = {"path": Path(folder) / "tasks.sqlite", "poll_interval": 0.05}
        given = {"strict": True, "tasks": tasks, **(server or {}), "plugins": dict(settings or {})}
        app = build(_validated(given), plugins=False, objects=plugins)
        async with (
            app.running() as running,
            mcp.Client(running.server, mode=mode, **options) as connected,
        ):
            yield connected


def _check_arguments(mappings: Mapping[str, Any], plugins: Mapping[str, object]) -> None:
    """Refuse what a misspelt or misunderstood argument of `connect` leaves.

    Raises:
        SettingsError: A section belongs to no plugin.
        TypeError: An argument is unknown, or no mapping.
    """
    for name, value in mappings.items():
        if value is not None and not isinstance(value, Mapping):
            raise TypeError(f"connect() takes {name}= as a mapping; got {value!r}")
    if "plugins" in (mappings["server"] or {}):
        raise TypeError("connect() takes sections of plugins as settings=, not in server=")
    for name, value in plugins.items():
        if value is None or isinstance(value, _DATA):
            told = did_you_mean(name, [*mappings, "mode"])
            raise TypeError(f"connect() got {name}={value!r}, which is no plugin{told}")
    for name in mappings["settings"] or {}:
        if name not in plugins:
            raise SettingsError(
                f"settings= has a section for {name!r}, which is not connected"
                f"{did_you_mean(name, plugins)}",
                hint="Pass the plugin by that name, too",
            )


def _validated(given: Mapping[str, Any]) -> Settings:
    try:
        return Settings.model_validate(given)
    except ValidationError as exc:
        raise settings_error(exc, given) from exc
