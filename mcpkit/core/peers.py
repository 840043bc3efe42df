"""Peers: what is said at the door of a shared server, and who stands on the other side.

Whoever connects says one byte: to be served, or to be told how the server is. A server that takes
the connection says one byte as well; one that is about to leave closes without a word, and then
nothing that was sent has been read. Every relay imports this: it imports next to nothing.
"""

from __future__ import annotations

import socket
import struct
import sys

JOIN = b"J"
"""Said by a relay: what follows is the protocol of its client."""

ASK = b"?"
"""Said by who wants to know how the server is: the answer is one JSON document."""

WELCOME = b"!"
"""Answered to `JOIN`: the connection is served."""


def peer(connection: socket.socket) -> tuple[int | None, int | None]:
    """Process and user on the other side; None for each that the system does not tell.

    The process is the one that called `connect`, or `listen`.
    """
    process: int | None = None
    user: int | None = None
    if sys.platform == "linux":
        size = struct.calcsize("3i")
        told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        process, user, _ = struct.unpack("3i", told)
    elif sys.platform == "darwin":
        level, credentials, pid = 0, 1, 2  # SOL_LOCAL, LOCAL_PEERCRED, LOCAL_PEERPID of <sys/un.h>
        process = connection.getsockopt(level, pid)
        (user,) = struct.unpack_from("4xI", connection.getsockopt(level, credentials, 76))
    return process, user
