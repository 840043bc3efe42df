"""Filling: the settings section of a plugin becomes an instance of the model it declares.

Bad settings fail that plugin alone; the error names the key, where it was set, and the nearest key
that exists, never the value.
"""

from __future__ import annotations

import traceback
from pathlib import Path

from pydantic import BaseModel, ValidationError

from mcpkit.core.errors import PluginContractError, PluginSettingsError
from mcpkit.core.hooks import ask
from mcpkit.core.settings import RESERVED_PLUGIN_KEYS, PluginSection
from mcpkit.core.settings.keys import Key, spell
from mcpkit.core.settings.masking import mask_message
from mcpkit.core.settings.origins import OriginsOf
from mcpkit.core.status import PluginRecord
from mcpkit.core.suggestions import did_you_mean, shortened
from mcpkit.core.wording import describe_errors, say_setting

MAX_PROBLEMS = 10
"""Most problems that one message tells."""


def fill_settings(
    record: PluginRecord, section: PluginSection, origins: OriginsOf
) -> BaseModel | None:
    """Fill the model that a plugin declares from its section.

    Raises:
        PluginSettingsError: The section does not fit; the message names key and source.
        PluginContractError: What it declares is no model, or takes a key of the host.
    """
    model = record.settings_model = _settings_model(record)
    values = section.own
    if model is not None:
        return _fill(model, values, record.name, origins)
    if values:
        key = ("plugins", record.name, min(values))
        raise PluginSettingsError(
            f"It takes no settings; got {', '.join(sorted(values))}",
            hint=_hint(key, origins) or f"Remove them from [plugins.{record.name}]",
        )
    return None


def _settings_model(record: PluginRecord) -> type[BaseModel] | None:
    """The model that a plugin declares; None when it takes no settings.

    Raises:
        PluginContractError: What it declares is no model, or takes a key of the host.
    """
    models = ask(record.manager, "mcpkit_settings")
    if not models:
        return None
    model = models[0]
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise PluginContractError(
            f"Its settings are of {type(model).__name__!r}, not a pydantic model class",
            hint="Derive the settings from mcpkit.PluginSettings and pass the class",
        )
    taken = RESERVED_PLUGIN_KEYS.intersection(model.model_fields)
    if taken:
        raise PluginContractError(
            f"Its settings model uses {min(taken)!r}, which the host reads itself",
            hint="Rename that field",
        )
    return model


def _fill(
    model: type[BaseModel], values: dict[str, object], name: str, origins: OriginsOf
) -> BaseModel:
    section: Key = ("plugins", name)
    known = {field.alias or key for key, field in model.model_fields.items()}
    for key in sorted(values):
        if key not in known and model.model_config.get("extra") != "allow":
            here = (*section, key)
            raise PluginSettingsError(
                f"{_sourced(here, origins)} is no setting of it{did_you_mean(key, known)}",
                hint=_hint(here, origins) or f"Change [{spell(section)}]",
            )
    remedy = _hint(section, origins) or f"Change [{spell(section)}]"
    try:
        return model.model_validate(values)
    except ValidationError as exc:
        problems = describe_errors(exc, most=MAX_PROBLEMS, given=values)
    except BaseException as exc:  # noqa: BLE001  # plugin code: a validator may raise anything
        where = f"{type(exc).__name__} in {_raised_at(exc)}"  # its text may hold the values
        raise PluginSettingsError(f"Its settings model raised {where}", hint=remedy) from None
    told = [
        say_setting(
            _sourced((*section, *problem.path), origins),
            mask_message(problem.message, problem.path, values, model),
        )
        for problem in problems
    ]
    hints = [
        _missing_hint((*section, *problem.path))
        if problem.kind == "missing"
        else _hint((*section, *problem.path), origins)
        for problem in problems
    ]
    hint = "; ".join(dict.fromkeys(filter(None, hints))) or remedy
    raise PluginSettingsError("; ".join(told), hint=hint)


def _raised_at(error: BaseException) -> str:
    """The place that raised an error: `settings.py:12`."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}"


def _sourced(key: Key, origins: OriginsOf) -> str:
    sources = ", ".join(map(str, origins(key)))
    path = shortened(spell(key))
    return f"{path} (from {shortened(sources)})" if sources else path


def _missing_hint(key: Key) -> str:
    return f"Set {shortened(spell(key))}; `mcpkit settings init` writes a file with all settings"


def _hint(key: Key, origins: OriginsOf) -> str | None:
    """Where to change a setting; None for a default."""
    found = origins(key)
    return found[0].hint(key) if found else None
