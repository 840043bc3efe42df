"""Filling: the settings section of a plugin becomes an instance of the model it declares.

Bad settings fail that plugin alone; the error names the key, where it was set, and the nearest key
that exists, never the value.
"""

from __future__ import annotations

import pluggy
from pydantic import BaseModel, ValidationError

from mcpkit.core.errors import PluginContractError, PluginSettingsError
from mcpkit.core.hooks import ask
from mcpkit.core.plan import Origin
from mcpkit.core.settings import RESERVED_PLUGIN_KEYS, PluginSection
from mcpkit.core.status import PluginRecord
from mcpkit.core.suggestions import did_you_mean, shortened
from mcpkit.core.wording import describe_errors


def fill_settings(
    record: PluginRecord, manager: pluggy.PluginManager, section: PluginSection, origin: Origin
) -> BaseModel | None:
    """Fill the model that a plugin declares from its section.

    Raises:
        PluginSettingsError: The section does not fit; the message names key and source.
        PluginContractError: What it declares is no model, or takes a key of the host.
    """
    models = ask(manager, record.plugin, "mcpkit_settings")
    values = section.own
    if not models:
        if values:
            raise PluginSettingsError(
                f"It takes no settings; got {', '.join(sorted(values))}",
                hint=f"Remove them from [plugins.{record.name}]",
            )
        return None
    model = models[0]
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise PluginContractError(
            f"Its settings are {model!r}, not a pydantic model class",
            hint="Derive the settings from mcpkit.PluginSettings and pass the class",
        )
    taken = RESERVED_PLUGIN_KEYS.intersection(model.model_fields)
    if taken:
        raise PluginContractError(
            f"Its settings model uses {min(taken)!r}, which the host reads itself",
            hint="Rename that field",
        )
    return _fill(model, values, record.name, origin)


def _fill(
    model: type[BaseModel], values: dict[str, object], name: str, origin: Origin
) -> BaseModel:
    path = f"plugins.{name}"
    known = {field.alias or key for key, field in model.model_fields.items()}
    hint = f"Change [{path}] in mcpkit.toml, or MCPKIT_PLUGINS__{name.upper()}__…"
    for key in sorted(values):
        if key not in known and model.model_config.get("extra") != "allow":
            raise PluginSettingsError(
                f"{_sourced(f'{path}.{key}', origin)} is no setting of it"
                f"{did_you_mean(key, known)}",
                hint=hint,
            )
    try:
        return model.model_validate(values)
    except ValidationError as exc:
        problems = [
            f"{_sourced('.'.join([path, *map(str, problem.path)]), origin)}: {problem.message}"
            for problem in describe_errors(exc)
        ]
        raise PluginSettingsError("; ".join(problems), hint=hint) from exc
    except Exception as exc:  # plugin code: a validator may raise anything
        raise PluginSettingsError(
            f"Its settings model raised {type(exc).__name__}", hint=hint
        ) from exc


def _sourced(path: str, origin: Origin) -> str:
    source = origin(path)
    return f"{shortened(path)} (from {source})" if source else shortened(path)
