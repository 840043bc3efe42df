"""Pydantic's validation errors in plain words: no URLs, no jargon, never the input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from mcpkit.core.suggestions import shortened

LONGEST = 1000
"""Characters of the longest message; a validator's own may quote what it was given."""

MANY = 1000
"""Problems of one error that are looked at: pydantic makes records of all of them at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        path: Where, from the root: names and indices.
        message: What, as half a sentence without a capital.
        kind: pydantic's name of the kind of error.
    """

    path: tuple[str | int, ...]
    message: str
    kind: str


_PLAIN = {
    "missing": "is required",
    "extra_forbidden": "is not known",
    "unexpected_keyword_argument": "is not known",
    "int_type": "must be an integer",
    "int_parsing": "must be an integer",
    "int_parsing_size": "must be an integer of fewer digits",
    "int_from_float": "must be an integer",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "decimal_type": "must be a number",
    "decimal_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be a string",
    "string_sub_type": "must be a string",
    "string_unicode": "must be a string of UTF-8",
    "bytes_type": "must be a string",
    "none_required": "must not be set",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "set_type": "must be a list",
    "frozen_set_type": "must be a list",
    "iterable_type": "must be a list",
    "dict_type": "must be an object",
    "mapping_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "dataclass_type": "must be an object",
    "path_type": "must be a path",
    "date_type": "must be a date such as 2026-11-21",
    "date_parsing": "must be a date such as 2026-11-21",
    "date_from_datetime_parsing": "must be a date such as 2026-11-21",
    "date_from_datetime_inexact": "must be a date without a time",
    "datetime_type": "must be a date and time such as 2026-11-21T10:00:00Z",
    "datetime_parsing": "must be a date and time such as 2026-11-21T10:00:00Z",
    "datetime_from_date_parsing": "must be a date and time such as 2026-11-21T10:00:00Z",
    "time_type": "must be a time such as 10:00",
    "time_parsing": "must be a time such as 10:00",
    "time_delta_type": "must be a duration such as P1DT2H",
    "time_delta_parsing": "must be a duration such as P1DT2H",
    "url_type": "must be a URL such as https://example.org",
    "url_parsing": "must be a URL such as https://example.org",
    "uuid_type": "must be a UUID",
    "uuid_parsing": "must be a UUID",
    "json_type": "must be JSON",
    "json_invalid": "must be JSON",
}
"""What is said of each kind of error that has nothing more to tell."""

_FORMS = {
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must match the pattern {pattern}",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "too_long": "must have at most {max_length} items",
    "url_scheme": "must be a URL that begins with {expected_schemes}",
    "union_tag_invalid": "must have a {discriminator} of {expected_tags}",
    "union_tag_not_found": "must have a {discriminator}",
}
"""The same with the limits that pydantic tells."""

_OWN_WORDS = ("Value error, ", "Assertion failed, ")


def describe_errors(
    error: ValidationError, *, most: int | None = None, given: Any = None
) -> list[Problem]:
    """List what a validation error found, in pydantic's order.

    Args:
        error: What pydantic raised.
        most: How many of its problems are wanted; None for all.
        given: What was validated. With it, a value that fits none of several types is one problem,
            and paths name places in it alone, not the types that were tried.
    """
    if (count := error.error_count()) > MANY:
        text = f"there are {count} problems, too many to list"
        return [Problem(path=(), message=text, kind="many")]
    found: dict[tuple[str | int, ...], Problem] = {}
    for item in error.errors(include_url=False, include_input=False):
        path = item["loc"]
        if given is not None:
            place = _place(path, given)
            path = (*place, path[-1]) if item["type"] == "missing" else place
        if len(found) == most and path not in found:
            break  # what a client sent may have a hundred thousand
        message = _message(item["type"], item["msg"], item.get("ctx", {}))
        if path in found:
            message = _either(found[path].message, message)
        found[path] = Problem(path=path, message=shortened(message, LONGEST), kind=item["type"])
    return list(found.values())


def say_setting(path: str, message: str) -> str:
    """Say what is wrong with a setting, in the words of TOML."""
    if not path:
        return message
    glue = " " if message.startswith(("must ", "is ")) else ": "
    return f"{path}{glue}{message.replace('an object', 'a table')}"


def _message(kind: str, message: str, context: Mapping[str, Any]) -> str:
    if kind in _PLAIN:
        return _PLAIN[kind]
    if kind in _FORMS:
        return _FORMS[kind].format(**context)
    if kind in {"string_too_short", "too_short"}:
        least = context["min_length"]
        what = "characters" if kind == "string_too_short" else "items"
        return "must not be empty" if least == 1 else f"must have at least {least} {what}"
    for prefix in _OWN_WORDS:
        if message.startswith(prefix):
            return message.removeprefix(prefix)
    plain = message.removeprefix("Input ").replace("should ", "must ", 1)
    return plain[:1].lower() + plain[1:]


def _either(first: str, second: str) -> str:
    """Join what is wrong according to two of the types that a value may have."""
    if second in first:
        return first
    return f"{first} or {second.removeprefix('must be ')}"


def _place(path: tuple[str | int, ...], given: Any) -> tuple[str | int, ...]:
    """The part of a path that leads into a value, without the types that pydantic puts there."""
    place: list[str | int] = []
    for part in path:
        if _is_in(given, part):
            place.append(part)
            given = given[part]
    return tuple(place)


def _is_in(given: Any, part: str | int) -> bool:
    if isinstance(given, list | tuple):
        return isinstance(part, int) and part < len(given)
    return isinstance(given, Mapping) and part in given
