"""A local Open-Meteo for every test."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


def _load() -> Any:
    path = Path(__file__).with_name("open_meteo.py")
    spec = importlib.util.spec_from_file_location("weather_open_meteo", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def anyio_backend() -> str:
    """Run async tests on asyncio."""
    return "asyncio"


@pytest.fixture
def open_meteo() -> Iterator[Any]:
    """The local server; `requests` tells what it was asked, `scripted` what it answers first."""
    fake, server = _load().start()
    yield fake
    fake.stopped.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def settings(open_meteo: Any) -> dict[str, Any]:
    """Settings of the plugin that lead to the local server, impatient enough for tests."""
    services = ("forecast_url", "geocoding_url", "air_quality_url")
    return {
        **dict.fromkeys(services, open_meteo.url),
        "timeout": 2.0,
        "deadline": 5.0,
    }
