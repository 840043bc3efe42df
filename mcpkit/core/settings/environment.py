"""Environment: variables become settings, as pydantic-settings reads them.

Imported only where there is such a variable: most starts of a host have none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, DotEnvSettingsSource, EnvSettingsSource

from mcpkit.core.errors import SettingsError
from mcpkit.core.settings import Settings


class _Spelled(Settings, BaseSettings):  # type: ignore[misc]  # its model_config has fewer keys
    """Settings as pydantic-settings sees them: it reads the environment for us."""


class _Environment(EnvSettingsSource):
    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        return _decode(field, value)


class _DotEnv(DotEnvSettingsSource):
    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        return _decode(field, value)


def read_environment(
    prefix: str, delimiter: str, env_file: Path | None = None
) -> Mapping[str, Any]:
    """Read settings from a `.env` file, or from the environment.

    Args:
        prefix: What the names of variables start with.
        delimiter: What stands between levels in a name.
        env_file: None for the environment.

    Raises:
        SettingsError: A value cannot be read.
    """
    spelling: dict[str, Any] = {
        "env_prefix": prefix,
        "env_nested_delimiter": delimiter,
        "case_sensitive": False,
    }
    if env_file is None:
        source: EnvSettingsSource = _Environment(_Spelled, **spelling)
    else:
        source = _DotEnv(_Spelled, env_file=env_file, **spelling)
    try:
        found = source()
    except Exception as exc:  # its own error names the field
        raise SettingsError(
            f"The environment cannot be read: {exc}", hint="Write lists and objects as JSON"
        ) from exc
    return {key: value for key, value in found.items() if key in Settings.model_fields}


def _decode(field: FieldInfo | None, value: str) -> Any:
    """Decode a value of the environment where more than a string is wanted.

    JSON when it looks like an array or object; else a comma-separated list where a tuple is
    wanted. Everything else stays a string, which pydantic converts.
    """
    if value.lstrip()[:1] in {"[", "{"}:
        try:
            return json.loads(value)
        except ValueError:
            return value  # validation says what is wrong, and where it was set
    if field is not None and "tuple" in str(field.annotation):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value
