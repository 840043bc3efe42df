"""Masking of single values, types, messages and command lines."""

import enum
from datetime import date
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, NewType

import pytest
from pydantic import AnyUrl, BaseModel, ConfigDict, Field, SecretStr

from mcpkit.core.settings import PluginSection, Settings
from mcpkit.core.settings.masking import (
    MASK,
    mask,
    mask_arguments,
    mask_message,
    mask_section,
    mask_settings,
    sounds_secret,
)


class Color(enum.Enum):
    RED = "red"


class Open(BaseModel):
    word: str = "x"


class Closed(BaseModel):
    word: str = Field("x", repr=False)


Made = NewType("Made", str)


class Kinds(BaseModel):
    """Fields of types that can hold no secret, then of types that can."""

    literal: Literal["a"]
    annotated: list[Annotated[str, Field(max_length=9)]]
    either: str | None
    several: tuple[int, ...]
    mapping: dict[str, list[float]]
    model: Open
    url: AnyUrl
    color: Color
    nothing: None

    anything: Any
    raw: bytes
    made: Made
    pair: tuple[str, SecretStr]
    hidden: Closed
    models: list[Closed]
    unseen: str = Field(repr=False)
    password: str
    spelt: SecretStr = Field(alias="other")


class Given(BaseModel):
    model_config = ConfigDict(extra="allow")

    api_key: str = "k"
    named: dict[str, str] = Field(default_factory=lambda: {"token": "t", "plain": "p"})
    spelt: str = Field("s", alias="other")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        *((None, None), (True, True), (7, 7), (1.5, 1.5), (Decimal("1.5"), Decimal("1.5"))),
        *(("plain", "plain"), (Color.RED, "red"), (PurePosixPath("/a"), "/a")),
        (date(2026, 1, 2), "2026-01-02"),
        *((b"raw", MASK), (object(), MASK), (SecretStr("x"), MASK)),
        ({"a": ("x", {"y"}), 1: frozenset({"z"})}, {"a": ["x", ["y"]], "1": ["z"]}),
        ("https://me@host", f"https://{MASK}@host"),
    ],
)
def test_a_value_is_shown_as_json_unless_nothing_is_known_of_it(value: Any, shown: Any) -> None:
    assert mask(value) == shown


def test_a_secret_hides_texts_and_numbers_at_any_depth() -> None:
    value = {"a": ["x", {"b": "y", "n": 1}], "model": Open()}

    assert mask(value, secret=True) == {
        "a": [MASK, {"b": MASK, "n": MASK}],
        "model": {"word": MASK},
    }


def test_names_make_secrets_where_they_are_asked_to() -> None:
    value = {"api_key": "x", "deep": [{"token": ["y"], "plain": "z"}]}

    assert mask(value) == value
    assert mask(value, by_name=True) == {"api_key": MASK, "deep": [{"token": [MASK], "plain": "z"}]}


def test_a_model_is_shown_by_its_aliases_with_what_is_unknown_hidden() -> None:
    model = Given.model_validate({"more": {"a": ["x", None, True, 1]}})

    shown = mask({"in": [model]}, by_name=True)["in"][0]

    assert shown == {
        "api_key": MASK,
        "named": {"token": MASK, "plain": "p"},
        "other": "s",
        "more": {"a": [MASK, None, True, MASK]},
    }
    assert mask(model)["api_key"] == "k"


def test_the_servers_settings_leave_plugins_out_and_a_section_shows_the_hosts_part() -> None:
    shown = mask_section(PluginSection.model_validate({"prefix": "w", "own": "x"}), None, None)

    assert "plugins" not in mask_settings(Settings())
    assert (shown["prefix"], shown["own"]) == ("w", MASK)


def test_a_section_that_does_not_fit_shows_fields_of_plain_types_only() -> None:
    plain = ("literal", "annotated", "either", "several", "mapping", "model", "url", "color")
    secret = ("anything", "raw", "made", "pair", "hidden", "models", "unseen", "password", "other")
    section = PluginSection.model_validate(dict.fromkeys((*plain, "nothing", *secret), "value"))

    shown = mask_section(section, Kinds, None)

    assert {name: shown[name] for name in (*plain, "nothing")} == dict.fromkeys(
        (*plain, "nothing"), "value"
    )
    assert {name: shown[name] for name in secret} == dict.fromkeys(secret, MASK)


class Counts(BaseModel):
    """Fields whose names have the word of a secret in them, though not at their ends."""

    token_count: int = 7
    key_length: float | None = 1.5
    cookie_size: Annotated[int, Field(ge=0)] | None = 8
    token_words: dict[str, str] = Field(default_factory=lambda: {"a": "b"})
    key_either: int | str = 9
    token_note: Annotated[str, Field(max_length=9)] = "note"
    door_key: Annotated[int, Field(ge=0)] = 4711


def test_numbers_are_secrets_by_the_end_of_their_names_and_texts_by_any_part() -> None:
    shown = mask(Counts(), by_name=True)

    assert (shown["token_count"], shown["key_length"], shown["cookie_size"]) == (7, 1.5, 8)
    assert shown["token_words"] == {"a": MASK}
    assert [shown[name] for name in ("key_either", "token_note", "door_key")] == [MASK] * 3


def test_names_within_a_field_of_texts_make_secrets_where_a_section_does_not_fit() -> None:
    section = PluginSection.model_validate({"named": {"token": "x", "plain": "y"}})

    assert mask_section(section, Given, None)["named"] == {"token": MASK, "plain": "y"}


@pytest.mark.parametrize(
    ("message", "path", "values", "shown"),
    [
        ("hunter2 is bad", ("other",), {"other": "hunter2"}, f"{MASK} is bad"),
        ("four or abc", ("other",), {"other": ["four", "abc"]}, f"{MASK} or abc"),
        ("12345 1.25 true", ("other",), {"other": {"a": (12345, 1.25)}}, f"{MASK} {MASK} true"),
        ("long-longer", ("other",), {"other": ["long", "long-longer"]}, MASK),
        ("azzzzb", ("other",), {"other": ["zzzz", "azzzzb"]}, MASK),
        ("secret", ("password",), {"password": "secret"}, MASK),
        ("value", ("either", 0), {"either": "value"}, "value"),
        ("value", ("unknown",), {"unknown": "value"}, MASK),
        ("value", ("either",), {"password": "value"}, "value"),
        ("value", ("password",), {"either": "value"}, "value"),
        ("value and more", (), {"either": "value", "other": "more"}, f"{MASK} and {MASK}"),
        ("see https://me@host", ("either",), {}, f"see https://{MASK}@host"),
        ("value", ("unseen",), {"unseen": "value"}, MASK),
    ],
)
def test_a_message_loses_what_its_field_holds_unless_that_is_plain(
    message: str, path: tuple[str | int, ...], values: dict[str, Any], shown: str
) -> None:
    assert mask_message(message, path, values, Kinds) == shown


@pytest.mark.parametrize(
    ("argument", "shown"),
    [
        ("http.port=1", "http.port=1"),
        ("http.nothing=1", f"http.nothing={MASK}"),
        ("http=1", f"http={MASK}"),
        ("http.port.deep=1", "http.port.deep=1"),
        ("http.tls_key_password=x", f"http.tls_key_password={MASK}"),
        ("plugins=x", f"plugins={MASK}"),
        ("plugins.a=x", f"plugins.a={MASK}"),
        ("plugins.a.prefix=x", "plugins.a.prefix=x"),
        ("plugins.a.prefix.deep=x", f"plugins.a.prefix.deep={MASK}"),
        ("http.public_url=https://me@host", f"http.public_url=https://{MASK}@host"),
        ("no assignment", MASK),
    ],
)
def test_an_assignment_shows_settings_of_the_host_that_are_plain(argument: str, shown: str) -> None:
    assert mask_arguments(["--set", argument]) == ["--set", shown]
    assert mask_arguments([f"--set={argument}"]) == [f"--set={shown}"]


def test_arguments_of_other_options_are_no_assignments() -> None:
    assert mask_arguments(["--name", "plugins.a=x", "--set"]) == ["--name", "plugins.a=x", "--set"]


@pytest.mark.parametrize("word", ["key", "API_TOKEN", "clientSecret", "passwd", "Cookies"])
def test_names_with_such_a_word_sound_secret(word: str) -> None:
    assert sounds_secret(word)
    assert not sounds_secret("pass")
