"""`mcpkit call`, `mcpkit read`, `mcpkit prompt`: use a server from the shell."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import click

from mcpkit.cli.options import json_option
from mcpkit.cli.output import data_stream, dumped, print_json, print_line, print_text, styled
from mcpkit.cli.target import Target, target_options
from mcpkit.core.errors import MCPKitError


@click.command()
@click.argument("tool")
@click.option(
    "-a",
    "--arg",
    "pairs",
    multiple=True,
    metavar="NAME=VALUE",
    help="One argument; its type follows the tool's schema. Repeatable.",
)
@click.option(
    "--json-args", metavar="JSON", help="All arguments as one JSON object; - reads it from stdin."
)
@json_option
@target_options
def call(
    tool: str, pairs: tuple[str, ...], json_args: str | None, as_json: bool, target: Target
) -> int:
    """Call TOOL and print its result; exit 1 when it fails.

    mcpkit call timeutil_now --arg timezone=Europe/Oslo
    """
    given = _object(json_args)
    texts = dict(map(_pair, pairs))

    async def use(client: Any) -> Any:
        schema = await _schema(client, tool)
        typed = {name: typed_value(text, schema.get(name, {})) for name, text in texts.items()}
        return await client.call_tool(tool, {**given, **typed}, progress_callback=_progress)

    result = target.run(use)
    if as_json:
        print_json(dumped(result))
    else:
        _print_content(result.content, error=result.is_error)
    return 1 if result.is_error else 0


@click.command()
@click.argument("uri")
@json_option
@target_options
def read(uri: str, as_json: bool, target: Target) -> None:
    """Read the resource at URI and print it; bytes are written as they are."""

    async def use(client: Any) -> Any:
        return await client.read_resource(uri)

    result = target.run(use)
    if as_json:
        print_json(dumped(result))
        return
    for item in result.contents:
        if hasattr(item, "text"):
            print_text(item.text)
        else:
            _write_bytes(base64.b64decode(item.blob))


@click.command()
@click.argument("name")
@click.option(
    "-a",
    "--arg",
    "pairs",
    multiple=True,
    metavar="NAME=VALUE",
    help="One argument. Repeatable.",
)
@json_option
@target_options
def prompt(name: str, pairs: tuple[str, ...], as_json: bool, target: Target) -> None:
    """Get the prompt NAME and print its messages."""
    arguments = dict(map(_pair, pairs))

    async def use(client: Any) -> Any:
        return await client.get_prompt(name, arguments)

    result = target.run(use)
    if as_json:
        print_json(dumped(result))
        return
    for message in result.messages:
        print_line("", label=styled(f"{message.role}:"))
        _print_content([message.content])


async def _schema(client: Any, tool: str) -> Mapping[str, Any]:
    """The properties of the tool's input schema; none when there is no such tool."""
    cursor: str | None = None
    while True:
        page = await client.list_tools(cursor=cursor)
        for found in page.tools:
            if found.name == tool:
                properties: Mapping[str, Any] = found.input_schema.get("properties", {})
                return properties
        cursor = page.next_cursor
        if not cursor:
            return {}


def typed_value(text: str, schema: Mapping[str, Any]) -> Any:
    """Give a word of the command line the type that the schema of its argument asks for.

    Text stays text where the schema allows a string; elsewhere it is read as JSON. What does not
    fit is passed on: the server's message is better than ours.
    """
    kinds = _types(schema)
    if not kinds:
        return text
    if "string" in kinds and not (kinds - {"string", "null"} and _is_json(text, kinds)):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _types(schema: Mapping[str, Any]) -> set[str]:
    kind = schema.get("type")
    kinds = {kind} if isinstance(kind, str) else set(kind or ())
    for part in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        kinds |= _types(part)
    if "$ref" in schema:
        kinds.add("object")
    return kinds


def _is_json(text: str, kinds: set[str]) -> bool:
    """Whether the text reads as one of the JSON types other than string."""
    try:
        value = json.loads(text)
    except ValueError:
        return False
    names = {
        bool: {"boolean"},
        int: {"integer", "number"},
        float: {"number"},
        list: {"array"},
        dict: {"object"},
    }
    return bool(names.get(type(value), set()) & kinds)


def _object(text: str | None) -> dict[str, Any]:
    if text is None:
        return {}
    try:
        value = json.loads(sys.stdin.read() if text == "-" else text)
    except ValueError as exc:
        raise click.BadParameter(f"not valid JSON: {exc}", param_hint="--json-args") from exc
    if not isinstance(value, dict):
        raise click.BadParameter("not a JSON object", param_hint="--json-args")
    return value


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--arg")
    return name, value


def _write_bytes(content: bytes) -> None:
    """Write bytes as they are, but not to a terminal: they would act on it."""
    if data_stream().isatty():
        raise MCPKitError(
            f"The resource is binary, {len(content)} bytes", hint="Write it to a file: > FILE"
        )
    data_stream().buffer.write(content)
    data_stream().flush()


def _print_content(content: Iterable[Any], *, error: bool = False) -> None:
    for block in content:
        text = getattr(block, "text", None)
        if text is None:
            text = f"[{block.type}: {getattr(block, 'mime_type', None) or 'see --json'}]"
        print_text(text, err=error)


async def _progress(progress: float, total: float | None, message: str | None) -> None:
    of = f"/{total:g}" if total is not None else ""
    print_line(f"{progress:g}{of} {message or ''}".rstrip(), err=True)
