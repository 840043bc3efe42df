"""The plan: what loading a plugin needs to know of the settings, now or when it wakes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mcpkit.core.settings import CallSettings, PluginSection
from mcpkit.core.settings.origins import OriginsOf


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What validation needs to know of the settings.

    Attributes:
        section: Tells the section of a plugin.
        calls: How handlers run, where the section does not say.
        origins: Tells where a setting was set.
    """

    section: Callable[[str], PluginSection]
    calls: CallSettings
    origins: OriginsOf
