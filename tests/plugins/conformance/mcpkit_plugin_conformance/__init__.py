"""The fixtures of the official conformance suite, written on the public plugin contract alone.

Names and texts are the suite's. Serve it with `plugins.conformance.prefix=""`.
"""

from mcpkit_plugin_conformance import asking, content, listed, rounds, tasks
from mcpkit_plugin_conformance.declared import plugin

__all__ = ["asking", "content", "listed", "plugin", "rounds", "tasks"]
