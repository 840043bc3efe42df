"""The settings file to start from: every setting, explained and commented out.

Each line that begins with `#` and a name may be uncommented alone: it is valid, and sets the
default. A comment tells of what has no default, or none that TOML can spell.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from mcpkit.core.settings import PluginSection, Settings
from mcpkit.core.settings.describing import Described, describe_settings
from mcpkit.core.settings.keys import spell

HEAD = (
    "# Settings of mcpkit. Lines such as #name = ... show defaults: take the # off to change one."
)

EMPTY = '""'
"""How a setting of the host is not set."""


def settings_template(plugins: Mapping[str, type[BaseModel] | str | None]) -> str:
    """Write a `mcpkit.toml`.

    Args:
        plugins: By name, the model that each installed plugin declares; None if it takes no
            settings, or why that is not known.
    """
    sections = {
        name: field
        for name, field in Settings.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    }
    lines = [HEAD, ""]
    defaults = {"plugins_allow": sorted(plugins)}
    for setting in describe_settings(Settings):
        if setting.name not in {*sections, "plugins"}:
            lines += _lines(setting, Settings, defaults.get(setting.name), EMPTY)
    for name, field in sections.items():
        lines += [f"[{name}]  # {field.description}", "", *_section(field.annotation)]
    for name, model in sorted(plugins.items()):
        lines += [f"[plugins.{spell((name,))}]", "", *_plugin(name, model)]
    return "\n".join(lines)


def _section(model: Any) -> Iterator[str]:
    for setting in describe_settings(model):
        yield from _lines(setting, model, None, EMPTY)


def _plugin(name: str, model: type[BaseModel] | str | None) -> Iterator[str]:
    for setting in describe_settings(PluginSection):
        instead = name if setting.name == "prefix" else None
        yield from _lines(setting, PluginSection, instead, EMPTY)
    if isinstance(model, str):
        yield from (_comment(f"Its own settings are not known: {model}"), "")
    elif model is not None:
        for setting in describe_settings(model):
            yield from _lines(setting, model, None, None)


def _lines(
    setting: Described, model: type[BaseModel], instead: Any, empty: str | None
) -> Iterator[str]:
    """Explain a setting, and show its default if it can be spelled and the model takes it.

    Args:
        setting: What is known of it.
        model: Of its section.
        instead: A value that means the same as not setting it.
        empty: How that is spelled where there is none.
    """
    if setting.description:
        yield _comment(setting.description)
    key = spell((setting.name,))
    value = setting.default if instead is None else instead
    text = empty if value is None else _toml(value)
    is_shown = text is not None and not setting.required and not setting.is_secret
    if is_shown and _fits(f"{key} = {text}", setting.name, model):
        yield f"#{key} = {text}" + ("  # not set" if value is None else "")
    else:
        yield f"# {key} {'is required' if setting.required else 'is not set'}: {setting.type}"
    yield ""


def _fits(line: str, name: str, model: type[BaseModel]) -> bool:
    """Whether a model takes what a line sets."""
    try:
        model.model_validate(tomllib.loads(line))
    except ValidationError as exc:
        places = [error["loc"][:1] for error in exc.errors(include_input=False)]
        return (name,) not in places and () not in places
    except Exception:  # noqa: BLE001  # plugin code: a validator may raise anything
        return False
    return True


def _comment(text: str) -> str:
    """A comment on one line, of printable characters alone."""
    plain = " ".join(text.split())
    return f"# {plain}" if plain.isprintable() else f"# {plain!a}"


def _toml(value: Any) -> str | None:
    """A JSON value on one line of TOML; None where it cannot be spelled."""
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return repr(value)
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case list():
            items = [_toml(item) for item in value]
            return None if None in items else f"[{', '.join(map(str, items))}]"
        case dict():
            pairs = {spell((name,)): _toml(item) for name, item in value.items()}
            inside = ", ".join(f"{name} = {item}" for name, item in pairs.items())
            return None if None in pairs.values() else f"{{{inside}}}"
    return None
