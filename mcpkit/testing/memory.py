"""The in-memory client: plugins given in code, served to the official client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import mcp

from mcpkit.core.assembly import build
from mcpkit.core.extensions.following import FollowTasks
from mcpkit.core.settings import Settings

Mode = Literal["auto", "legacy"]
"""Era of the protocol: `auto` opens with the newest (2026-07-28), `legacy` shakes hands as the
protocols of 2025 do."""


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
    """
    options = {"extensions": [FollowTasks()], **(client or {})}
    with TemporaryDirectory(prefix="mcpkit-") as folder:
        tasks = {"path": Path(folder) / "tasks.sqlite", "poll_interval": 0.05}
        given = {"strict": True, "tasks": tasks, **(server or {}), "plugins": dict(settings or {})}
        app = build(Settings.model_validate(given), plugins=False, objects=plugins)
        async with (
            app.running() as running,
            mcp.Client(running.server, mode=mode, **options) as connected,
        ):
            yield connected
