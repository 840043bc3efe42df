"""Two plugins, alike but for their names, that use all of the protocol."""

from mcpkit_plugin_features.features import make

left = make("left")
right = make("right")

__all__ = ["left", "right"]
