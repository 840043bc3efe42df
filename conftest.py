"""Every test of the repository, those of the plugins too, runs with a temporary home folder."""

import pytest

from tests.home import move_home


@pytest.hookimpl(tryfirst=True)
def pytest_configure() -> None:
    """Leave the home folder of whoever runs the tests alone, in each worker of pytest-xdist too."""
    move_home()
