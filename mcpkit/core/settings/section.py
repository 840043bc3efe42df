"""A section of the settings: what all of them share."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A part of the settings: unknown keys are errors, and errors never show the input."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class PluginSettings(Section):
    """What the settings model of a plugin derives from: typos are errors, secrets stay hidden."""
