"""Origins: settings as a tree whose leaves know where each value was set.

Sources are merged from the weakest to the strongest, in time proportional to their size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Union

from mcpkit.core.errors import SettingsError
from mcpkit.core.settings.keys import Key, spell
from mcpkit.core.suggestions import shortened

Source = Literal["command line", "environment", ".env", "file"]

MAX_DEPTH = 64
"""Most levels of settings; more are refused, since Python's stack has an end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a setting was set.

    Attributes:
        source: Kind of the source.
        name: The variable, or the file as people call it; empty for the command line.
        path: The file, of `.env` and of settings files.
    """

    source: Source
    name: str = ""
    path: str = ""

    def __str__(self) -> str:
        """The origin as errors and `mcpkit settings show` name it."""
        if self.source == "file":
            return self.name
        return f"{self.source} {self.name}".rstrip()

    def hint(self, key: Key) -> str:
        """Tell where to change a setting."""
        path = shortened(spell(key))
        match self.source:
            case "command line":
                return f"Change the option that sets {path}"
            case "environment":
                return f"Change or unset the environment variable {self.name}"
            case ".env":
                return f"Change {self.name} in {self.path}"
            case "file":
                return f"Change {path} in {self.path}"


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value, and where it was set."""

    value: Any
    origin: Origin


Tree = dict[str, Union["Tree", Leaf]]
"""Sections by name; a section that is there but empty is an empty tree."""

OriginsOf = Callable[[Key], Sequence[Origin]]
"""Tells where a setting, or what stands in a section, was set; nothing for a default."""


def grow(values: Mapping[str, Any], origin_of: Callable[[Key], Origin], key: Key = ()) -> Tree:
    """Make a tree of nested values.

    Raises:
        SettingsError: They are nested very deeply.
    """
    if len(key) > MAX_DEPTH:
        raise SettingsError(
            f"{origin_of(key)}: {spell(key[:3])}… is nested too deeply",
            hint=f"Write it with at most {MAX_DEPTH} levels",
        )
    tree: Tree = {}
    for name, value in values.items():
        here = (*key, name)
        is_section = isinstance(value, Mapping)
        tree[name] = grow(value, origin_of, here) if is_section else Leaf(value, origin_of(here))
    return tree


def merge(weak: Tree, strong: Tree) -> None:
    """Put a tree over a weaker one, which is changed."""
    for name, item in strong.items():
        below = weak.get(name)
        if isinstance(item, dict) and isinstance(below, dict):
            merge(below, item)
        else:
            weak[name] = item


def values_of(tree: Tree) -> dict[str, Any]:
    """The nested values of a tree."""
    return {
        name: values_of(item) if isinstance(item, dict) else item.value
        for name, item in tree.items()
    }


def leaves(tree: Tree, key: Key = ()) -> Iterator[str]:
    """Spell the keys of everything that is set."""
    for name, item in tree.items():
        if isinstance(item, dict):
            yield from leaves(item, (*key, name))
        else:
            yield spell((*key, name))


def origins_in(tree: Tree, key: Key) -> list[Origin]:
    """Where a setting was set; for a section, where what stands in it was, each origin once."""
    found: Tree | Leaf = tree
    for part in key:
        if isinstance(found, Leaf):
            break
        below = found.get(str(part))
        if below is None:
            return []
        found = below
    return list(dict.fromkeys(_origins(found)))


def _origins(item: Tree | Leaf) -> Iterator[Origin]:
    if isinstance(item, Leaf):
        yield item.origin
    else:
        for below in item.values():
            yield from _origins(below)
