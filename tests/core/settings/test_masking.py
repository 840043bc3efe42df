"""Secrets in settings: masked wherever settings are shown, by type, by name and in URLs."""

import dataclasses
import json
import time
from typing import Any

import pytest
from pydantic import (
    AnyUrl,
    BaseModel,
    ConfigDict,
    Field,
    PostgresDsn,
    Secret,
    SecretBytes,
    SecretStr,
    field_validator,
)

from mcpkit import Plugin, PluginSettings
from mcpkit.core.assembly import build
from mcpkit.core.settings import PluginSection, Settings
from mcpkit.core.settings.describing import describe_settings
from mcpkit.core.settings.masking import (
    MASK,
    mask_arguments,
    mask_section,
    mask_settings,
    mask_text,
)
from mcpkit.core.settings.schema import settings_schema
from mcpkit.core.settings.template import settings_template

SECRET = "hunter2-hunter2"
KEY = "a-key-of-good-length-0123456789"


class Account(BaseModel):
    user: str = "me"
    code: SecretStr
    codes: dict[str, SecretStr | str] = Field(default_factory=dict)


@dataclasses.dataclass
class Card:
    number: str


class Own(PluginSettings):
    model_config = ConfigDict(arbitrary_types_allowed=True)

    one: SecretStr = SecretStr(SECRET)
    raw: SecretBytes = SecretBytes(SECRET.encode())
    generic: Secret[int] = Secret(42)
    by_name: dict[str, SecretStr] = Field({"a": SecretStr(SECRET)})
    several: list[SecretStr] = Field([SecretStr(SECRET)])
    deep: dict[str, list[tuple[SecretStr, int]]] = Field({"a": [(SecretStr(SECRET), 1)]})
    either: SecretStr | str = SECRET
    account: Account = Account(code=SecretStr(SECRET), codes={"x": SECRET})
    accounts: list[Account] = Field([Account(code=SecretStr(SECRET))])
    url: str = f"https://me:{SECRET}@example.org/path"
    dsn: PostgresDsn = PostgresDsn(f"postgres://me:{SECRET}@example.org/db")
    link: AnyUrl = AnyUrl(f"https://example.org/?page=1&access_token={SECRET}")
    api_key: str = SECRET
    headers: dict[str, str] = Field({"Authorization": SECRET, "Accept": "text/html"})
    hidden: str = Field(SECRET, repr=False)
    blob: bytes = SECRET.encode()
    card: Card = Card(SECRET)
    max_tokens: int = 5
    door_code: int = Field(4711, repr=False)
    numeric_password: int | None = 4711
    numbers: dict[str, int] = Field({"token": 4711, "one": 1})
    plain: str = "shown"


class Loose(BaseModel):
    """Without the defaults of PluginSettings: pydantic shows what it was given."""

    model_config = ConfigDict(extra="allow")

    pin: SecretStr = Field(SecretStr("1234"), min_length=4)
    password: str = ""
    count: int = 1

    @field_validator("password")
    @classmethod
    def _known(cls, value: str) -> str:
        raise ValueError(f"{value} is not known")


def test_a_plugins_secrets_are_masked_wherever_they_are_nested() -> None:
    shown = mask_section(PluginSection(), Own, Own())

    assert SECRET not in json.dumps(shown)
    assert 42 not in shown.values()
    assert shown["by_name"] == {"a": MASK}
    assert shown["several"] == [MASK]
    assert shown["deep"] == {"a": [[MASK, MASK]]}
    assert shown["account"] == {"user": "me", "code": MASK, "codes": {"x": MASK}}
    assert shown["url"] == f"https://{MASK}@example.org/path"
    assert shown["dsn"] == f"postgres://{MASK}@example.org/db"
    assert shown["link"] == f"https://example.org/?page=1&access_token={MASK}"
    assert shown["headers"] == {"Authorization": MASK, "Accept": "text/html"}
    assert "4711" not in json.dumps(shown)
    assert shown["numbers"] == {"token": MASK, "one": 1}
    assert (shown["max_tokens"], shown["plain"]) == (5, "shown")


def test_the_servers_secrets_are_masked() -> None:
    settings = Settings.model_validate(
        {
            "auth": {"api_keys": {"a.b": KEY}},
            "request_state": {"keys": [f"{SECRET}{KEY}"]},
            "http": {"public_url": f"https://me:{SECRET}@example.org", "tls_key_password": SECRET}
            | {"tls_key": "key.pem", "tls_certificate": "certificate.pem"},
        }
    )

    shown = mask_settings(settings)

    assert KEY not in json.dumps(shown)
    assert SECRET not in json.dumps(shown)
    assert shown["auth"] == {"api_keys": {"a.b": MASK}}
    assert shown["http"]["tls_key"] == "key.pem"


@pytest.mark.parametrize(
    ("model", "values", "plain"),
    [
        (None, {"a": SECRET, "b": {"c": [SECRET]}, "d": 4242, "on": True}, {"on": True}),
        (Own, {"one": SECRET, "plain": "shown", "typo": SECRET}, {"plain": "shown"}),
        (
            Own,
            {"account": {"user": SECRET, "code": SECRET}, "max_tokens": 6},
            {"max_tokens": 6},
        ),
        (Own, {"several": SECRET, "api_key": SECRET, "card": SECRET, "either": SECRET}, {}),
        (Own, {"api_key": 4242, "door_code": 4242, "numeric_password": 4242}, {}),
        (Own, {"url": f"https://{SECRET}@example.org"}, {"url": f"https://{MASK}@example.org"}),
    ],
)
def test_a_section_that_does_not_fit_shows_only_what_is_known_to_be_plain(
    model: Any, values: dict[str, Any], plain: dict[str, Any]
) -> None:
    shown = mask_section(PluginSection.model_validate(values), model, None)

    assert SECRET not in json.dumps(shown)
    assert "4242" not in json.dumps(shown)
    assert {name: shown[name] for name in plain} == plain
    assert set(values) <= set(shown)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("https://example.org/@user/x?a=b#c", "https://example.org/@user/x?a=b#c"),
        ("https://token@example.org/x", f"https://{MASK}@example.org/x"),
        ("https://me:pass/w@rd@example.org", f"https://{MASK}@example.org"),
        ("postgres://u:p@one:1,u:q@two:2/db", f"postgres://{MASK}@two:2/db"),
        ("redis://:secret@host/0", f"redis://{MASK}@host/0"),
        ("host=x password='a b' user=y", f"host=x password={MASK} user=y"),
        ("https://h/?sig=abc&x=1;api-key=z", f"https://h/?sig={MASK}&x=1;api-key={MASK}"),
        ("me@example.org", "me@example.org"),
        ("url=https://me:p@h/?x=1&token=y", f"url=https://{MASK}@h/?x=1&token={MASK}"),
        ("url=https://h/?token=y", f"url=https://h/?token={MASK}"),
        ("design=blue", "design=blue"),
    ],
)
def test_urls_lose_their_users_and_their_tokens(text: str, masked: str) -> None:
    assert mask_text(text) == masked


@pytest.mark.parametrize("part", ["key", "://:", "://@", "http://a:", ";key='", "?token-"])
def test_long_texts_of_others_are_masked_soon(part: str) -> None:
    began = time.process_time()

    mask_text(part * 10_000)

    assert time.process_time() - began < 1


def test_command_lines_lose_what_is_set_to_secrets() -> None:
    arguments = [
        *("serve", "--set", f"auth.api_keys.x={SECRET}", "--set", "http.port=1"),
        *(f'--set=auth={{"api_keys": {{"x": "{SECRET}"}}}}', f"--set=plugins.weather.x={SECRET}"),
        *("--set", "plugins.weather.prefix=w", "--set", SECRET),
        *("--public-url", f"https://me:{SECRET}@example.org", "--set", f"unknown={SECRET}"),
    ]

    assert mask_arguments(arguments) == [
        *("serve", "--set", f"auth.api_keys.x={MASK}", "--set", "http.port=1"),
        *(f"--set=auth={MASK}", f"--set=plugins.weather.x={MASK}"),
        *("--set", "plugins.weather.prefix=w", "--set", MASK),
        *("--public-url", f"https://{MASK}@example.org", "--set", f"unknown={MASK}"),
    ]


def test_what_describes_settings_shows_no_secret_default() -> None:
    schema = json.dumps(settings_schema({"own": Own}))
    template = settings_template({"own": Own})
    described = json.dumps([setting.to_json() for setting in describe_settings(Own)])

    for text in (schema, template, described):
        assert f"me:{SECRET}" not in text
    for text in (template, described):
        assert SECRET not in text


@pytest.mark.parametrize(
    "values",
    [
        {"pin": "abc"},
        {"password": SECRET},
        {"count": SECRET},
        {"pin": [SECRET], "count": "x"},
    ],
)
def test_errors_of_a_plugins_model_do_not_quote_secrets(
    values: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    settings = Settings.model_validate({"plugins": {"mine": values}})

    app = build(settings, plugins=False, objects={"mine": Plugin(settings=Loose)})

    (record,) = app.records
    assert record.error is not None
    assert SECRET not in f"{record.error.message} {record.error.hint} {caplog.text}"
    assert "abc" not in caplog.text


class Broken(PluginSettings):
    token: SecretStr

    @field_validator("token")
    @classmethod
    def _crash(cls, token: SecretStr) -> SecretStr:
        raise RuntimeError(f"cannot use {token.get_secret_value()}")


def test_a_validator_that_crashes_is_told_by_place_and_not_by_its_words(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    settings = Settings.model_validate({"plugins": {"mine": {"token": SECRET}}})

    app = build(settings, plugins=False, objects={"mine": Plugin(settings=Broken)})

    (record,) = app.records
    assert record.error is not None
    assert "RuntimeError in test_masking.py:" in record.error.message
    assert SECRET not in caplog.text
