"""Sources: command line, environment and files become settings, each value with its origin.

From the strongest to the weakest: command line, environment, `.env`, project file, user file,
defaults. A name that is no setting is an error in each of them; the message tells where it stands
and what it may have meant. Values are never shown.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mcpkit.core.deferred import deferred
from mcpkit.core.errors import SettingsError
from mcpkit.core.settings import Settings
from mcpkit.core.settings.files import FILE, read_settings_file
from mcpkit.core.settings.keys import Key, spell, split_list
from mcpkit.core.settings.origins import Origin, Tree, grow, merge, origins_in, values_of
from mcpkit.core.settings.trust import FolderSettings, find_folder_settings, trusted_digest
from mcpkit.core.settings.variables import (
    SETTINGS_PATH,
    keys_of,
    may_be_plugin,
    ours,
    read_variables,
    takes_list,
)
from mcpkit.core.suggestions import did_you_mean, shortened
from mcpkit.core.user_folders import settings_folder

describe_errors = deferred("mcpkit.core.wording:describe_errors")
say_setting = deferred("mcpkit.core.wording:say_setting")

MAX_NAMES = 10
"""Most settings that one message names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effective:
    """Settings, and where each came from.

    Attributes:
        settings: Validated.
        tree: What was set, and where; not the defaults, and not validated.
        files: The files that were read, from the weakest to the strongest.
        warnings: What the operator should know, such as settings that were left out.
    """

    settings: Settings
    tree: Tree
    files: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def origins(self, key: Key) -> Sequence[Origin]:
        """Where a setting was set, or what stands in a section; nothing for a default."""
        return origins_in(self.tree, key)

    def origin(self, *key: str) -> str:
        """Where a setting was set, in words."""
        return ", ".join(map(str, self.origins(key))) or "default"


def read_settings(
    *,
    path: Path | None = None,
    overrides: Mapping[tuple[str, ...], Any] | None = None,
    directory: Path | None = None,
) -> Effective:
    """Read settings from everywhere.

    Args:
        path: Settings file; without one, `MCPKIT_SETTINGS` or the files of the working directory.
        overrides: What the command line sets.
        directory: The working directory by default.

    Raises:
        SettingsError: A file is missing, unsafe or malformed, a name is unknown, or a value wrong.
    """
    named = path or _named()
    tree: Tree = {}
    files: list[str] = []
    warnings: list[str] = []
    for found in _files(named, directory):
        merge(tree, found.tree)
        files += found.files
        warnings += found.warnings
    environment = ours(os.environ)
    environment.pop(SETTINGS_PATH, None)
    merge(tree, read_variables(environment, "environment"))
    merge(tree, _from_command_line(overrides or {}))
    return Effective(
        settings=validated(tree), tree=tree, files=tuple(files), warnings=tuple(warnings)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    tree: Tree
    files: tuple[str, ...]
    warnings: tuple[str, ...] = ()


def _files(named: Path | None, directory: Path | None) -> Iterator[_Found]:
    """Read the files that count, from the weakest to the strongest."""
    if named is not None and str(named) == os.devnull:
        return
    user = settings_folder()
    if user is not None and os.path.lexists(f"{user}/{FILE}"):
        file = read_settings_file(Path(user, FILE))
        yield _Found(tree=file.tree(), files=(str(file.path),))
    if named is not None:
        file = read_settings_file((directory or Path()) / named, str(named))
        yield _Found(tree=file.tree(), files=(str(file.path.absolute()),))
        return
    folder = directory or _working_directory()
    if folder is None or (user is not None and os.path.realpath(user) == os.path.realpath(folder)):
        return
    yield _read_folder(find_folder_settings(folder))


def _named() -> Path | None:
    """The file that the environment names."""
    named = os.environ.get(SETTINGS_PATH)
    return Path(named) if named else None


def _working_directory() -> Path | None:
    try:
        return Path.cwd()
    except FileNotFoundError:
        return None  # it was removed: it holds nothing any more


def _read_folder(found: FolderSettings) -> _Found:
    """Read what the settings files of the working directory may set."""
    files = tuple(map(str, found.files))
    if not files:
        return _Found(tree={}, files=())
    distrust = _distrust(found)
    if distrust is None:
        return _Found(tree=found.read(), files=files)
    tree, left_out = found.read_harmless()
    paths = {origin.path for origin in origins_in(tree, ())}
    counting = tuple(file for file in files if file in paths)
    if not left_out:
        return _Found(tree=tree, files=counting)
    warning = (
        f"Settings in {str(found.folder)!r} do not count, because {distrust}: "
        f"{name_some(left_out)}. Look at them; `mcpkit trust` makes them count"
    )
    return _Found(tree=tree, files=counting, warnings=(warning,))


def _distrust(found: FolderSettings) -> str | None:
    """Why a folder may not set everything; None when the user trusts it as it is."""
    try:
        digest = trusted_digest(found.folder)
    except SettingsError as exc:
        return exc.message
    if digest is None:
        return "you have not trusted that folder"
    return None if digest == found.digest() else "they have changed since you trusted that folder"


def name_some(names: Sequence[str]) -> str:
    """Name some of many things, and long names in part."""
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return ", ".join(map(shortened, names[:MAX_NAMES])) + more


def _from_command_line(overrides: Mapping[tuple[str, ...], Any]) -> Tree:
    origin = Origin(source="command line")
    tree: Tree = {}
    for key, value in overrides.items():
        is_list = isinstance(value, str) and takes_list(key)
        nested: Any = split_list(value) if is_list else value
        for part in reversed(key):
            nested = {part: nested}
        merge(tree, grow(nested, lambda _: origin))
    return tree


def validated(tree: Tree) -> Settings:
    """The settings of a tree.

    Raises:
        SettingsError: A name is unknown, or a value wrong.
    """
    values = values_of(tree)
    try:
        return Settings.model_validate(values)
    except ValidationError as exc:
        raise settings_error(exc, values, tree) from exc


def settings_error(
    error: ValidationError, values: Mapping[str, Any], tree: Tree | None = None
) -> SettingsError:
    """Say what is wrong, where it was set and where to change it; for some of many problems.

    Args:
        error: What pydantic raised.
        values: What was validated.
        tree: Where it was set; None for values that were given in code.
    """
    known = [spell(key) for key in keys_of(Settings)]
    told, hints = [], []
    for problem in describe_errors(error, most=MAX_NAMES, given=values):
        path = shortened(spell(problem.path))
        text = say_setting(path, problem.message)
        if problem.kind == "extra_forbidden":
            suggestion = _plugin_meant(problem.path, values)
            suggestion = suggestion or did_you_mean(spell(problem.path), known)
            text = f"{path} is no setting{suggestion}"
        origins = origins_in(tree or {}, problem.path)
        told.append(f"{name_some([*map(str, origins)])}: {text}" if origins else text)
        hints += [origin.hint(problem.path) for origin in origins[:1]]
    if error.error_count() > MAX_NAMES:
        told.append(f"and {error.error_count() - MAX_NAMES} more")
    hint = "; ".join(dict.fromkeys(hints)) or "`mcpkit settings schema` tells what they may be"
    return SettingsError("; ".join(told), hint=hint)


def _plugin_meant(path: Key, values: Mapping[str, Any]) -> str:
    """Suggest the section of a plugin for one that stands outside of `plugins`."""
    key, value = [str(part) for part in path], values.get(str(path[0]))
    if len(key) > 1 or not isinstance(value, Mapping) or not may_be_plugin(key[0]):
        return ""
    while isinstance(value, Mapping) and len(value) == 1:
        (name, value), *_ = value.items()
        key.append(name)
    return f". Did you mean {shortened(spell(['plugins', *key]))!r}?"
