"""Names that the shell completes: told by manifests, so that nothing is imported or connected to.

Each function is a `shell_complete` of click. What cannot be told completes to nothing, in silence.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import click
from click.shell_completion import CompletionItem

from mcpkit.cli.options import read_inventory
from mcpkit.cli.output import first_sentence
from mcpkit.core.escaping import escape_line

if TYPE_CHECKING:  # importing the core costs: the shell waits
    from mcpkit.core.components import ComponentKind
    from mcpkit.core.inventory import Inventory

Items: TypeAlias = "list[CompletionItem[str]]"  # click 8.2 cannot say it at run time

_SAFE = re.compile(r"[\w:/.+=,~@%-]+", re.ASCII)
"""Names that a shell takes as they are. Others are not completed: they would need quotes."""

_PROTOCOL = re.compile(r"_MCPKIT_COMPLETE|COMP_[A-Z]+")
"""Environment variables of the completion itself."""


def complete_tools(context: click.Context, parameter: click.Parameter, incomplete: str) -> Items:
    """Names of tools."""
    return _components(context, "tool", incomplete)


def complete_prompts(context: click.Context, parameter: click.Parameter, incomplete: str) -> Items:
    """Names of prompts."""
    return _components(context, "prompt", incomplete)


def complete_resources(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> Items:
    """URIs of resources, and what those of templates begin with."""
    return _components(context, "resource", incomplete) + _components(
        context, "resource_template", incomplete
    )


def complete_plugins(context: click.Context, parameter: click.Parameter, incomplete: str) -> Items:
    """Names of installed plugins."""
    from mcpkit.core.discovery import discover

    named = {record.name: f"{record.distribution} {record.version}" for record in discover()}
    return _items(named, incomplete)


def complete_transports(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> Items:
    """Names of transports: ours, and those of plugins."""
    from mcpkit.core.transports import mcpkit_transports

    named = {transport.name: transport.description for transport in mcpkit_transports()}
    inventory = _inventory(context)
    for written in inventory.manifests.values() if inventory else ():
        named |= dict.fromkeys(written.transports, "")
    return _items(named, incomplete)


def complete_settings(context: click.Context, parameter: click.Parameter, incomplete: str) -> Items:
    """Keys of settings, with the equals sign."""
    from mcpkit.core.settings import PluginSection, Settings
    from mcpkit.core.settings.keys import spell
    from mcpkit.core.settings.variables import keys_of

    if "=" in incomplete:
        return []
    keys = {spell(key) for key in keys_of(Settings) if key != ("plugins",)}
    inventory = _inventory(context)
    for record in inventory.records if inventory else ():
        written = inventory.manifests.get(record.name) if inventory else None
        own = (*PluginSection.model_fields, *(written.settings if written else ()))
        keys |= {f"plugins.{record.name}.{key}" for key in own}
    sections = {key.rpartition(".")[0] for key in keys}
    return _items({f"{key}=": "" for key in keys - sections}, incomplete)


def complete_tool_arguments(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> Items:
    """Names of the arguments of the tool, or the values that one may have."""
    from mcpkit.cli.arguments import resolved

    schema = _definition(context, "tool").get("inputSchema") or {}
    properties = schema.get("properties") or {}
    name, equals, _ = incomplete.partition("=")
    if not equals:
        return _items(
            {f"{key}=": resolved(properties[key], schema).get("description") for key in properties},
            incomplete,
        )
    values = _values(resolved(properties.get(name), schema))
    return _items({f"{name}={value}": "" for value in values}, incomplete)


def complete_prompt_arguments(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> Items:
    """Names of the arguments of the prompt."""
    arguments = _definition(context, "prompt").get("arguments") or ()
    return _items({f"{one['name']}=": one.get("description") for one in arguments}, incomplete)


def _values(schema: Mapping[str, Any]) -> list[str]:
    """The values that a schema allows, if they are few."""
    if schema.get("type") == "boolean":
        return ["true", "false"]
    values = schema.get("enum") or ()
    return [value if isinstance(value, str) else json.dumps(value) for value in values]


def _definition(context: click.Context, kind: ComponentKind) -> Mapping[str, Any]:
    """The list entry of the tool or prompt that the command line names."""
    # An option that still lacks its value ends click's parsing: what came before stands in `args`.
    name = context.params.get("tool" if kind == "tool" else "name") or "".join(context.args[:1])
    inventory = _inventory(context)
    component = inventory.registry.components(kind).get(str(name)) if inventory else None
    return {} if component is None else component.definition


def _components(context: click.Context, kind: ComponentKind, incomplete: str) -> Items:
    inventory = _inventory(context)
    found = inventory.registry.components(kind).values() if inventory else ()
    return _items(
        {
            item.exposed.partition("{")[0]: item.definition.get("description")
            for item in found
            if item.listed
        },
        incomplete,
    )


def _inventory(context: click.Context) -> Inventory | None:
    """The manifests of installed plugins; None for another server, or with wrong settings."""
    from mcpkit.core.errors import MCPKitError
    from mcpkit.core.settings.sources import read_settings

    given = context.params
    if given.get("url") or given.get("command"):
        return None
    for variable in filter(_PROTOCOL.fullmatch, tuple(os.environ)):
        del os.environ[variable]  # plugins that read the whole environment never saw them
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        effective = read_settings(path=given.get("settings_path"))
        return read_inventory(effective, no_plugins=bool(given.get("no_plugins")))
    except MCPKitError:
        return None
    finally:
        logging.disable(level)


def _items(named: Mapping[str, Any], incomplete: str) -> Items:
    """What begins like the incomplete word, sorted, with a line of help each."""
    fitting: Iterable[str] = sorted(name for name in named if name.startswith(incomplete))
    return [
        CompletionItem(name, help=escape_line(first_sentence(str(named[name] or ""))) or None)
        for name in fitting
        if _SAFE.fullmatch(name)
    ]
