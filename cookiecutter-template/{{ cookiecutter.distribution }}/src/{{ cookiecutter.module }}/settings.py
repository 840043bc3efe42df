"""What operators can set in `[plugins.{{ cookiecutter.plugin_name }}]` of mcpkit.toml."""

from mcpkit import PluginSettings
from pydantic import Field


class {{ cookiecutter.class_name }}Settings(PluginSettings):
    """Settings of the plugin; secrets belong into `pydantic.SecretStr` fields."""

    salutation: str = Field("Hello", min_length=1, description="Word that greetings begin with")
