"""Components: tools, resources, resource templates and prompts, checked and with an owner.

A component is a declaration (`mcpkit.core.declarations`) that was checked: it has an exposed name,
what clients list of it, and a way to run it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:  # only for annotations: declaring a tool must not import the SDK
    from mcp.server.caching import CacheHint

    from mcpkit.core.contributions import Call, Extension, Middleware, Transport
    from mcpkit.core.skills import Skill

Handler = Callable[..., Any]
"""The function behind a component, sync or async."""

ComponentKind = Literal["tool", "resource", "resource_template", "prompt"]

IDENTITIES: Mapping[ComponentKind, str] = {
    "tool": "name",
    "resource": "uri",
    "resource_template": "uriTemplate",
    "prompt": "name",
}
"""What clients call each kind by."""

TaskSupport = Literal["forbidden", "optional", "required"]
"""Whether a tool may run as a task, which outlives the request and its connection."""

Run = Callable[[Mapping[str, Any], Any], Awaitable[Any]]
"""Runs a checked handler: `(arguments, context)` to the wire result; raises what went wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A checked tool, resource, resource template or prompt, with its owner.

    Attributes:
        kind: Which of the four it is.
        plugin: Name of the plugin that owns it.
        name: What the plugin calls it.
        exposed: What clients see: the exposed name, the URI, or the URI template.
        definition: What lists show, as it is sent.
        run: Runs the handler.
        match: For templates: URI to the template's arguments, or None.
        timeout: Seconds a call may take; None for the default.
        cache: How long clients may keep what it returns, and for whom, or its place in a list.
        task: Whether a tool runs as a task when the client can follow one.
        listed: Whether lists show it; one that is not can be read by its URI all the same.
        is_asleep: Whether its plugin has to be woken before it can run.
        header_schema: The input schema of a tool with parameters that travel in headers.
        uses_context: Whether `run` reads the context; making one costs.
        takes_context: Whether the plugin's function may use what the context offers.
        unchanged_in: Versions of the protocol that are known to send `definition` as it is.
    """

    kind: ComponentKind
    plugin: str
    name: str
    exposed: str
    definition: Mapping[str, Any]
    run: Run
    match: Callable[[str], dict[str, Any] | None] | None = None
    timeout: float | None = None
    cache: CacheHint | None = None
    task: TaskSupport = "forbidden"
    listed: bool = True
    is_asleep: bool = False
    header_schema: dict[str, Any] | None = None
    uses_context: bool = True
    takes_context: bool = True
    unchanged_in: frozenset[str] = frozenset()

    async def answer(self, call: Call) -> Any:
        """Run the handler for a call, which a middleware may have changed."""
        return await self.run(call.arguments, call.context if self.uses_context else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Completer:
    """Completes arguments of one plugin: `(params, context)` to a `Completion` or None.

    `params.ref` of a prompt has the name that the plugin knows.
    """

    plugin: str
    run: Callable[[Any, Any], Awaitable[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """All that one plugin contributes, checked."""

    components: tuple[Component, ...] = ()
    completer: Completer | None = None
    instructions: str | None = None
    skills: tuple[Skill, ...] = ()
    extensions: tuple[Extension, ...] = ()
    middleware: tuple[Middleware, ...] = ()
    transports: tuple[Transport, ...] = ()

    def names(self) -> dict[ComponentKind, list[str]]:
        """What clients call the components, by kind; kinds without any are left out."""
        names: dict[ComponentKind, list[str]] = {kind: [] for kind in IDENTITIES}
        for component in self.components:
            names[component.kind].append(component.exposed)
        return {kind: exposed for kind, exposed in names.items() if exposed}


def count_kinds(catalogues: Iterable[Catalogue]) -> dict[str, int]:
    """Number of components of each kind, always in the same order: `{"tool": 4, "prompt": 1}`."""
    counts = dict.fromkeys(IDENTITIES, 0)
    for catalogue in catalogues:
        for kind, names in catalogue.names().items():
            counts[kind] += len(names)
    return {kind.removeprefix("resource_"): count for kind, count in counts.items() if count}


def counts_in_words(counts: Mapping[str, int]) -> str:
    """Such numbers for people: `4 tools, 1 prompt`."""
    return ", ".join(f"{count} {kind}{'s' * (count > 1)}" for kind, count in counts.items())
