"""Sessions of the 2025 protocols over streamable HTTP, as raw requests."""
