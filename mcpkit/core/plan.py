"""The plan: what loading a plugin needs to know of the settings, now or when it wakes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mcpkit.core.settings import CallSettings, PluginSection

Origin = Callable[[str], str | None]
"""Tells where a setting comes from, by its dotted path: `environment MCPKIT_…`, or None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What validation needs to know of the settings.

    Attributes:
        section: Tells the section of a plugin.
        calls: How handlers run, where the section does not say.
        origin: Tells where a setting comes from.
    """

    section: Callable[[str], PluginSection]
    calls: CallSettings
    origin: Origin
