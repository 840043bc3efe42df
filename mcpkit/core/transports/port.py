"""The HTTP port, as far as its connections share it."""

from __future__ import annotations

from dataclasses import dataclass

import uvicorn

from mcpkit.core.settings import HttpSettings
from mcpkit.core.transports.http_connections import Connections, Phase
from mcpkit.core.transports.unsent import Unsent

TOO_SLOW = {
    Phase.HEADER: "Closed a connection of %s: the header took longer than http.header_timeout",
    Phase.BODY: "Closed a connection of %s: the body took longer than http.body_timeout",
    Phase.SENDING: "Closed a connection of %s: nothing was read for longer than http.send_timeout",
}
"""Told when a client is too slow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """What the connections of one port share.

    Attributes:
        server: Whose application answers.
        connections: All that are open.
        unsent: What their clients have not read.
        settings: How much a client may send.
    """

    server: uvicorn.Server
    connections: Connections
    unsent: Unsent
    settings: HttpSettings
