"""The written form of a catalogue: what a plugin contributes to the lists, as strict JSON."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import mcp_types as types
from mcp.server.caching import CacheHint
from pydantic import BaseModel

from mcpkit.core.components import Catalogue, Completer, Component, ComponentKind
from mcpkit.core.environment_reads import NOTHING_READ, EnvironmentReads
from mcpkit.core.manifest_records import (
    Written,
    WrittenComponent,
    WrittenHint,
    asleep,
    check_identity,
)
from mcpkit.core.wire import unchanged_in

DEFINITIONS: dict[ComponentKind, type[BaseModel]] = {
    "tool": types.Tool,
    "resource": types.Resource,
    "resource_template": types.ResourceTemplate,
    "prompt": types.Prompt,
}


def describe(
    catalogue: Catalogue,
    *,
    key: str = "",
    environment: EnvironmentReads = NOTHING_READ,
    must_start: bool = False,
    settings: tuple[str, ...] = (),
) -> Written:
    """Put a catalogue in the form in which it is written."""
    return Written(
        key=key,
        environment=environment.names,
        values=environment.digest,
        must_start=must_start,
        changes_lists=bool(catalogue.middleware),
        settings=settings,
        transports=tuple(transport.name for transport in catalogue.transports),
        instructions=catalogue.instructions,
        completes=catalogue.completer is not None,
        components=tuple(map(_describe, catalogue.components)),
    )


def restore(written: Written, plugin: str) -> Catalogue:
    """Make the catalogue of a plugin that is asleep: it can be listed, and wakes to run.

    Raises:
        ValueError: A definition is not of the protocol's shape, or its name is not legal.
    """
    completer = Completer(plugin=plugin, run=asleep) if written.completes else None
    return Catalogue(
        components=tuple(_restore(item, plugin) for item in written.components),
        completer=completer,
        instructions=written.instructions,
    )


def _describe(component: Component) -> WrittenComponent:
    cache = component.cache
    return WrittenComponent(
        kind=component.kind,
        name=component.name,
        exposed=component.exposed,
        definition=dict(component.definition),
        timeout=component.timeout,
        task=component.task,
        cache=None if cache is None else WrittenHint(ttl_ms=cache.ttl_ms, scope=cache.scope),
        listed=component.listed,
        in_headers=component.header_schema is not None,
        takes_context=component.takes_context,
        unchanged_in=unchanged_in(component.kind, component.definition),
    )


def _restore(item: WrittenComponent, plugin: str) -> Component:
    definition = item.definition
    DEFINITIONS[item.kind].model_validate(definition, by_name=False)
    check_identity(item)
    return Component(
        kind=item.kind,
        plugin=plugin,
        name=item.name,
        exposed=item.exposed,
        definition=definition,
        run=asleep,
        match=_matcher(item.exposed) if item.kind == "resource_template" else None,
        timeout=item.timeout,
        cache=None if item.cache is None else CacheHint(item.cache.ttl_ms, item.cache.scope),
        task=item.task,
        listed=item.listed,
        is_asleep=True,
        takes_context=item.takes_context,
        header_schema=definition.get("inputSchema") if item.in_headers else None,
        unchanged_in=_versions(item.unchanged_in),
    )


@lru_cache(maxsize=64)
def _versions(written: tuple[str, ...]) -> frozenset[str]:
    """One set for all components that have the same."""
    return frozenset(written)


def _matcher(template: str) -> Callable[[str], dict[str, Any] | None]:
    """Whether a URI may be one of a template, for the plugin to tell when it is awake."""
    start = template.partition("{")[0]
    return lambda uri: {} if uri.startswith(start) else None
