"""A temporary home folder for tests: nobody's settings are read, and nobody's files written."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import trustme

FOLDERS = {
    "HOME": ".",
    "XDG_CACHE_HOME": ".cache",
    "XDG_CONFIG_HOME": ".config",
    "XDG_DATA_HOME": ".local/share",
    "XDG_RUNTIME_DIR": "run",
    "XDG_STATE_HOME": ".local/state",
}
"""Variables that name a user's folders (XDG Base Directory Specification), and where these are."""


CERTIFICATES = "SSL_CERT_FILE"
"""The variable that names the file with the authorities that a client of TLS trusts."""

FOUND = "SSL_CERT_FILE_FOUND"
"""Where its value is kept that the tests found: workers see what this process has changed."""


def online() -> dict[str, str]:
    """The environment of a process that talks to the package index, outside our own packages."""
    kept = {
        key: text for key, text in os.environ.items() if key not in {"PYTHONPATH", CERTIFICATES}
    }
    return kept | ({CERTIFICATES: os.environ[FOUND]} if os.environ.get(FOUND) else {})


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
    # Each HTTP client would read all authorities of this machine, in a twentieth of a second.
    os.environ.setdefault(FOUND, os.environ.get(CERTIFICATES, ""))
    authority = Path(home, "authority.pem")
    trustme.CA().cert_pem.write_to_path(authority)
    os.environ[CERTIFICATES] = str(authority)
