"""`mcpkit tools list`, `mcpkit resources list`, `mcpkit prompts list`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from mcpkit.cli.groups import SuggestingGroup
from mcpkit.cli.options import json_option
from mcpkit.cli.output import first_sentence, print_json, print_table
from mcpkit.cli.target import Target, target_options


def _group(name: str, help_text: str) -> click.Group:
    return SuggestingGroup(name, help=help_text)


tools = _group("tools", "See the tools that clients see.")
resources = _group("resources", "See the resources and resource templates that clients see.")
prompts = _group("prompts", "See the prompts that clients see.")


def _print(
    items: list[Any], as_json: bool, headers: tuple[str, ...], row: Callable[[Any], Any]
) -> None:
    if as_json:
        print_json(
            [item.model_dump(mode="json", by_alias=True, exclude_none=True) for item in items]
        )
    else:
        print_table(headers, [row(item) for item in items])


@tools.command("list")
@json_option
@target_options
def list_tools(as_json: bool, target: Target) -> None:
    """List tools by exposed name."""

    async def ask(client: Any) -> list[Any]:
        return [item async for page in _pages(client.list_tools) for item in page.tools]

    found = target.run(ask)
    _print(
        found, as_json, ("name", "description"), lambda t: (t.name, first_sentence(t.description))
    )


@resources.command("list")
@json_option
@target_options
def list_resources(as_json: bool, target: Target) -> None:
    """List resources and resource templates by URI."""

    async def ask(client: Any) -> list[Any]:
        if client.server_capabilities.resources is None:
            return []
        found = [item async for page in _pages(client.list_resources) for item in page.resources]
        return found + [
            item
            async for page in _pages(client.list_resource_templates)
            for item in page.resource_templates
        ]

    _print(
        target.run(ask),
        as_json,
        ("uri", "type", "description"),
        lambda r: (
            getattr(r, "uri", None) or r.uri_template,
            r.mime_type or "-",
            first_sentence(r.description),
        ),
    )


@prompts.command("list")
@json_option
@target_options
def list_prompts(as_json: bool, target: Target) -> None:
    """List prompts by exposed name, with their arguments."""

    async def ask(client: Any) -> list[Any]:
        if client.server_capabilities.prompts is None:
            return []
        return [item async for page in _pages(client.list_prompts) for item in page.prompts]

    _print(
        target.run(ask),
        as_json,
        ("name", "arguments", "description"),
        lambda p: (
            p.name,
            ", ".join(
                argument.name if argument.required else f"[{argument.name}]"
                for argument in p.arguments or ()
            )
            or "-",
            first_sentence(p.description),
        ),
    )


async def _pages(list_page: Callable[..., Any]) -> Any:
    cursor: str | None = None
    while True:
        page = await list_page(cursor=cursor)
        yield page
        cursor = page.next_cursor
        if not cursor:
            return
