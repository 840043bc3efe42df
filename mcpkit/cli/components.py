"""`mcpkit tools`, `mcpkit resources`, `mcpkit prompts`: see what clients see."""

from __future__ import annotations

import click

from mcpkit.cli.completing import complete_tools
from mcpkit.cli.groups import SuggestingGroup
from mcpkit.cli.listing import definitions
from mcpkit.cli.options import eager_option, json_option
from mcpkit.cli.output import first_sentence, print_json, print_table
from mcpkit.cli.target import Target, target_options
from mcpkit.cli.tool_help import show_tool


def _group(name: str, help_text: str) -> click.Group:
    return SuggestingGroup(name, help=help_text)


tools = _group("tools", "See the tools that clients see.")
resources = _group("resources", "See the resources and resource templates that clients see.")
prompts = _group("prompts", "See the prompts that clients see.")


@tools.command("list")
@json_option
@eager_option
@target_options
def list_tools(as_json: bool, eager: bool, target: Target) -> None:
    """List tools by exposed name."""
    found = definitions(target, "tool", eager=eager)
    if as_json:
        print_json(found)
        return
    rows = [(tool["name"], first_sentence(tool.get("description"))) for tool in found]
    print_table(("name", "description"), rows)


@tools.command("show")
@click.argument("name", shell_complete=complete_tools)
@json_option
@eager_option
@target_options
def show(name: str, as_json: bool, eager: bool, target: Target) -> None:
    """Show one tool: its parameters with types and defaults, and how to call it."""
    show_tool(target, name, eager=eager, as_json=as_json)


@resources.command("list")
@json_option
@eager_option
@target_options
def list_resources(as_json: bool, eager: bool, target: Target) -> None:
    """List resources and resource templates by URI."""
    found = definitions(target, "resource", "resource_template", eager=eager)
    if as_json:
        print_json(found)
        return
    rows = [
        (
            item.get("uri") or item.get("uriTemplate"),
            item.get("mimeType") or "-",
            first_sentence(item.get("description")),
        )
        for item in found
    ]
    print_table(("uri", "type", "description"), rows)


@prompts.command("list")
@json_option
@eager_option
@target_options
def list_prompts(as_json: bool, eager: bool, target: Target) -> None:
    """List prompts by exposed name, with their arguments."""
    found = definitions(target, "prompt", eager=eager)
    if as_json:
        print_json(found)
        return
    rows = []
    for prompt in found:
        arguments = [
            argument["name"] if argument.get("required") else f"[{argument['name']}]"
            for argument in prompt.get("arguments") or ()
        ]
        name, description = prompt["name"], first_sentence(prompt.get("description"))
        rows.append((name, ", ".join(arguments) or "-", description))
    print_table(("name", "arguments", "description"), rows)
