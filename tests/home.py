"""A temporary home folder for tests: nobody's settings are read, and nobody's files written."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

FOLDERS = {
    "HOME": ".",
    "XDG_CACHE_HOME": ".cache",
    "XDG_CONFIG_HOME": ".config",
    "XDG_DATA_HOME": ".local/share",
    "XDG_RUNTIME_DIR": "run",
    "XDG_STATE_HOME": ".local/state",
}
"""Variables that name a user's folders (XDG Base Directory Specification), and where these are."""


def move_home() -> None:
    """Give this process, and all it starts, an empty home folder and no settings of mcpkit."""
    home = tempfile.mkdtemp(prefix="mcpkit-home-")
    # Workers of pytest-xdist may be interrupted before pytest has cleaned up.
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    for variable in [name for name in os.environ if name.startswith("MCPKIT_")]:
        del os.environ[variable]
    for variable, folder in FOLDERS.items():
        path = Path(home, folder)
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.environ[variable] = str(path)
