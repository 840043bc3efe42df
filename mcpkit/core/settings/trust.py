"""Trust: which folders may set everything, and what a folder may set without it.

Hosts start servers in folders that hold other people's files, such as a cloned repository. What
such a folder says counts only when the user has trusted it, as it is: one file for each folder, in
the user's state folder, keeps a digest of its settings, and other settings need trust anew.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from mcpkit.core.errors import SettingsError
from mcpkit.core.own_files import check_own_folder, read_own_file, write_own_file
from mcpkit.core.settings.files import DotenvFile, TomlFile, find_dotenv, find_settings_file
from mcpkit.core.settings.keys import Key, spell
from mcpkit.core.settings.origins import Tree, merge
from mcpkit.core.settings.variables import PREFIX, key_of, read_variables
from mcpkit.core.user_folders import trust_file

HARMLESS: frozenset[Key] = frozenset({("eager",), ("lists", "page_size")})
"""What a folder may set without trust: nothing that decides who reaches the server, what runs, what
is written where, what the model reads, which protection is there, or how loud a warning is."""

MAX_BYTES = 65536
"""Larger files of the store are not read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedFolder:
    """A folder that the user has trusted.

    Attributes:
        folder: Its path, without symbolic links.
        digest: Of the settings that it had then.
    """

    folder: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderSettings:
    """What a folder sets.

    Attributes:
        folder: Where it is.
        toml: Its settings file, if it has one.
        dotenv: Its variables of ours, if it has some.
    """

    folder: Path
    toml: TomlFile | None
    dotenv: DotenvFile | None

    def digest(self) -> str:
        """Digest of what is set; comments and other programs' parts do not count."""
        content = [
            None if self.toml is None else [self.toml.name, self.toml.values],
            None if self.dotenv is None else self.dotenv.variables,
        ]
        text = json.dumps(content, sort_keys=True, default=repr)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def files(self) -> list[Path]:
        """The files that set something."""
        return [found.path for found in (self.toml, self.dotenv) if found is not None]

    def read(self) -> Tree:
        """Read everything that the folder sets.

        Raises:
            SettingsError: A variable is no setting.
        """
        tree: Tree = {} if self.toml is None else self.toml.tree()
        if self.dotenv is not None:
            merge(tree, read_variables(self.dotenv.variables, ".env", str(self.dotenv.path)))
        return tree

    def read_harmless(self) -> tuple[Tree, list[str]]:
        """Read what a folder may set without trust.

        Returns:
            The settings, and the names of those that are left out.
        """
        tree, left_out = ({}, []) if self.toml is None else _harmless(self.toml.tree())
        if self.dotenv is not None:
            variables = self.dotenv.variables
            kept = {name: text for name, text in variables.items() if key_of(name) in HARMLESS}
            merge(tree, read_variables(kept, ".env", str(self.dotenv.path)))
            left_out += [spell((name,)) for name in variables if name not in kept]
        return tree, left_out


def find_folder_settings(folder: Path) -> FolderSettings:
    """Read the settings files of a folder.

    Raises:
        SettingsError: One is unsafe or malformed.
    """
    return FolderSettings(
        folder=folder, toml=find_settings_file(folder), dotenv=find_dotenv(folder, PREFIX)
    )


def _harmless(tree: Tree, key: Key = ()) -> tuple[Tree, list[str]]:
    """Split a tree into what is harmless, and the names of the rest."""
    kept: Tree = {}
    left_out: list[str] = []
    for name, item in tree.items():
        here = (*key, name)
        if here in HARMLESS:
            kept[name] = item
        elif isinstance(item, dict):
            inside, others = _harmless(item, here)
            left_out += others
            if inside:
                kept[name] = inside
        else:
            left_out.append(spell(here))
    return kept, left_out


def trusted_digest(folder: Path) -> str | None:
    """The digest under which a folder is trusted; None when it is not.

    Raises:
        SettingsError: Somebody else may have written the store.
    """
    path = _path(folder)
    if path is None:
        return None
    found = _read(path)
    return None if found is None or found.folder != os.path.realpath(folder) else found.digest


def trust(settings: FolderSettings) -> None:
    """Trust a folder with the settings that it has now.

    Raises:
        SettingsError: The store cannot be written.
    """
    path = _path(settings.folder)
    if path is None:
        raise SettingsError(
            "There is no folder to remember trust in: the user has no home",
            hint="Set HOME or XDG_STATE_HOME to a folder of yours, or use --settings PATH",
        )
    record = {"folder": os.path.realpath(settings.folder), "digest": settings.digest()}
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        check_own_folder(path.parent)
        write_own_file(path, json.dumps(record).encode())
    except OSError as exc:
        raise SettingsError(
            f"Cannot write {str(path)!r}: {exc.strerror or exc}",
            hint="Make that folder yours alone and writable, or set XDG_STATE_HOME",
        ) from exc


def forget(folder: Path) -> bool:
    """Trust a folder no longer; False if it was not trusted."""
    path = _path(folder)
    try:
        if path is not None:
            path.unlink()
            return True
    except FileNotFoundError:
        pass
    except OSError as exc:
        raise SettingsError(
            f"Cannot remove {str(path)!r}: {exc.strerror}", hint="Look who owns its folder"
        ) from exc
    return False


def trusted_folders() -> list[TrustedFolder]:
    """All folders that the user has trusted, by path.

    Raises:
        SettingsError: Somebody else may have written the store.
    """
    anywhere = _path(Path())
    found = filter(None, map(_read, anywhere.parent.glob("*.json") if anywhere else ()))
    return sorted(found, key=lambda trusted: trusted.folder)


def _path(folder: Path) -> Path | None:
    path = trust_file(str(folder))
    return None if path is None else Path(path)


def _read(path: Path) -> TrustedFolder | None:
    try:
        content = json.loads(read_own_file(path, max_bytes=MAX_BYTES))
        check_own_folder(path.parent)
        return TrustedFolder(folder=str(content["folder"]), digest=str(content["digest"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as exc:
        raise SettingsError(
            f"Cannot read {str(path)!r}, which keeps whom you trust: {exc}",
            hint="Look who wrote it, then remove it; `mcpkit trust` writes it anew",
        ) from exc
