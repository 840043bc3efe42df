"""`mcpkit call`, `mcpkit read`, `mcpkit prompt`: use a server from the shell."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import click

from mcpkit.cli.arguments import parse_pairs, typed_arguments
from mcpkit.cli.completing import (
    complete_prompt_arguments,
    complete_prompts,
    complete_resources,
    complete_tool_arguments,
    complete_tools,
)
from mcpkit.cli.listing import explained_absence, pages
from mcpkit.cli.options import json_option
from mcpkit.cli.output import (
    data_stream,
    dumped,
    ending_with,
    print_json,
    print_line,
    print_text,
    styled,
    writing,
)
from mcpkit.cli.questions import Questions, answer_option
from mcpkit.cli.target import Target, target_options
from mcpkit.cli.tool_help import show_tool
from mcpkit.core.errors import MCPKitError


@click.command(add_help_option=False)
@click.argument("tool", required=False, metavar="TOOL", shell_complete=complete_tools)
@click.option(
    "-a",
    "--arg",
    "pairs",
    multiple=True,
    metavar="NAME=VALUE",
    shell_complete=complete_tool_arguments,
    help="One argument; its type follows the tool's schema. Repeatable, for one argument as well: "
    "its values make a list.",
)
@click.option(
    "--json-args", metavar="JSON", help="All arguments as one JSON object; - reads it from stdin."
)
@answer_option
@json_option
@target_options
@click.option(
    "-h", "--help", "wants_help", is_flag=True, help="Show this message, or that of TOOL, and exit."
)
@click.pass_context
def call(
    context: click.Context,
    tool: str | None,
    pairs: tuple[str, ...],
    json_args: str | None,
    answers: tuple[str, ...],
    as_json: bool,
    wants_help: bool,
    target: Target,
) -> int:
    """Call TOOL and print its result; exit 1 when it fails.

    mcpkit call timeutil_now --arg timezone=Europe/Oslo

    mcpkit call timeutil_now --help

    What the tool asks is asked on the terminal.
    """
    if tool is None:
        if not wants_help:
            raise click.UsageError("Missing argument 'TOOL'", context)
        print_text(context.get_help())
        return 0
    if wants_help:
        show_tool(target, tool, eager=False, as_json=as_json)
        return 0
    given = _object(json_args)
    texts = parse_pairs(pairs)
    questions = Questions(answers)

    app = target.load()

    async def use(client: Any) -> Any:
        typed = typed_arguments(texts, await _input_schema(client, tool))
        return await client.call_tool(tool, {**given, **typed}, progress_callback=_progress)

    with explained_absence("tool", tool, app):
        result = target.run(app, use, questions=questions)
    code = 1 if result.is_error else 0
    with ending_with(code):
        if as_json:
            print_json(dumped(result))
        else:
            _print_content(result.content, error=result.is_error)
    if result.is_error and not target.legacy and _needs_session(result.content):
        print_line("Pass --legacy to be asked", label=styled("hint:"), err=True)
    return code


def _needs_session(content: Iterable[Any]) -> bool:
    """Whether a tool failed because it asks in the middle of its call."""
    from mcpkit.core.input_requests import NEEDS_SESSION

    return any(NEEDS_SESSION in (getattr(block, "text", None) or "") for block in content)


@click.command()
@click.argument("uri", shell_complete=complete_resources)
@json_option
@target_options
def read(uri: str, as_json: bool, target: Target) -> None:
    """Read the resource at URI and print it; bytes are written as they are."""

    async def use(client: Any) -> Any:
        return await client.read_resource(uri)

    app = target.load()
    with explained_absence("resource", uri, app):
        result = target.run(app, use)
    if as_json:
        print_json(dumped(result))
        return
    for item in result.contents:
        if hasattr(item, "text"):
            print_text(item.text)
        else:
            _write_bytes(base64.b64decode(item.blob))


@click.command()
@click.argument("name", shell_complete=complete_prompts)
@click.option(
    "-a",
    "--arg",
    "pairs",
    multiple=True,
    metavar="NAME=VALUE",
    shell_complete=complete_prompt_arguments,
    help="One argument. Repeatable.",
)
@json_option
@target_options
def prompt(name: str, pairs: tuple[str, ...], as_json: bool, target: Target) -> None:
    """Get the prompt NAME and print its messages."""
    arguments = {key: _single(key, given) for key, given in parse_pairs(pairs).items()}

    async def use(client: Any) -> Any:
        return await client.get_prompt(name, arguments)

    app = target.load()
    with explained_absence("prompt", name, app):
        result = target.run(app, use)
    if as_json:
        print_json(dumped(result))
        return
    for message in result.messages:
        print_line("", label=styled(f"{message.role}:"))
        _print_content([message.content])


async def _input_schema(client: Any, tool: str) -> Mapping[str, Any]:
    """The input schema of a tool; an empty one when there is no such tool."""
    async for page in pages(client.list_tools):
        for found in page.tools:
            if found.name == tool:
                schema: Mapping[str, Any] = found.input_schema
                return schema
    return {}


def _single(name: str, given: list[str]) -> str:
    """The value of a prompt's argument, which is a text."""
    if len(given) > 1:
        raise click.BadParameter(
            f"{name} is given {len(given)} times, but takes a single value", param_hint="--arg"
        )
    return given[0]


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


def _write_bytes(content: bytes) -> None:
    """Write bytes as they are, but not to a terminal: they would act on it."""
    if data_stream().isatty():
        raise MCPKitError(
            f"The resource is binary, {len(content)} bytes", hint="Write it to a file: > FILE"
        )
    with writing():
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
