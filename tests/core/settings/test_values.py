"""Values of settings: numbers that end, texts that may be empty, names with dots, and remedies."""

from pathlib import Path
from typing import Any

import pytest

from mcpkit import Plugin, PluginSettings
from mcpkit.core.assembly import build
from mcpkit.core.errors import PluginSettingsError, SettingsError
from mcpkit.core.settings import PluginSection, Settings
from tests.core.settings.conftest import Read

KEY = "a-key-of-good-length-0123456789"


def numbers(model: Any, *path: str) -> list[tuple[str, ...]]:
    """The keys of all settings that are numbers."""
    found = []
    for name, field in model.model_fields.items():
        if hasattr(field.annotation, "model_fields"):
            found += numbers(field.annotation, *path, name)
        elif any(kind in str(field.annotation) for kind in ("int", "float")):
            found.append((*path, name))
    return found


NUMBERS = [*numbers(Settings), *numbers(PluginSection, "plugins", "x")]


@pytest.mark.parametrize("value", [float("inf"), float("nan"), -float("inf"), 2**63, 10**300])
def test_every_number_has_an_end(value: float) -> None:
    assert len(NUMBERS) > 20
    for key in NUMBERS:
        content: Any = value
        for name in reversed(key):
            content = {name: content}
        with pytest.raises(ValueError, match="validation error"):
            Settings.model_validate(content)


@pytest.mark.parametrize("text", ["inf", "nan", "1e400", "9223372036854775808", "9" * 4000])
def test_a_number_without_an_end_is_an_error_that_names_it(read: Read, text: str) -> None:
    with pytest.raises(SettingsError, match=r"mcpkit\.toml: http\.session_idle_timeout must be"):
        read(toml=f"[http]\nsession_idle_timeout = {text}")


def test_a_plugins_numbers_are_finite() -> None:
    class Own(PluginSettings):
        wait: float = 1

    settings = Settings.model_validate({"plugins": {"mine": {"wait": float("inf")}}})

    (record,) = build(settings, plugins=False, objects={"mine": Plugin(settings=Own)}).records

    assert isinstance(record.error, PluginSettingsError)
    assert "plugins.mine.wait must be a finite number" in record.error.message


def test_an_empty_text_means_not_set_where_a_setting_may_be_not_set(read: Read) -> None:
    settings = read(
        toml='title = ""\n[http]\npublic_url = ""\ntls_key = ""\n[lists]\npage_size = ""',
        MCPKIT_INSTRUCTIONS="",
        MCPKIT_TASKS__PATH="",
        MCPKIT_PLUGINS__WEATHER__CALL_TIMEOUT="",
    ).settings

    assert settings.model_dump(exclude={"plugins"}) == Settings().model_dump(exclude={"plugins"})
    assert settings.plugin("weather").call_timeout is None


def test_an_empty_list_of_allowed_plugins_allows_none(read: Read) -> None:
    assert read(MCPKIT_PLUGINS_ALLOW="").settings.plugins_allow == ()


def test_the_command_line_writes_lists_as_the_environment_does(read: Read) -> None:
    settings = read(
        overrides={
            ("transports",): "sse, stdio",
            ("http", "allowed_hosts"): "",
            ("plugins_allow",): ["weather"],
            ("name",): "a,b",
        }
    ).settings

    assert settings.transports == ("sse", "stdio")
    assert settings.http.allowed_hosts == ()
    assert settings.plugins_allow == ("weather",)
    assert settings.name == "a,b"


def test_an_empty_prefix_is_a_prefix(read: Read) -> None:
    assert read(MCPKIT_PLUGINS__WEATHER__PREFIX="").settings.plugin("weather").prefix == ""


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"MCPKIT_HTTP__PORT": ""}, "http.port must be an integer"),
        ({"MCPKIT_STRICT": ""}, "strict must be true or false"),
        ({"MCPKIT_NAME": ""}, "name must not be empty"),
        ({"MCPKIT_LOG_LEVEL": ""}, "log_level must be 'debug'"),
        ({"MCPKIT_PLUGINS": ""}, "plugins must be a table"),
        ({"MCPKIT_PLUGINS__WEATHER": ""}, "plugins.weather must be a table"),
        ({"MCPKIT_PLUGINS____UNITS": "x"}, "is no setting"),
        ({"MCPKIT_PLUGIN__WEATHER__UNITS": "x"}, "is no setting"),
        ({"toml": "http = 1"}, "http must be a table"),
        ({"toml": "[http]\ntls_key = 'x'"}, "http: needs tls_certificate and tls_key together"),
        ({"toml": "[http]\npath = 'mcp'"}, "http.path must be the path of a URL, such as /mcp"),
        ({"toml": "[http]\npath = '/a b'"}, "http.path must be the path of a URL"),
        ({"toml": "[http]\nsse_path = '/{x}'"}, "http.sse_path must be the path of a URL"),
        ({"toml": "[http]\nwebsocket_path = '//x'"}, "must be the path of a URL"),
        ({"toml": "[http]\nmessage_path = '/'"}, "http.message_path must begin and end with /"),
        ({"toml": "plugins_allow = 'weather'"}, "plugins_allow must be a list"),
        ({"toml": "[auth]\napi_keys = 1"}, "auth.api_keys must be a table"),
        ({"toml": "[auth.api_keys]\n'a.b' = 1"}, 'auth.api_keys."a.b" must be a string'),
        ({"toml": "[tasks]\npath = 1"}, "tasks.path must be a path"),
    ],
)
def test_what_is_wrong_is_said_without_jargon(read: Read, given: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(**given)

    assert said in caught.value.message
    for word in ("Input", "valid", "instance", "tuple", "dictionary", "pydantic", "[type="):
        assert word not in caught.value.message


def test_names_with_dots_are_names(read: Read) -> None:
    effective = read(
        toml=f'[auth.api_keys]\n"alice@example.com" = "{KEY}1"\n"a.b" = "{KEY}2"',
        overrides={("auth", "api_keys", "c.d"): f"{KEY}3"},
        MCPKIT_AUTH__API_KEYS=f'{{"e.f": "{KEY}4"}}',
    )

    keys = effective.settings.auth.api_keys
    assert list(keys) == ["alice@example.com", "a.b", "e.f", "c.d"]
    assert effective.origin("auth", "api_keys", "a.b") == "mcpkit.toml"
    assert effective.origin("auth", "api_keys", "c.d") == "command line"
    assert effective.origin("auth", "api_keys", "e.f") == "environment MCPKIT_AUTH__API_KEYS"


def test_a_section_of_several_sources_names_them_all(read: Read, folder: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        read(
            toml=f'[auth.api_keys]\nalice = "{KEY}"',
            MCPKIT_AUTH__API_KEYS__BOB=KEY,
        )

    assert caught.value.message == (
        "mcpkit.toml, environment MCPKIT_AUTH__API_KEYS__BOB: auth.api_keys: "
        "two clients have the same API key"
    )


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ({"toml": "[http]\nport = 'x'"}, "Change http.port in {folder}/mcpkit.toml"),
        ({"dotenv": "MCPKIT_HTTP__PORT=x"}, "Change MCPKIT_HTTP__PORT in {folder}/.env"),
        (
            {"MCPKIT_HTTP__PORT": "x"},
            "Change or unset the environment variable MCPKIT_HTTP__PORT",
        ),
        ({"overrides": {("http", "port"): "x"}}, "Change the option that sets http.port"),
        (
            {"pyproject": "[tool.mcpkit]\nhttp.port = 'x'"},
            "Change http.port in {folder}/pyproject.toml",
        ),
    ],
)
def test_the_hint_names_the_source_that_holds_the_mistake(
    read: Read, folder: Path, given: dict[str, Any], hint: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        read(**given)

    assert caught.value.hint == hint.format(folder=folder)


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("MCPKIT_PLUGINS__WEATHR__UNITS", "plugins.weathr belongs to no installed plugin"),
        ("mcpkit_plugins__Weathr__units", "plugins.weathr belongs to no installed plugin"),
        ("MCPKIT_PLUGINS_ALLOW", "plugins_allow: 'x' is no installed plugin"),
    ],
)
def test_a_plugin_that_is_not_installed_is_named_with_the_source(
    read: Read, variable: str, said: str
) -> None:
    effective = read(**{variable: "x"})

    with pytest.raises(SettingsError) as caught:
        build(effective.settings, origins=effective.origins)

    assert caught.value.message.startswith(f"environment {variable}: {said}")
    hint = str(caught.value.hint).lower()
    assert f"change or unset the environment variable {variable}".lower() in hint
    assert "install mcpkit-plugin-" in hint


class Units(PluginSettings):
    units: int = 1


@pytest.mark.parametrize("key", ["units", "unit"])
def test_the_hint_of_a_plugins_mistake_names_its_source(read: Read, key: str) -> None:
    variable = f"MCPKIT_PLUGINS__MINE__{key.upper()}"
    effective = read(**{variable: "x"})
    objects = {"mine": Plugin(settings=Units)}

    app = build(effective.settings, plugins=False, objects=objects, origins=effective.origins)

    (record,) = app.records
    assert record.error is not None
    assert variable in record.error.message
    assert record.error.hint == f"Change or unset the environment variable {variable}"


def test_thousands_of_mistakes_are_told_in_part_and_soon(read: Read) -> None:
    with pytest.raises(SettingsError) as caught:
        read(toml="".join(f"key{number} = 1\n" for number in range(20_000)))

    assert "and 19990 more" in caught.value.message
    assert len(caught.value.message) < 2000
