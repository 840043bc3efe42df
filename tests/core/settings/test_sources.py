"""Settings from everywhere: precedence, origins, and typos that are named."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mcpkit.core.errors import SettingsError
from mcpkit.core.settings.sources import Effective

KEY = "a-key-of-good-length-0123456789"

Read = Callable[..., Effective]


def test_the_stronger_source_wins_and_is_named(read: Read) -> None:
    effective = read(
        toml='name = "file"\n[http]\nport = 1\nhost = "localhost"\npath = "/file"',
        dotenv="MCPKIT_HTTP__PORT=2\nMCPKIT_HTTP__HOST=127.0.0.2\nOTHER=x",
        overrides={("http", "port"): 4},
        MCPKIT_HTTP__PORT="3",
    )

    http = effective.settings.http
    assert (http.port, http.host, http.path) == (4, "127.0.0.2", "/file")
    assert effective.settings.name == "file"
    assert effective.origin("http", "port") == "command line"
    assert effective.origin("http", "host") == ".env MCPKIT_HTTP__HOST"
    assert effective.origin("http", "path") == "mcpkit.toml"
    assert effective.origin("http", "sse_path") == "default"


def test_the_environment_speaks_lists_tables_and_json(read: Read) -> None:
    effective = read(
        MCPKIT_TRANSPORTS="sse, stdio",
        MCPKIT_AUTH__API_KEYS__ALICE=KEY,
        MCPKIT_PLUGINS__WEATHER__UNITS="metric",
        MCPKIT_PLUGINS__WEATHER__NUMBER="12345",
        MCPKIT_PLUGINS__SEARCH__FOLDERS='["/a"]',
    )

    settings = effective.settings
    assert settings.transports == ("sse", "stdio")
    assert settings.auth.api_keys["alice"].get_secret_value() == KEY
    assert settings.plugin("weather").own == {"units": "metric", "number": "12345"}
    assert settings.plugin("search").own == {"folders": ["/a"]}
    units = effective.origin("plugins", "weather", "units")
    assert units == "environment MCPKIT_PLUGINS__WEATHER__UNITS"


def test_an_object_in_a_variable_is_a_section_and_an_exact_name_is_stronger(read: Read) -> None:
    effective = read(MCPKIT_HTTP='{"port": 1, "host": "localhost"}', MCPKIT_HTTP__PORT="2")

    assert (effective.settings.http.port, effective.settings.http.host) == (2, "localhost")
    assert effective.origin("http", "host") == "environment MCPKIT_HTTP"
    assert effective.origin("http", "port") == "environment MCPKIT_HTTP__PORT"


def test_text_that_looks_like_json_stays_text_where_text_is_wanted(read: Read) -> None:
    settings = read(MCPKIT_INSTRUCTIONS='["be", "brief"]').settings

    assert settings.instructions == '["be", "brief"]'


def test_a_pyproject_that_says_nothing_to_us_is_not_parsed(read: Read) -> None:
    assert read(pyproject="[tool.other]\nbroken = \n").settings.name == "mcpkit"


def test_keys_may_be_a_list(read: Read) -> None:
    settings = read(MCPKIT_AUTH__API_KEYS=f"{KEY},{KEY}2").settings

    assert list(settings.auth.api_keys) == ["key1", "key2"]


def test_pyproject_and_other_files_may_hold_settings(read: Read, folder: Path) -> None:
    section = '[tool.mcpkit]\nname = "mine"'
    other = folder / "other.toml"
    other.write_text('name = "other"', "utf-8")

    assert read(pyproject=section).settings.name == "mine"
    assert read(MCPKIT_SETTINGS="other.toml").settings.name == "other"
    assert read(path=other).origin("name") == str(other)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "environment section": (
        {"MCPKIT_HTP__PORT": "1"},
        "environment MCPKIT_HTP__PORT is no setting. Did you mean 'MCPKIT_HTTP__PORT'?",
    ),
    "environment key": (
        {"MCPKIT_HTTP__PRT": "1"},
        "environment MCPKIT_HTTP__PRT is no setting. Did you mean 'MCPKIT_HTTP__PORT'?",
    ),
    "dotenv": (
        {"dotenv": "MCPKIT_LOGLEVEL=debug"},
        ".env MCPKIT_LOGLEVEL is no setting. Did you mean 'MCPKIT_LOG_LEVEL'?",
    ),
    "file": (
        {"toml": "[http]\nprt = 1"},
        "mcpkit.toml: http.prt is no setting. Did you mean 'http.port'?",
    ),
    "command line": (
        {"overrides": {("http", "prt"): "1"}},
        "command line: http.prt is no setting. Did you mean 'http.port'?",
    ),
    "plugin on the command line": (
        {"overrides": {("weather", "units"): "x"}},
        "command line: weather is no setting. Did you mean 'plugins.weather.units'?",
    ),
    "plugin in the environment": (
        {"MCPKIT_WEATHER__UNITS": "x"},
        "MCPKIT_WEATHER__UNITS is no setting. Did you mean 'MCPKIT_PLUGINS__WEATHER__UNITS'?",
    ),
    "plugin in a file": (
        {"toml": "[weather]\nunits = 'x'\ndays = 3"},
        "mcpkit.toml: weather is no setting. Did you mean 'plugins.weather'?",
    ),
    "file value": (
        {"toml": "[http]\nport = 'hunter2'"},
        "mcpkit.toml: http.port must be an integer",
    ),
    "environment value": (
        {"MCPKIT_HTTP__PORT": "hunter2"},
        "environment MCPKIT_HTTP__PORT: http.port must be an integer",
    ),
    "toml": ({"toml": "name = \n"}, "mcpkit.toml' is not valid TOML"),
    "json": ({"MCPKIT_TRANSPORTS": "[bad"}, "transports must be a list"),
    "section": ({"MCPKIT_HTTP": "hunter2"}, "environment MCPKIT_HTTP"),
    "short key": ({"MCPKIT_AUTH__API_KEYS": "hunter2"}, "shorter than 16 characters"),
    "same keys": ({"MCPKIT_AUTH__API_KEYS": f"{KEY},{KEY}"}, "have the same API key"),
    "odd key": ({"MCPKIT_AUTH__API_KEYS": f"{KEY} é"}, "printable ASCII"),
    "tls": ({"MCPKIT_HTTP__TLS_KEY": "a.pem"}, "together"),
    "missing file": ({"MCPKIT_SETTINGS": "no.toml"}, "no.toml': it does not exist"),
    "prefix": ({"toml": "[plugins.weather]\nprefix = 'né'"}, "plugins.weather.prefix"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_names_its_source_and_not_its_value(read: Read, name: str) -> None:
    given, said = WRONG[name]

    with pytest.raises(SettingsError) as caught:
        read(**given)

    assert said in caught.value.message
    assert "hunter2" not in caught.value.message
    assert caught.value.hint


def test_a_plugins_own_keys_are_left_to_its_model(read: Read) -> None:
    settings = read(toml="[plugins.weather]\nanything = 1\nenabled = false").settings

    section = settings.plugin("weather")
    assert section.enabled is False
    assert section.own == {"anything": 1}
