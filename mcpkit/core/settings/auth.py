"""Settings of authentication: the clients that may use the network transports."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, SecretStr, field_validator

from mcpkit.core.settings.section import Section

MIN_API_KEY_LENGTH = 16
"""Shorter API keys are refused: they can be guessed."""


def _named_keys(value: Any) -> Any:
    """Accept a list of keys beside a mapping of client name to key."""
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    if isinstance(value, list | tuple):
        return {f"key{number}": key for number, key in enumerate(value, start=1)}
    return value


class AuthSettings(Section):
    """Who may use the network transports."""

    api_keys: Annotated[dict[str, SecretStr], BeforeValidator(_named_keys)] = Field(
        default_factory=dict,
        description="Client name to API key; any of them opens the network transports",
    )

    @field_validator("api_keys")
    @classmethod
    def _long_enough(cls, keys: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, key in keys.items():
            value = key.get_secret_value()
            if len(value) < MIN_API_KEY_LENGTH:
                raise ValueError(
                    f"API key {name!r} is shorter than {MIN_API_KEY_LENGTH} characters"
                )
            if not value.isascii() or not value.isprintable() or " " in value:
                raise ValueError(f"API key {name!r} may hold printable ASCII without spaces only")
        if len({key.get_secret_value() for key in keys.values()}) != len(keys):
            raise ValueError("two clients have the same API key")
        return keys
