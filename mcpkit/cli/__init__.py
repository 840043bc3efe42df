"""The command `mcpkit`: one module per command group.

Commands import the core inside their functions: `--help` and `--version` must not wait for the SDK.
"""
