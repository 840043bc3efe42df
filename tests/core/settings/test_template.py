"""The settings file to start from: every line of it can be uncommented."""

import re
import tomllib
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Any, Literal

import jsonschema
from mcpkit_plugin_search.settings import SearchSettings
from mcpkit_plugin_timeutil.settings import TimeutilSettings
from mcpkit_plugin_weather.settings import WeatherSettings
from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator

from mcpkit import PluginSettings
from mcpkit.core.settings import Settings
from mcpkit.core.settings.describing import describe_settings
from mcpkit.core.settings.schema import settings_schema
from mcpkit.core.settings.template import settings_template


class Colour(Enum):
    RED = "red"


class Inner(BaseModel):
    depth: int = 1
    name: str = 'a"b\\c\nd\x7f é'


class Odd(PluginSettings):
    """Fields of every kind that a default may be of."""

    needed: str = Field(description="Has no default")
    secret: SecretStr = SecretStr("hunter2")
    colour: Colour = Colour.RED
    when: tuple[date, ...] = (date(2026, 11, 21),)
    where: Path = Path("/tmp/x y")
    inner: Inner = Inner()
    table: dict[str, list[int]] = Field(default_factory=lambda: {"a.b": [1, 2], "c": []})
    wrong: str = Field("not allowed", pattern="^x$", description="A default\nthat does not fit")
    endless: float = float("inf")
    anything: Any = object()
    maybe: str | None = None
    long: int = 10**30
    picky: int = 1

    @field_validator("picky")
    @classmethod
    def _crash(cls, value: int) -> int:
        raise RuntimeError("picky")


class Together(PluginSettings):
    first: Literal["a", "b"] = "a"
    second: bool = False

    @model_validator(mode="after")
    def _fits(self) -> "Together":
        return self


MODELS = {
    "odd": Odd,
    "search": SearchSettings,
    "timeutil": TimeutilSettings,
    "together": Together,
    "weather": WeatherSettings,
}
TEMPLATE = settings_template({**MODELS, "bare": None, "broken": "cannot be imported\n\x1b[2J"})
COMMENTED = [number for number, line in enumerate(TEMPLATE.splitlines()) if re.match(r"#\S", line)]


def uncommented(*numbers: int) -> dict[str, Any]:
    lines = TEMPLATE.splitlines()
    for number in numbers:
        lines[number] = lines[number].removeprefix("#")
    return tomllib.loads("\n".join(lines))


def validate(content: dict[str, Any]) -> Settings:
    """Validate everything, the sections of plugins included."""
    settings = Settings.model_validate(content)
    for name, model in MODELS.items():
        required = {"needed": "x"} if model is Odd else {}
        model.model_validate({**required, **settings.plugin(name).own})
    return settings


def test_the_template_as_it_is_sets_nothing() -> None:
    content = uncommented()

    assert content.pop("plugins").keys() == {*MODELS, "bare", "broken"}
    assert not any(content.values())


def test_each_line_can_be_uncommented_alone() -> None:
    assert len(COMMENTED) > 100
    for number in COMMENTED:
        validate(uncommented(number))


def test_all_lines_can_be_uncommented_together_and_change_nothing() -> None:
    settings = validate(uncommented(*COMMENTED))

    own = {"plugins", "plugins_allow"}
    assert settings.model_dump(exclude=own) == Settings().model_dump(exclude=own)
    assert settings.plugin("weather").prefix == "weather"


def test_every_setting_is_in_the_template_once() -> None:
    weather = TEMPLATE.partition("[plugins.weather]")[2]

    for setting in describe_settings(WeatherSettings):
        assert len(re.findall(rf"^# ?{setting.name} ", weather, re.MULTILINE)) == 1
        assert f"# {setting.description}\n" in weather


def test_what_has_no_default_that_fits_is_told_in_a_comment() -> None:
    for line in (
        "# needed is required: string",
        "# secret is not set: secret",
        "# wrong is not set: string",
        "# endless is not set: number",
        "# maybe is not set: string",
        "# picky is not set: integer",
        '#inner = {depth = 1, name = "a\\"b\\\\c\\nd\\u007f é"}',
        '#table = {"a.b" = [1, 2], c = []}',
        '#when = ["2026-11-21"]',
        "# 'Its own settings are not known: cannot be imported \\x1b[2J'",
    ):
        assert f"\n{line}\n" in TEMPLATE
    assert "hunter2" not in TEMPLATE


class Crashing(PluginSettings):
    """A default that cannot be made."""

    crashing: str = Field(default_factory=lambda: str(1 / 0))


def test_a_default_that_cannot_be_made_costs_its_own_line() -> None:
    assert "# crashing is not set: string" in settings_template({"crashing": Crashing})


def test_the_schema_takes_what_the_models_take_and_nothing_else() -> None:
    schema = settings_schema({**MODELS, "bare": None})
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    good = {"http": {"port": 1}, "plugins": {"weather": {"units": "metric", "strict": True}}}
    nested = {"plugins": {"odd": {"needed": "x", "inner": {"depth": 2}}}}

    assert validator.is_valid(good)
    assert validator.is_valid(nested)
    assert validator.is_valid({"plugins": {"not_installed": {"anything": 1}}})
    assert not validator.is_valid({"plugins": {"weather": {"units": "kelvin"}}})
    assert not validator.is_valid({"plugins": {"weather": {"unit": "metric"}}})
    assert not validator.is_valid({"plugins": {"odd": {"needed": "x", "inner": {"depth": "x"}}}})
    assert not validator.is_valid({"plugins": {"bare": {"anything": 1}}})
