"""What is wrong with a value, without pydantic's jargon."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import AfterValidator, BaseModel, Field, HttpUrl, TypeAdapter, ValidationError

from mcpkit.core.wording import describe_errors, say_setting


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Inner(BaseModel):
    depth: int


def _refuse(value: str) -> str:
    raise ValueError("the moon is full")


WRONG: list[tuple[Any, Any, str]] = [
    (int, "x", "must be an integer"),
    (int, 1.5, "must be an integer"),
    (int, "9" * 5000, "must be an integer of fewer digits"),
    (float, "x", "must be a number"),
    (Annotated[float, Field(allow_inf_nan=False)], float("inf"), "must be a finite number"),
    (bool, "x", "must be true or false"),
    (str, 1, "must be a string"),
    (tuple[str, ...], "x", "must be a list"),
    (dict[str, int], "x", "must be an object"),
    (Inner, "x", "must be an object"),
    (Inner, {}, "is required"),
    (Path, 1, "must be a path"),
    (date, "x", "must be a date such as 2026-11-21"),
    (datetime, "x", "must be a date and time such as 2026-11-21T10:00:00Z"),
    (time, "x", "must be a time such as 10:00"),
    (timedelta, "x", "must be a duration such as P1DT2H"),
    (UUID, "x", "must be a UUID"),
    (HttpUrl, "x", "must be a URL such as https://example.org"),
    (HttpUrl, "ftp://x", "must be a URL that begins with 'http' or 'https'"),
    (Annotated[int, Field(gt=1)], 1, "must be greater than 1"),
    (Annotated[int, Field(ge=1)], 0, "must be at least 1"),
    (Annotated[int, Field(le=1)], 2, "must be at most 1"),
    (Annotated[int, Field(lt=1)], 1, "must be less than 1"),
    (Annotated[str, Field(min_length=1)], "", "must not be empty"),
    (Annotated[str, Field(min_length=3)], "ab", "must have at least 3 characters"),
    (Annotated[str, Field(max_length=1)], "ab", "must have at most 1 characters"),
    (Annotated[list[int], Field(max_length=1)], [1, 2], "must have at most 1 items"),
    (Annotated[str, Field(pattern="^a$")], "b", "must match the pattern ^a$"),
    (Literal["a", "b"], "c", "must be 'a' or 'b'"),
    (Colour, "green", "must be 'red' or 'blue'"),
    (int | str, [], "must be an integer or a string"),
    (int | list[int], "x", "must be an integer or a list"),
    (Annotated[str, AfterValidator(_refuse)], "x", "the moon is full"),
]


def problem_of(kind: Any, value: Any) -> tuple[tuple[str | int, ...], str]:
    given = {"section": {"key": value}}
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(Mapping[str, Mapping[str, kind]]).validate_python(given)
    (problem,) = describe_errors(caught.value, given=given)
    return problem.path, problem.message


@pytest.mark.parametrize(("kind", "value", "said"), WRONG, ids=lambda part: str(part)[:40])
def test_problems_are_told_in_plain_words(kind: Any, value: Any, said: str) -> None:
    path, message = problem_of(kind, value)

    assert message == said
    assert path[:2] == ("section", "key")
    assert path[2:] in {(), ("depth",)}


def test_paths_name_places_and_not_the_types_that_were_tried() -> None:
    given = {"section": {"key": {"a": "x"}}}
    kind = Mapping[str, Mapping[str, list[int] | dict[str, int]]]

    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(given)

    problems = describe_errors(caught.value, given=given)
    assert {problem.path for problem in problems} == {("section", "key"), ("section", "key", "a")}


def test_a_setting_is_told_in_the_words_of_toml() -> None:
    assert say_setting("http", "must be an object") == "http must be a table"
    assert say_setting("a.b", "the moon is full") == "a.b: the moon is full"
