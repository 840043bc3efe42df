"""A section of the settings: what all of them share."""

from collections.abc import Mapping
from types import NoneType
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, field_validator, model_validator

CONFIG = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, allow_inf_nan=False)
"""Unknown keys are errors, errors never show the input, and numbers end."""

MOST = 2**40
"""The largest whole number: what is beyond overflows where systems count in 64 bits or less."""

LONGEST = 1e9
"""The largest number of seconds, some thirty years."""


class Section(BaseModel):
    """A part of the settings; an empty text means that a setting is not set, where it may be."""

    model_config = CONFIG

    @model_validator(mode="before")
    @classmethod
    def _empty_is_not_set(cls, values: Any) -> Any:
        """Leave out what is empty; an empty list of names is a list all the same."""
        if not isinstance(values, Mapping):
            return values
        fields = cls.model_fields
        unset = [
            name
            for name, value in values.items()
            if value == ""
            and name in fields
            and NoneType in get_args(fields[name].annotation)
            and "tuple" not in str(fields[name].annotation)
        ]
        return {name: value for name, value in values.items() if name not in unset}

    @field_validator("*", mode="after")
    @classmethod
    def _not_too_large(cls, value: Any) -> Any:
        return refuse_too_large(value)


class PluginSettings(BaseModel):
    """What the settings model of a plugin derives from: typos are errors, secrets stay hidden."""

    model_config = CONFIG


def refuse_too_large(value: Any) -> Any:
    """Pass a value on, unless it is a number that no system takes.

    Raises:
        ValueError: It is.
    """
    if isinstance(value, int | float):
        limit = MOST if isinstance(value, int) else LONGEST
        if abs(value) > limit:
            raise ValueError(f"must be at most {limit:g}")
    return value
