"""The JSON Schema of `mcpkit.toml`, the settings of installed plugins included."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from mcpkit.core.settings import PluginSection, Settings
from mcpkit.core.settings.masking import mask

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def settings_schema(models: Mapping[str, type[BaseModel] | None]) -> dict[str, Any]:
    """Make the schema that editors check a settings file with.

    Args:
        models: By plugin, the model that it declares; None if it takes no settings. A plugin that
            is not in it may have any settings.
    """
    schema = Settings.model_json_schema()
    sections: dict[str, Any] = {}
    for name, model in sorted(models.items()):
        definition = f"plugins.{name}"
        schema["$defs"][definition] = _section(definition, model)
        sections[name] = {"$ref": f"#/$defs/{definition}"}
    schema["properties"]["plugins"]["properties"] = sections
    return {"$schema": DIALECT, **_masked(schema)}


def _section(definition: str, model: type[BaseModel] | None) -> dict[str, Any]:
    """What may stand in the section of a plugin: what the host reads, and its own settings."""
    host = PluginSection.model_json_schema()
    if model is None:
        return {**host, "title": definition, "additionalProperties": False}
    template = f"#/$defs/{definition}/$defs/{{model}}"
    try:
        with warnings.catch_warnings(action="ignore"):  # of defaults that are no JSON
            own = model.model_json_schema(ref_template=template)
    except Exception:  # noqa: BLE001  # plugin code: a type may have no JSON Schema
        return {**host, "title": definition}
    properties = {**host["properties"], **own.get("properties", {})}
    is_open = model.model_config.get("extra") == "allow"
    return {**own, "properties": properties, "additionalProperties": is_open}


def _masked(schema: Any) -> Any:
    """A schema whose defaults and examples show no password of a URL."""
    if isinstance(schema, dict):
        return {
            name: mask(item) if name in {"default", "examples"} else _masked(item)
            for name, item in schema.items()
        }
    if isinstance(schema, list):
        return [_masked(item) for item in schema]
    return schema
