"""Schemas: a tool that brings its own JSON Schemas (2020-12) instead of a signature.

What clients list is the schema to the letter; arguments are validated against it before the
function runs, and results after it. References to other documents are refused: nothing is fetched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError, best_match
from mcp.shared.inbound import find_invalid_x_mcp_header
from referencing import Registry, Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from mcpkit.core.errors import ArgumentsError, OutputError, PluginContractError
from mcpkit.core.suggestions import shortened

Check = Callable[[Mapping[str, Any]], None]
"""Raises an error for arguments or results that the schema forbids."""

LONGEST = 300
"""Characters of the longest message."""

PROBLEMS = 3
"""Most problems that one error tells: the model mends them one call at a time."""


def check_input_schema(tool: str, schema: Mapping[str, Any]) -> None:
    """Make sure that a schema can describe the arguments of a tool.

    Raises:
        PluginContractError: It is no JSON Schema, not one of an object, refers to what it does not
            hold, or its `x-mcp-header` annotations break the rules (SEP-2243).
    """
    what = f"The input schema of its tool {tool!r}"
    _check_schema(what, schema)
    problem = find_invalid_x_mcp_header(schema)
    if problem is not None:
        hint = "Annotate string, integer or boolean properties, each with a header of its own"
        raise PluginContractError(f"{what} has a bad x-mcp-header: {problem}", hint=hint)


def checker(tool: str, schema: Mapping[str, Any]) -> Check:
    """Make the check of a tool's arguments.

    Raises:
        PluginContractError: The schema cannot be used.
    """
    check_input_schema(tool, schema)
    validator = _validator(schema)

    def check(arguments: Mapping[str, Any]) -> None:
        errors = list(validator.iter_errors(dict(arguments)))
        if errors:
            best = best_match(errors)
            rest = [error for error in errors if error is not best]
            raise ArgumentsError("; ".join(map(_sentence, [best, *rest][:PROBLEMS])))

    return check


def output_checker(tool: str, schema: Mapping[str, Any]) -> Check:
    """Make the check of a tool's results.

    Raises:
        PluginContractError: The schema cannot be used.
    """
    _check_schema(f"The output schema of its tool {tool!r}", schema)
    validator = _validator(schema)

    def check(result: Mapping[str, Any]) -> None:
        error = best_match(validator.iter_errors(result))
        if error is not None:
            note = "" if error.instance is not None else "; NaN and infinity become null in JSON"
            told = f"{_sentence(error)}{note}"
            raise OutputError(f"It returned what its output schema forbids: {told}")

    return check


def _validator(schema: Mapping[str, Any]) -> Draft202012Validator:
    nothing_else: Registry[Any] = Registry()
    return Draft202012Validator(dict(schema), registry=nothing_else)


def _check_schema(what: str, schema: Mapping[str, Any]) -> None:
    """Make sure that a schema is JSON Schema of an object, and holds all that it refers to."""
    try:
        Draft202012Validator.check_schema(dict(schema))
    except SchemaError as exc:
        hint = "Write JSON Schema 2020-12"
        raise PluginContractError(f"{what} is no JSON Schema: {exc.message}", hint=hint) from exc
    if schema.get("type") != "object":
        raise PluginContractError(f"{what} is not of type 'object'", hint='Add "type": "object"')
    _check_references(what, schema)


def _check_references(what: str, schema: Mapping[str, Any]) -> None:
    whole = Resource.from_contents(dict(schema), default_specification=DRAFT202012)
    uri = whole.id() or ""
    registry: Registry[Any] = Registry().with_resource(uri, whole).crawl()
    resolver = registry.resolver(uri)
    for reference in _references(schema):
        try:
            resolver.lookup(reference)
        except Unresolvable as exc:
            raise PluginContractError(
                f"{what} refers to {reference!r}, which it does not hold",
                hint="Put what it refers to under $defs",
            ) from exc


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"]
        for key, value in schema.items():
            if key not in {"const", "enum", "default", "examples"}:
                yield from _references(value)
    elif isinstance(schema, list | tuple):
        for value in schema:
            yield from _references(value)


def _sentence(error: ValidationError) -> str:
    path = shortened(error.json_path.removeprefix("$").removeprefix("."))
    message = shortened(error.message, LONGEST)  # it quotes what was given
    return f"{path}: {message}" if path else message
