"""Weather for mcpkit: places, current conditions, forecasts and air quality from Open-Meteo."""

from . import pages, tools
from .plugin import plugin

__all__ = ["pages", "plugin", "tools"]
