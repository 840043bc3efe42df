"""Manifests as they are written: records of strict JSON, read without the SDK.

In comes the text of a file; out goes what lists and completion need. `mcpkit.core.written` makes
more of it: components that wake their plugin when they are called.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from mcpkit.core.components import (
    IDENTITIES,
    Catalogue,
    Component,
    ComponentKind,
    TaskSupport,
)
from mcpkit.core.naming import is_legal


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


class WrittenHint(_Strict):
    """How long clients may keep a result or a list, and for whom."""

    ttl_ms: int = Field(ge=0)
    scope: Literal["public", "private"]


class WrittenComponent(_Strict):
    """One component, as it is written down.

    Attributes:
        in_headers: Whether arguments travel in headers.
        takes_context: Whether the function may use what the context offers.
        unchanged_in: Versions of the protocol in which the definition is sent as it is.
    """

    kind: ComponentKind
    name: str
    exposed: str
    definition: dict[str, Any]
    timeout: float | None = None
    task: TaskSupport = "forbidden"
    cache: WrittenHint | None = None
    listed: bool = True
    in_headers: bool = False
    takes_context: bool = True
    unchanged_in: tuple[str, ...] = Field((), strict=False)


class Written(_Strict):
    """The catalogue of one plugin, as it is written down.

    Attributes:
        key: What it was made from; another key makes it stale.
        environment: The environment variables that the plugin read, as their names tell.
        values: Digest of their values; other values make it stale.
        must_start: Whether the plugin has to be there from the start.
        changes_lists: Whether its middleware may change what clients see.
        settings: What may be set in its section.
        transports: Names of those that it brings.
        instructions: For the model.
        completes: Whether it completes arguments.
        components: What lists show.
    """

    key: str
    environment: tuple[str, ...] = Field(strict=False)
    values: str
    must_start: bool
    changes_lists: bool = False
    settings: tuple[str, ...] = Field((), strict=False)
    transports: tuple[str, ...] = Field((), strict=False)
    instructions: str | None
    completes: bool
    components: tuple[WrittenComponent, ...] = Field(strict=False)


def check_identity(item: WrittenComponent) -> None:
    """Check that a component is listed under its own, legal name.

    Raises:
        ValueError: It is not.
    """
    listed = item.definition.get(IDENTITIES[item.kind])
    if item.exposed != listed:
        raise ValueError(f"{item.exposed!r} is listed as {listed!r}")
    if item.kind in {"tool", "prompt"} and not is_legal(item.exposed):
        raise ValueError(f"{listed!r} is no legal name")


def outline(written: Written, plugin: str) -> Catalogue:
    """Make a catalogue that can be listed, and nothing else.

    Raises:
        ValueError: A component is not listed under its own, legal name.
    """
    return Catalogue(
        components=tuple(_outline(item, plugin) for item in written.components),
        instructions=written.instructions,
    )


def _outline(item: WrittenComponent, plugin: str) -> Component:
    check_identity(item)
    return Component(
        kind=item.kind,
        plugin=plugin,
        name=item.name,
        exposed=item.exposed,
        definition=item.definition,
        run=asleep,
        listed=item.listed,
        is_asleep=True,
    )


async def asleep(arguments: Any, context: Any) -> Any:
    """Stand in for a handler that is not there."""
    raise AssertionError("A plugin that is asleep was run")  # pragma: no cover
