"""Fixtures of all tests of the plugin."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """The event loop that mcpkit serves with."""
    return "asyncio"
