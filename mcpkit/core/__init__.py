"""The flow of mcpkit, one stage per file, read from top to bottom."""
