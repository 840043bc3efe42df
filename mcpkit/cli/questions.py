"""Questions of a tool to its user (elicitation): answered by `--answer`, or on the terminal.

In comes the form of a question, a flat JSON Schema; out goes what its user accepts, or that the
user declines or cancels it (specification, client/elicitation).
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click

from mcpkit.cli.arguments import parse_pairs, typed_arguments
from mcpkit.cli.output import print_line, print_text
from mcpkit.core.errors import MCPKitError

if TYPE_CHECKING:  # importing the SDK costs: only calls need it
    import mcp_types as types

ACTIONS = ("accept", "decline", "cancel")
"""Answers to a whole question: `accept` takes all defaults."""

answer_option = click.option(
    "--answer",
    "answers",
    multiple=True,
    metavar="NAME=VALUE",
    help="The answer to a question of the tool, instead of asking on the terminal; or accept, "
    "decline or cancel. Repeatable.",
)


_PYTHON_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "string": str,
    "array": list,
}


class _Decided(Exception):  # noqa: N818  # it is no error
    """The user accepted, declined or cancelled a whole question."""


class Questions:
    """Answers questions; what cannot be answered is kept in `failure`.

    Args:
        answers: What `--answer` gives.

    Raises:
        click.BadParameter: One of them is neither NAME=VALUE nor an action.
    """

    def __init__(self, answers: Iterable[str]) -> None:
        given = list(answers)
        actions = [text for text in given if text in ACTIONS]
        self._action = actions[0] if actions else None
        self._texts = parse_pairs((text for text in given if text not in ACTIONS), "--answer")
        self.failure: MCPKitError | None = None

    async def answer(self, context: Any, params: Any) -> types.ElicitResult | types.ErrorData:
        """Answer one question, as the `elicitation_callback` of the SDK's client."""
        import mcp_types as types

        try:
            if params.mode == "url":
                await self._visit(params)
                return types.ElicitResult(action="accept")
            content = await self._fill_in(params.message, params.requested_schema)
            return types.ElicitResult(action="accept", content=content)
        except _Decided as decided:
            return types.ElicitResult(action=decided.args[0])
        except MCPKitError as exc:
            self.failure = exc
            return types.ErrorData(code=types.INVALID_REQUEST, message=exc.message)

    async def _visit(self, params: Any) -> None:
        """Ask the user to do something at a URL."""
        if self._action is None:
            _require_terminal(params.message, f"Visit {params.url}, then pass --answer accept")
            print_text(f"{params.message}\n{params.url}", err=True)
            if not await _ask_yes_or_no("Done?"):
                raise _Decided("decline")
        elif self._action != "accept":
            raise _Decided(self._action)

    async def _fill_in(self, message: str, schema: Mapping[str, Any]) -> dict[str, Any]:
        """Fill in a form."""
        if self._action in {"decline", "cancel"}:
            raise _Decided(self._action)
        fields: Mapping[str, Any] = schema.get("properties") or {}
        texts = {name: text for name, text in self._texts.items() if name in fields}
        content = {
            name: _checked(name, value, fields[name])
            for name, value in typed_arguments(texts, schema).items()
        }
        required = schema.get("required") or ()
        left = [name for name in fields if name not in content]
        if content or self._action == "accept":
            defaults = {name: fields[name]["default"] for name in left if "default" in fields[name]}
            content |= defaults
            left = [name for name in required if name not in content]
            if not left:
                return content
        example = "".join(f" --answer {shlex.quote(name)}=…" for name in left)
        _require_terminal(message, f"Pass{example or ' --answer accept'}, or --answer decline")
        print_text(message, err=True)
        if not fields and not await _ask_yes_or_no("Accept?"):
            raise _Decided("decline")
        if fields:
            print_line("(:d declines, :c cancels, an empty line takes the default)", err=True)
        for name in left:
            value = await _ask_field(name, fields[name], required=name in required)
            if value is not None:
                content[name] = value
        return content


def _require_terminal(message: str, hint: str) -> None:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise MCPKitError(
            f"The tool asks, and there is no terminal to answer on: {message}", hint=hint
        )


async def _ask_yes_or_no(text: str, *, default: bool | None = None) -> bool:
    while True:
        line = (await _ask(f"{text} [y/n]")).casefold()
        if not line and default is not None:
            return default
        if line in {"y", "yes", "true"}:
            return True
        if line in {"n", "no", "false"}:
            return False
        print_line("Please answer y or n", err=True)


async def _ask_field(name: str, schema: Mapping[str, Any], *, required: bool) -> Any:
    """Ask for one field until its answer fits; None leaves it out."""
    print_line(_label(name, schema, required), err=True)
    choices = _choices(schema)
    for number, (value, title) in enumerate(choices, 1):
        print_line(f"  {number}. {value}" + (f" ({title})" if title != value else ""), err=True)
    while True:
        line = await _ask("")
        if not line and "default" in schema:
            return schema["default"]
        if not line and not required:
            return None
        try:
            return _checked(name, _read(name, line, schema, choices), schema)
        except (MCPKitError, click.BadParameter) as exc:
            print_line(exc.message, err=True)


def _label(name: str, schema: Mapping[str, Any], required: bool) -> str:
    """The line that asks for one field: its title, description, kind and default."""
    title, description = schema.get("title") or name, schema.get("description")
    kind = {"boolean": "y/n", "array": "several, with commas"}.get(schema.get("type", ""))
    kind = kind or (None if _choices(schema) else schema.get("type"))
    default = json.dumps(schema["default"], ensure_ascii=False) if "default" in schema else None
    notes = [kind, f"default {default}" if default else None if required else "optional"]
    told = f"{title}: {description}" if description else title
    return f"{told} ({', '.join(filter(None, notes))})" if any(notes) else told


def _choices(schema: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The values that may be chosen, with what they are called (SEP-1330)."""
    schema = schema.get("items") or schema
    titled = schema.get("oneOf") or schema.get("anyOf") or ()
    if titled:
        return [(str(one["const"]), str(one.get("title", one["const"]))) for one in titled]
    values = [str(value) for value in schema.get("enum") or ()]
    return list(zip(values, schema.get("enumNames") or values, strict=False))


def _read(name: str, line: str, schema: Mapping[str, Any], choices: list[tuple[str, str]]) -> Any:
    """Read what was typed as the field's type; choices by number or value."""
    kind = schema.get("type")
    if kind == "boolean" and line.casefold() in {"y", "yes", "n", "no"}:
        return line.casefold() in {"y", "yes"}
    words = [word.strip() for word in line.split(",")] if kind == "array" else [line]
    numbers = {str(number): value for number, (value, _) in enumerate(choices, 1)}
    words = [numbers.get(word, word) for word in words]
    if kind == "array":
        return [word for word in words if word]
    return typed_arguments({name: words}, {"properties": {name: schema}})[name]


def _checked(name: str, value: Any, schema: Mapping[str, Any]) -> Any:
    """Check an answer against its field.

    Raises:
        MCPKitError: It does not fit; the message tells what would.
    """
    choices = [choice for choice, _ in _choices(schema)]
    wrong = [item for item in (value if isinstance(value, list) else [value]) if choices]
    if any(str(item) not in choices for item in wrong):
        raise MCPKitError(f"{name} must be one of {', '.join(choices)}")
    kind = schema.get("type", "")
    fits = isinstance(value, _PYTHON_TYPES.get(kind, object))
    if not fits or (isinstance(value, bool) and kind in {"integer", "number"}):
        raise MCPKitError(f"{name} must be {'an' if kind[0] in 'ai' else 'a'} {kind}")
    low, high = schema.get("minimum"), schema.get("maximum")
    if kind in {"integer", "number"} and not (
        (low is None or value >= low) and (high is None or value <= high)
    ):
        limits = [(low, "at least"), (high, "at most")]
        told = " and ".join(f"{word} {limit}" for limit, word in limits if limit is not None)
        raise MCPKitError(f"{name} must be {told}")
    return value


async def _ask(text: str) -> str:
    """Read one line from the terminal; Ctrl-D cancels."""
    import anyio

    sys.stderr.write(f"{text}> ")
    sys.stderr.flush()
    # No thread: one that reads a terminal cannot be stopped. The terminal passes on whole lines.
    await anyio.wait_readable(sys.stdin)
    line = sys.stdin.readline()
    if not line:
        sys.stderr.write("\n")
        raise _Decided("cancel")
    actions = {":d": "decline", ":decline": "decline", ":c": "cancel", ":cancel": "cancel"}
    line = line.strip()
    if line in actions:
        raise _Decided(actions[line])
    return line
