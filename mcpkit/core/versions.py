"""Versions of the protocol that are served: of both eras, the oldest first."""

from __future__ import annotations

import mcp_types as types
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS

VERSIONS = (*HANDSHAKE_PROTOCOL_VERSIONS, *MODERN_PROTOCOL_VERSIONS)


def naming_all(error: types.ErrorData) -> types.ErrorData:
    """The error, which names every version that is served if it is about versions (-32022).

    The SDK names those without a handshake, so that a client of the other era would give up.
    """
    if error.code != types.UNSUPPORTED_PROTOCOL_VERSION:
        return error
    data = error.data if isinstance(error.data, dict) else {}
    return error.model_copy(update={"data": {**data, "supported": list(VERSIONS)}})
