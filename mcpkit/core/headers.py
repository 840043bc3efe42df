"""Headers: whether a call's arguments travel in HTTP headers beside the body (SEP-2243)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp.shared.inbound import X_MCP_HEADER_KEY


def travels_in_headers(schema: Mapping[str, Any]) -> bool:
    """Whether a parameter anywhere in a schema travels in a header (`x-mcp-header`)."""
    return X_MCP_HEADER_KEY in repr(schema)
