"""Exposed names: what clients see of what a plugin calls its tools and prompts.

Names are final before they are compared, so `a` + `b_c` and `a_b` + `c` collide. Nothing is ever
renamed to fit, and neither the first nor the last claimant wins.
"""

import re
from collections.abc import Iterable

EXPOSED_NAME = re.compile(r"^[A-Za-z0-9_-]{1,64}$")
"""What every host accepts as the name of a tool or prompt."""

Claim = tuple[str, str, str]
"""Who wants which name: `(kind, exposed name, plugin)`; kinds do not collide with each other."""


def exposed_name(name: str, *, plugin: str, prefix: str | None = None) -> str:
    """Tell what clients call a tool or prompt.

    Args:
        name: What the plugin calls it.
        plugin: Name of the plugin.
        prefix: Replaces the plugin's name; empty for no prefix at all.
    """
    start = plugin if prefix is None else prefix
    if not start or name.startswith(f"{start}_"):
        return name
    return f"{start}_{name}"


def is_legal(exposed: str) -> bool:
    """Whether hosts accept this as the name of a tool or prompt."""
    return EXPOSED_NAME.fullmatch(exposed) is not None


def collisions(claims: Iterable[Claim]) -> dict[tuple[str, str], list[str]]:
    """Find the names that several plugins claim.

    Returns:
        `(kind, exposed name)` to the sorted names of its claimants, in sorted order.
    """
    claimants: dict[tuple[str, str], set[str]] = {}
    for kind, exposed, plugin in claims:
        claimants.setdefault((kind, exposed), set()).add(plugin)
    return {name: sorted(claimants[name]) for name in sorted(claimants) if len(claimants[name]) > 1}
