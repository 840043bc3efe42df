"""Variables: names of environment variables become keys of settings, and misspelt ones errors.

pydantic-settings lets a misspelt name pass without a word.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

from pydantic import BaseModel

from mcpkit.core.deferred import deferred
from mcpkit.core.errors import SettingsError
from mcpkit.core.settings import PLUGIN_NAME, Settings
from mcpkit.core.settings.origins import Origin, Source, Tree, grow
from mcpkit.core.suggestions import did_you_mean, nearest, shortened

parse_variables = deferred("mcpkit.core.settings.environment:parse_variables")

PREFIX = "MCPKIT_"
"""What the name of every environment variable of ours starts with."""

DELIMITER = "__"
"""What stands between the levels of a setting in an environment variable."""

SETTINGS_PATH = "MCPKIT_SETTINGS"
"""Environment variable that names the settings file, as `--settings` does."""


def ours(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables that are meant for us, by name."""
    return {name: text for name, text in variables.items() if name.upper().startswith(PREFIX)}


def key_of(name: str) -> tuple[str, ...]:
    """The key that the name of a variable spells."""
    return tuple(name.upper().removeprefix(PREFIX).lower().split(DELIMITER))


def read_variables(variables: Mapping[str, str], source: Source, path: str = "") -> Tree:
    """Read settings from variables of ours.

    Args:
        variables: Text by name.
        source: Where they stand: the environment or a `.env` file.
        path: That file.

    Raises:
        SettingsError: A name is no setting, or stands there twice.
    """
    origins: dict[tuple[str, ...], Origin] = {}
    for name in sorted(variables):
        origin = Origin(source=source, name=name, path=path)
        key = key_of(name)
        _refuse_unknown(key, origin)
        if key in origins:
            raise SettingsError(
                f"{origin} and {origins[key]} are one setting: case makes no difference",
                hint=f"Unset {name}",
            )
        origins[key] = origin
    if not origins:
        return {}
    try:
        found: Mapping[str, Any] = parse_variables(variables, PREFIX, DELIMITER)
    except Exception as exc:  # its own error names the field
        raise SettingsError(
            f"The {source} cannot be read: {exc}", hint="Write lists and objects as JSON"
        ) from exc
    return grow(found, lambda key: _nearest(key, origins))


def _nearest(key: tuple[str | int, ...], origins: Mapping[tuple[str, ...], Origin]) -> Origin:
    """The variable that set a value: the one of its own name, else of the section around it."""
    names = tuple(map(str, key))
    return next(
        origins[names[:length]] for length in range(len(names), 0, -1) if names[:length] in origins
    )


def _refuse_unknown(key: tuple[str, ...], origin: Origin) -> None:
    if key_of(SETTINGS_PATH) == key:
        raise SettingsError(
            f"{origin} cannot name the settings file",
            hint=f"Set {SETTINGS_PATH} in the environment, or say --settings PATH",
        )
    if not _exists(key, Settings):
        known = [PREFIX + DELIMITER.join(keys).upper() for keys in keys_of(Settings)]
        suggestion = did_you_mean(origin.name.upper(), [*known, SETTINGS_PATH])
        if len(key) > 1 and may_be_plugin(key[0]):
            meant = PREFIX + DELIMITER.join(("plugins", *key)).upper()
            suggestion = f". Did you mean {shortened(meant)!r}?"
        raise SettingsError(
            f"{shortened(str(origin))} is no setting{suggestion}",
            hint="`mcpkit settings show` lists all settings",
        )


def keys_of(model: type[BaseModel]) -> Iterator[tuple[str, ...]]:
    """List every setting of a model, sections included, as keys from the root."""
    for name, field in model.model_fields.items():
        yield (name,)
        if _is_model(field.annotation):
            yield from ((name, *rest) for rest in keys_of(field.annotation))


def may_be_plugin(name: str) -> bool:
    """Whether an unknown section has the name of a plugin, rather than a misspelt one."""
    sections = [
        key for key, field in Settings.model_fields.items() if _is_section(field.annotation)
    ]
    return PLUGIN_NAME.fullmatch(name) is not None and nearest(name, sections) is None


def takes_list(key: tuple[str, ...]) -> bool:
    """Whether a setting of the server is a list."""
    model: Any = Settings
    for name in key:
        field = model.model_fields.get(name) if _is_model(model) else None
        if field is None:
            return False
        model = field.annotation
    return "tuple" in str(model)


def _exists(key: tuple[str, ...], model: type[BaseModel]) -> bool:
    """Whether a key leads to a setting; what is in a plugin's section, its own model knows."""
    field = model.model_fields.get(key[0])
    if field is None:
        return False
    if key[0] == "plugins" and len(key) > 1:
        return all(key[1:])
    if len(key) == 1:
        return True
    if _is_model(field.annotation):
        return _exists(key[1:], field.annotation)
    return "dict" in str(field.annotation) and all(key[1:])


def _is_section(annotation: Any) -> bool:
    return _is_model(annotation) or "dict" in str(annotation)


def _is_model(annotation: Any) -> TypeGuard[type[BaseModel]]:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
