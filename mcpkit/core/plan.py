"""The plan: what loading a plugin needs to know of the settings, now or when it wakes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mcpkit.core.settings import CallSettings, PluginSection
from mcpkit.core.settings.origins import OriginsOf

PATIENCE = 2.0
"""Seconds of starting after which the operator is told which plugin takes so long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What loading needs to know of the settings.

    Attributes:
        section: Tells the section of a plugin.
        calls: How handlers run, where the section does not say.
        origins: Tells where a setting was set.
        timeout: Seconds that importing a plugin and asking its hooks may take.
    """

    section: Callable[[str], PluginSection]
    calls: CallSettings
    origins: OriginsOf
    timeout: float
