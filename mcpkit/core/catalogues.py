"""Catalogues: what plugins contribute, written down once, so that a start imports none of them.

In comes the record of an installed plugin; out goes what the last import found, if nothing has
changed since: mcpkit, the SDK, Python, the distribution and its installed files, its settings, and
the environment variables that it read while it was imported. A file that is stale, broken or
somebody else's is no catalogue: the plugin is imported instead.
"""

from __future__ import annotations

import functools
import json
import logging
import os
import platform
from hashlib import sha256
from pathlib import Path

import pydantic_core

import mcpkit
from mcpkit.core.components import Catalogue
from mcpkit.core.deferred import deferred
from mcpkit.core.distributions import version_of
from mcpkit.core.environment_reads import EnvironmentReads
from mcpkit.core.manifest_records import Written
from mcpkit.core.own_files import check_own_folder, read_own_file, write_own_file
from mcpkit.core.settings import PluginSection
from mcpkit.core.settings.keys import spell
from mcpkit.core.settings.variables import keys_of
from mcpkit.core.status import PluginRecord
from mcpkit.core.user_folders import cache_folder

# Lists and completion are answered from the records alone, without the SDK.
describe = deferred("mcpkit.core.written:describe")
restore = deferred("mcpkit.core.written:restore")

logger = logging.getLogger(__name__)

FORMAT = "6"
"""Changes with the written form."""

MAX_BYTES = 16 * 1024 * 1024
"""Larger files are not read."""

KEPT = 4
"""Most catalogues of one plugin, the newest: each is for other settings or another environment."""

SHORT = 16
"""Characters of a digest in the name of a file; the file has the whole one."""

ENDING = ".catalogue.json"


def user_catalogues() -> Catalogues | None:
    """The catalogues in the user's cache folder; None where the user has no such folder."""
    folder = cache_folder()
    return None if folder is None else Catalogues(Path(folder, "catalogues"))


class Catalogues:
    """The catalogues of one user.

    Args:
        folder: Where they are; one that others can write is not used.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._is_refused = False

    def read(self, record: PluginRecord, section: PluginSection) -> Catalogue | None:
        """Read what is written of a plugin that may sleep; None when there is nothing."""
        written = self.read_written(record, section)
        if written is None or written.must_start:
            return None
        try:
            catalogue: Catalogue = restore(written, record.name)
        except ValueError as exc:
            _log_unusable(record, exc)
            return None
        return catalogue

    def read_written(self, record: PluginRecord, section: PluginSection) -> Written | None:
        """Read what is written of a plugin, if it still holds; None when there is nothing."""
        key = _key(record, section)
        if key is None or not self._is_own():
            return None
        for file in self._files(record, key):
            try:
                written = _read(file)
                if written.key == key and _is_current(written):
                    return written
            except FileNotFoundError:
                continue
            except (OSError, ValueError, RecursionError) as exc:
                _log_unusable(record, exc)
        return None

    def write(self, record: PluginRecord, section: PluginSection) -> None:
        """Write down what a plugin contributes; what cannot be written is only logged."""
        key = _key(record, section)
        if key is None:
            return
        written = describe(
            record.catalogue,
            key=key,
            environment=record.environment,
            must_start=record.must_start,
            settings=_settings(record),
        )
        folder = self._folder(record)
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if self._is_own():
                folder.mkdir(exist_ok=True, mode=0o700)
                name = f"{key[:SHORT]}-{record.environment.digest[:SHORT]}{ENDING}"
                _replace(folder / name, written.model_dump_json().encode())
                for other in self._files(record, key):
                    if other.name != name and _is_current(_read(other)):
                        other.unlink()  # it was made when the plugin read other variables
                _prune(folder)
        except (OSError, ValueError, RecursionError) as exc:
            logger.info("Cannot write the catalogue of plugin %s: %s", record.label, exc)

    def files(self) -> list[Path]:
        """All catalogues, by name."""
        return sorted(self.folder.glob(f"*/*{ENDING}"))

    def clear(self) -> int:
        """Delete all catalogues, and return how many they were."""
        files = self.files()
        for file in files:
            file.unlink(missing_ok=True)
        return len(files)

    def _is_own(self) -> bool:
        """Whether the folder is the user's own; a warning tells once when it is not."""
        try:
            check_own_folder(self.folder)
        except FileNotFoundError:
            return False
        except OSError as exc:
            if not self._is_refused:
                logger.warning("The catalogue folder %s is not used: %s", self.folder, exc)
            self._is_refused = True
            return False
        return True

    def _files(self, record: PluginRecord, key: str) -> list[Path]:
        """The files of a plugin that were made from the same, each in another environment."""
        folder, start = self._folder(record), f"{key[:SHORT]}-"
        try:
            found = [path for path in folder.iterdir() if path.name.startswith(start)]
        except OSError:
            return []
        return sorted(path for path in found if path.name.endswith(ENDING))[:KEPT]

    def _folder(self, record: PluginRecord) -> Path:
        """The folder of a plugin, as it is installed in one place."""
        place = sha256(str(record.location).encode()).hexdigest()[:8]
        return self.folder / f"{record.name}-{place}"


def _log_unusable(record: PluginRecord, reason: Exception) -> None:
    logger.warning("The catalogue of plugin %s is unusable: %s", record.label, reason)


def _settings(record: PluginRecord) -> tuple[str, ...]:
    """What may be set in the section of a plugin."""
    model = record.settings_model
    return () if model is None else tuple(map(spell, keys_of(model)))


def _read(file: Path) -> Written:
    """Read a file.

    Raises:
        OSError: It is not there, or not to be trusted.
        ValueError: It holds something else.
    """
    text = read_own_file(file, max_bytes=MAX_BYTES)
    # Parsed first: so the same strings are there once, in half the memory.
    return Written.model_validate(pydantic_core.from_json(text))


def _replace(file: Path, content: bytes) -> None:
    """Write a file, unless it says the same already."""
    try:
        if read_own_file(file, max_bytes=MAX_BYTES) == content:
            return
    except OSError:
        pass
    write_own_file(file, content)


def _prune(folder: Path) -> None:
    """Keep a few for each plugin: hosts with other settings want others."""
    files = folder.glob(f"*{ENDING}")
    for old in sorted(files, key=lambda path: path.stat().st_mtime, reverse=True)[KEPT:]:
        old.unlink(missing_ok=True)


def _is_current(written: Written) -> bool:
    """Whether the variables that a plugin read have the values that they had then."""
    now = EnvironmentReads.of(written.environment, os.environ)
    return now.digest == written.values


def _key(record: PluginRecord, section: PluginSection) -> str | None:
    """Everything that what a plugin contributes depends on; None when that cannot be known."""
    if record.installed is None or record.editable:
        return None
    parts = [
        *_surroundings(),
        str(record.distribution),
        str(record.version),
        record.entry_point,
        str(record.location),
        record.installed,
        json.dumps(section.model_dump(), sort_keys=True, default=repr),
    ]
    return sha256("\0".join(parts).encode()).hexdigest()


@functools.cache
def _surroundings() -> tuple[str, ...]:
    """The versions of what makes a plugin into a catalogue."""
    python = platform.python_implementation() + platform.python_version()
    return FORMAT, mcpkit.__version__, version_of("mcp"), python
