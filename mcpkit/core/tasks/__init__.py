"""Tasks: tool calls that outlive their request and its connection (SEP-2663)."""
