"""Names of the server: what Host and Origin headers may say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.types import Scope

from mcpkit.core.settings import HttpSettings
from mcpkit.core.transports.principals import Networks

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
"""Names of this machine for itself, as they stand in a Host header."""

WILDCARDS = frozenset({"0.0.0.0", "::", ""})  # noqa: S104  # recognised, not bound
"""Addresses that mean every address of the machine."""

PORTS = {"http": ":80", "https": ":443"}
"""Ports that clients leave out."""


FORWARDED = frozenset({b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip"})
"""Header fields that proxies add."""


@dataclass(frozen=True, slots=True)
class Names:
    """Values that a Host or Origin header may have; `any_port` ones with any port, or without."""

    exact: frozenset[str]
    any_port: frozenset[str]

    def allow(self, value: str) -> bool:
        """Whether a header's value is among them."""
        value = value.lower()
        if value in self.exact or value in self.any_port:
            return True
        name, colon, port = value.rpartition(":")
        is_port = bool(colon) and port.isascii() and port.isdecimal()
        return is_port and name in self.any_port


_OWN = Names(frozenset(), LOOPBACK)
_LOCAL = Networks(("127.0.0.0/8", "::1"))


def allowed_hosts(settings: HttpSettings) -> Names:
    """What a Host header may say: this machine, the address bound, the public URL, the settings."""
    any_port = set(LOOPBACK)
    if settings.host not in WILDCARDS:
        bound = settings.host.lower()
        any_port.add(f"[{bound}]" if ":" in bound else bound)
    public = [host for _, host in _public(settings)]
    return _names([*public, *settings.allowed_hosts], any_port)


def allowed_origins(settings: HttpSettings) -> Names:
    """What an Origin header may say: pages of this machine, of the public URL, of the settings."""
    any_port = {f"{scheme}://{host}" for scheme in PORTS for host in LOOPBACK}
    public = [f"{scheme}://{host}" for scheme, host in _public(settings)]
    return _names([*public, *settings.allowed_origins], any_port)


def is_local(scope: Scope) -> bool:
    """Whether a request comes from this machine, and not through a proxy on it.

    It asks for this machine by one of its own names: a page whose name was made to mean this
    machine (DNS rebinding) asks for another.
    """
    fields = dict(scope["headers"])
    host = fields.get(b"host", b"").decode("latin-1")
    client = scope.get("client")
    return (
        client is not None
        and client[0] in _LOCAL
        and not FORWARDED & fields.keys()
        and _OWN.allow(host)
    )


def _public(settings: HttpSettings) -> list[tuple[str, str]]:
    """Scheme and host of the public URL; with and without the port if it is the usual one."""
    if not settings.public_url:
        return []
    url = urlsplit(settings.public_url)
    host = url.netloc.rpartition("@")[2]
    bare = host.removesuffix(PORTS[url.scheme])
    return [(url.scheme, name) for name in dict.fromkeys((host, bare))]


def _names(values: Iterable[str], any_port: set[str]) -> Names:
    exact: set[str] = set()
    for value in values:
        lowered = value.lower().rstrip("/")
        if lowered.endswith(":*"):
            any_port.add(lowered.removesuffix(":*"))
        else:
            exact.add(lowered)
    return Names(frozenset(exact), frozenset(any_port))
