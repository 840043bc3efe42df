"""The server's settings: one section per reader, validated, secrets masked.

In comes the merged mapping of `mcpkit.core.settings.sources`; out goes `Settings`. Sections of
plugins (`plugins.<name>`) are split here into what the host reads (`PluginSection`) and what the
plugin's own model gets.
"""

from mcpkit.core.settings.auth import MIN_API_KEY_LENGTH, AuthSettings
from mcpkit.core.settings.calls import CallSettings, ListSettings, RequestStateSettings
from mcpkit.core.settings.http import HttpSettings
from mcpkit.core.settings.plugins import (
    PLUGIN_NAME,
    RESERVED_PLUGIN_KEYS,
    LifespanSettings,
    PluginSection,
)
from mcpkit.core.settings.section import PluginSettings, Section
from mcpkit.core.settings.server import LogFormat, LogLevel, Settings, SharedSettings
from mcpkit.core.settings.tasks import TaskSettings

__all__ = [
    "MIN_API_KEY_LENGTH",
    "PLUGIN_NAME",
    "RESERVED_PLUGIN_KEYS",
    "AuthSettings",
    "CallSettings",
    "HttpSettings",
    "LifespanSettings",
    "ListSettings",
    "LogFormat",
    "LogLevel",
    "PluginSection",
    "PluginSettings",
    "RequestStateSettings",
    "Section",
    "Settings",
    "SharedSettings",
    "TaskSettings",
]
