"""Sources: command line, environment, `.env` and file become settings, each value with its origin.

The precedence is: command line, environment, `.env`, file, defaults. A name that is not a setting
is an error in each of them; the message tells where it stands and what it may have meant. Values
are never shown.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from pydantic import BaseModel, ValidationError

from mcpkit.core.deferred import deferred
from mcpkit.core.errors import SettingsError
from mcpkit.core.settings import Settings
from mcpkit.core.suggestions import did_you_mean, shortened

describe_errors = deferred("mcpkit.core.wording:describe_errors")
dotenv_values = deferred("dotenv:dotenv_values")
parse_toml = deferred("tomllib:loads")
read_environment = deferred("mcpkit.core.settings.environment:read_environment")

PREFIX = "MCPKIT_"
"""What the name of every environment variable of ours starts with."""

DELIMITER = "__"
"""What stands between the levels of a setting in an environment variable."""

SETTINGS_PATH = "MCPKIT_SETTINGS"
"""Environment variable that names the settings file, as `--settings` does."""

FILE = "mcpkit.toml"
"""Settings file that is looked for in the working directory."""

COMMAND_LINE = "command line"
"""Origin of what `--…` options set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effective:
    """Settings, and where each came from.

    Attributes:
        settings: Validated.
        values: What was set, by dotted path; not the defaults, and not validated.
        origins: Where it was set, by dotted path: `command line`, `environment MCPKIT_HTTP__PORT`,
            `.env MCPKIT_…`, `mcpkit.toml`, ….
    """

    settings: Settings
    values: Mapping[str, Any]
    origins: Mapping[str, str]

    def origin(self, path: str) -> str | None:
        """Where a setting, or the section around it, was set; None for a default."""
        return _origin(path, self.origins)


def read_settings(
    *,
    path: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    directory: Path | None = None,
) -> Effective:
    """Read settings from everywhere.

    Args:
        path: Settings file; by default `mcpkit.toml`, or `[tool.mcpkit]` of `pyproject.toml`.
        overrides: What the command line sets, by dotted path.
        directory: Where files are looked for; the working directory by default.

    Raises:
        SettingsError: A file is missing or malformed, a name is unknown, or a value is wrong.
    """
    where = directory or Path.cwd()
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}

    def take(found: Mapping[str, Any], origin: Mapping[str, str] | str) -> None:
        for leaf, value in _flatten(found):
            _forget(leaf, values, origins)
            values[leaf] = value
            origins[leaf] = origin if isinstance(origin, str) else _origin(leaf, origin) or FILE

    take(*_read_file(path, where))
    dotenv = where / ".env"
    if dotenv.is_file():
        named = {key: value or "" for key, value in dotenv_values(dotenv).items()}
        if names := _names(named, ".env"):
            take(read_environment(PREFIX, DELIMITER, dotenv), names)
    if names := _names(os.environ, "environment"):
        take(read_environment(PREFIX, DELIMITER), names)
    take(_nest(overrides or {}), COMMAND_LINE)
    return Effective(settings=_validate(_nest(values), origins), values=values, origins=origins)


def _read_file(path: Path | None, directory: Path) -> tuple[Mapping[str, Any], str]:
    """Read the settings file, and tell what to call it."""
    named = path or (Path(os.environ[SETTINGS_PATH]) if os.environ.get(SETTINGS_PATH) else None)
    if named is not None:
        if not (directory / named).is_file():
            raise SettingsError(
                f"The settings file {str(named)!r} does not exist",
                hint="Check --settings and MCPKIT_SETTINGS; `mcpkit settings init` makes a file",
            )
        return _section(directory / named), str(named)
    if (directory / FILE).is_file():
        return _section(directory / FILE), FILE
    if (directory / "pyproject.toml").is_file():
        return _section(directory / "pyproject.toml"), "pyproject.toml [tool.mcpkit]"
    return {}, FILE


def _section(path: Path) -> Mapping[str, Any]:
    try:
        text = path.read_text("utf-8")
        if path.name == "pyproject.toml" and "mcpkit" not in text:
            return {}  # a project's own file, which says nothing to us
        content: dict[str, Any] = parse_toml(text)
    except ValueError as exc:  # of TOML or of UTF-8
        raise SettingsError(
            f"{path.name} is not valid TOML: {exc}", hint=f"Mend {path.name} at that line"
        ) from exc
    except OSError as exc:
        raise SettingsError(
            f"{path.name} cannot be read: {exc.strerror}", hint="Check its permissions"
        ) from exc
    if path.name == "pyproject.toml":
        found = content.get("tool", {}).get("mcpkit", {})
        return found if isinstance(found, dict) else {}
    return content


def _names(environ: Mapping[str, str], source: str) -> dict[str, str]:
    """Tell the origin of each setting in an environment, and refuse misspelt names.

    Raises:
        SettingsError: A variable with our prefix is no setting.
    """
    origins: dict[str, str] = {}
    for name in sorted(environ):
        upper = name.upper()
        if not upper.startswith(PREFIX) or upper == SETTINGS_PATH:
            continue
        path = upper.removeprefix(PREFIX).lower().split(DELIMITER)
        if not _exists(path, Settings):
            known = [PREFIX + DELIMITER.join(keys).upper() for keys in paths(Settings)]
            near = did_you_mean(upper, [*known, SETTINGS_PATH])
            raise SettingsError(
                f"{source} {shortened(name)} is no setting{near}",
                hint="`mcpkit settings show` lists all settings",
            )
        origins[".".join(path)] = f"{source} {name}"
    return origins


def paths(model: type[BaseModel]) -> Iterator[tuple[str, ...]]:
    """List every setting of a model, sections included, as keys from the root."""
    for name, field in model.model_fields.items():
        yield (name,)
        if _is_model(field.annotation):
            yield from ((name, *rest) for rest in paths(field.annotation))


def _exists(path: list[str], model: type[BaseModel]) -> bool:
    """Whether keys lead to a setting; what is in a plugin's section, its own model knows."""
    field = model.model_fields.get(path[0])
    if field is None:
        return False
    if path[0] == "plugins" and len(path) > 1:
        return all(path[1:])
    if len(path) == 1:
        return True
    if _is_model(field.annotation):
        return _exists(path[1:], field.annotation)
    return "dict" in str(field.annotation)


def _is_model(annotation: Any) -> TypeGuard[type[BaseModel]]:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            yield from _flatten(value, f"{path}.")
        else:
            yield path, value


def _nest(values: Mapping[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for path, value in values.items():
        *sections, last = path.split(".")
        inner = nested
        for section in sections:
            inner = inner.setdefault(section, {})
        inner[last] = value
    return nested


def _forget(leaf: str, values: dict[str, Any], origins: dict[str, str]) -> None:
    """Forget what a value of higher precedence replaces: what is above and below it."""
    for path in list(values):
        if leaf.startswith(f"{path}.") or path.startswith(f"{leaf}."):
            del values[path], origins[path]


def _validate(values: Mapping[str, Any], origins: Mapping[str, str]) -> Settings:
    try:
        return Settings.model_validate(values)
    except ValidationError as exc:
        known = [".".join(keys) for keys in paths(Settings)]
        problems = []
        for problem in describe_errors(exc):
            path = ".".join(map(str, problem.path))
            origin = _origin(path, origins)
            text = f"{path} {problem.message}" if path else problem.message
            if problem.kind == "extra_forbidden":
                text = f"{shortened(path)} is no setting{did_you_mean(path, known)}"
            problems.append(f"{origin}: {text}" if origin else text)
        raise SettingsError(
            "; ".join(problems), hint="`mcpkit settings schema` tells what each setting may be"
        ) from exc


def _origin(path: str, origins: Mapping[str, str]) -> str | None:
    keys = path.split(".")
    for length in range(len(keys), 0, -1):
        found = origins.get(".".join(keys[:length]))
        if found is not None:
            return found
    return next((value for key, value in origins.items() if key.startswith(f"{path}.")), None)
