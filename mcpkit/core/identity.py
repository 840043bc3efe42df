"""Identity of the server: name, version, title, web page and icon that clients show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import mcp_types as types

import mcpkit
from mcpkit.core.settings import Settings

WEBSITE = "https://github.com/mcpkit/mcpkit"

_DRAWING = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 48 48"><rect width="48" height="48" '
    'rx="10" fill="#1f4e79"/><path d="M12 34V16l12 10 12-10v18" fill="none" stroke="#fff" '
    'stroke-width="5" stroke-linejoin="round"/></svg>'
)

ICON = f"data:image/svg+xml,{quote(_DRAWING)}"

STAMPED = ("name", "version", "title")
"""What each result repeats; the rest stands in the answers that open a connection."""


def identity(settings: Settings) -> types.Implementation:
    """Who the server is, by its settings or else by default."""
    icon = settings.icon or ICON
    return types.Implementation(
        name=settings.name,
        version=settings.version or mcpkit.__version__,
        title=settings.title or settings.name,
        website_url=settings.website_url or WEBSITE,
        icons=[types.Icon(src=icon, mime_type="image/svg+xml" if icon is ICON else None)],
    )


def stamp(info: types.Implementation) -> Mapping[str, Any]:
    """What each result of the stateless protocol says of its server: it is short."""
    told = info.model_dump(by_alias=True, mode="json", exclude_none=True)
    return {key: told[key] for key in STAMPED if key in told}
