"""Principals: who a request belongs to, so that what one client uses can be counted."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from functools import lru_cache

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from starlette.types import Scope

LONGEST = 100
"""Characters of an address that count: a proxy may pass on what is none."""


def principal_of(scope: Scope) -> str:
    """The key under which the use of one client is counted.

    Returns:
        `client:NAME` for the client of an API key; else `peer:ADDRESS` for the peer, or for the
        client of a trusted proxy (setting `http.trusted_proxies`).
    """
    user = scope.get("user")
    if isinstance(user, AuthenticatedUser):
        return f"client:{user.display_name}"
    return f"peer:{peer_of(scope)}"


def peer_of(scope: Scope) -> str:
    """The network that a request comes from; empty where it is not known."""
    client = scope.get("client")
    return network_of(client[0]) if client else ""


def network_of(address: str) -> str:
    """The network that counts as one peer: an IPv4 address, or 64 bits of an IPv6 one.

    A single host may choose among all addresses of its IPv6 network (RFC 4862). What is no address
    stands for itself, in part if it is long.
    """
    return _network_of(address[:LONGEST])


@lru_cache(maxsize=4096)
def _network_of(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))


class Networks:
    """Some addresses and networks, such as those of trusted proxies.

    Args:
        networks: Each an address, or a network such as `10.0.0.0/8`.
    """

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks = [
            form
            for network in map(ipaddress.ip_network, networks)
            for form in (network, *_mapped(network))
        ]

    def __contains__(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address[:LONGEST])
        except ValueError:
            return False
        return any(parsed in network for network in self._networks)

    def __iter__(self) -> Iterator[str]:
        return map(str, self._networks)


def _mapped(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> list[ipaddress.IPv6Network]:
    """An IPv4 network as a socket of both versions sees it (RFC 4291, section 2.5.5.2)."""
    if isinstance(network, ipaddress.IPv6Network):
        return []
    start = ipaddress.IPv6Address((0xFFFF << 32) | int(network.network_address))
    return [ipaddress.IPv6Network((start, 96 + network.prefixlen))]
