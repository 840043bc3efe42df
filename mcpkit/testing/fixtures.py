"""Pytest fixtures, registered by the entry point of mcpkit.

They import the SDK when a test uses them, not when pytest starts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def mcpkit_connect() -> Callable[..., Any]:
    """`mcpkit.testing.connect`: serves plugins in memory and connects the official client."""
    from mcpkit.testing.memory import connect  # noqa: PLC0415  # pytest must not wait for the SDK

    return connect
