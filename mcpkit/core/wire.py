"""Wire: records of the protocol as they are sent, which is how lists keep them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mcp_types as types
from mcp_types.methods import serialize_server_result
from mcp_types.version import LATEST_HANDSHAKE_VERSION, MODERN_PROTOCOL_VERSIONS
from pydantic import BaseModel

from mcpkit.core.components import ComponentKind
from mcpkit.core.encoding import encode
from mcpkit.core.versions import VERSIONS

FIELDS = {
    "tools/list": "tools",
    "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
    "prompts/list": "prompts",
}
"""Where the items of each list stand in its result."""

METHODS: Mapping[ComponentKind, str] = {
    "tool": "tools/list",
    "resource": "resources/list",
    "resource_template": "resources/templates/list",
    "prompt": "prompts/list",
}
"""The request that lists each kind."""

_KINDS: Mapping[type[BaseModel], ComponentKind] = {
    types.Tool: "tool",
    types.Resource: "resource",
    types.ResourceTemplate: "resource_template",
    types.Prompt: "prompt",
}


def wired(definition: BaseModel) -> dict[str, Any]:
    """What a client sees of a tool, resource, resource template or prompt.

    Its members stand in the order in which the SDK sends them, if a version sends them all.
    """
    told = definition.model_dump(by_alias=True, mode="json", exclude_none=True)
    kind = next(kind for known, kind in _KINDS.items() if isinstance(definition, known))
    for version in (LATEST_HANDSHAKE_VERSION, *MODERN_PROTOCOL_VERSIONS):
        sent = _sent(kind, told, version)
        if sent == told:
            return sent
    return told


def unchanged_in(kind: ComponentKind, definition: Mapping[str, Any]) -> tuple[str, ...]:
    """The versions of the protocol in which a definition is sent as it is, to the byte."""
    told = encode(definition)
    return tuple(
        version for version in VERSIONS if encode(_sent(kind, definition, version)) == told
    )


def _sent(kind: ComponentKind, definition: Mapping[str, Any], version: str) -> dict[str, Any]:
    """What the SDK sends of a definition to clients of one version."""
    field = FIELDS[METHODS[kind]]
    page = {field: [definition], "resultType": "complete", "ttlMs": 0, "cacheScope": "public"}
    sent: dict[str, Any] = serialize_server_result(METHODS[kind], version, page)[field][0]
    return sent
