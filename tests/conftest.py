"""What all tests share: the event loop."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """Run async tests on asyncio, which uvicorn needs."""
    return "asyncio"
