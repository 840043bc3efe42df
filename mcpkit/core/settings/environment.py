"""Environment: variables become settings, as pydantic-settings reads them.

Imported only where there is such a variable: most starts of a host have none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource

from mcpkit.core.settings import Settings
from mcpkit.core.settings.keys import split_list


class _Spelled(Settings, BaseSettings):  # type: ignore[misc]  # its model_config has fewer keys
    """Settings as pydantic-settings sees them: it reads the environment for us."""


class _Variables(EnvSettingsSource):
    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        return _decode(field, value)


def parse_variables(variables: Mapping[str, str], prefix: str, delimiter: str) -> dict[str, Any]:
    """Nest the settings that variables hold, whatever the case of their names.

    Args:
        variables: Text by name.
        prefix: What the names start with.
        delimiter: What stands between levels in a name.
    """
    source = _Variables(
        _Spelled, env_prefix=prefix, env_nested_delimiter=delimiter, case_sensitive=False
    )
    source.env_vars = {name.lower(): value for name, value in variables.items()}
    return {key: value for key, value in source().items() if key in Settings.model_fields}


def _decode(field: FieldInfo | None, value: str) -> Any:
    """Decode a value of the environment where more than a string is wanted.

    JSON when it looks like an array or object; else a comma-separated list where a tuple is
    wanted. Everything else stays a string, which pydantic converts.
    """
    if value.lstrip()[:1] in {"[", "{"}:
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value  # validation says what is wrong, and where it was set
    if field is not None and "tuple" in str(field.annotation):
        return split_list(value)
    return value
