"""The plugin that the other modules decorate for."""

from pathlib import Path

from mcpkit import Plugin

plugin = Plugin(instructions="These tools exist for the conformance suite.")
plugin.skills(Path(__file__).parent / "skills")
