"""The flow of mcpkit, one stage per file: discover, load, validate, register, compose, serve, call."""
