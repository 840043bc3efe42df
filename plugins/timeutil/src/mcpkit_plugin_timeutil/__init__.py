"""Time tools for mcpkit: zones, conversion, arithmetic, human dates, recurrences, business days."""

from . import clock, places, prompts, schedules
from .plugin import plugin

__all__ = ["clock", "places", "plugin", "prompts", "schedules"]
