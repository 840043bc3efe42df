"""Inventory: what the installed plugins contribute, told from their manifests alone.

In come the settings; out go records and a registry for lists and shell completion. No plugin is
imported, and neither is the SDK.
"""

from __future__ import annotations

from dataclasses import dataclass

from mcpkit.core.catalogues import Catalogues
from mcpkit.core.discovery import discover, is_wanted, select
from mcpkit.core.manifest_records import Written, outline
from mcpkit.core.registry import Registry
from mcpkit.core.settings import Settings
from mcpkit.core.settings.origins import OriginsOf
from mcpkit.core.status import PluginRecord, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What the installed plugins contribute, as far as manifests tell.

    Attributes:
        settings: Of the whole server.
        records: Every plugin, sorted by name.
        registry: What can be listed.
        manifests: What is written of plugins, by name.
        is_whole: Whether an import would tell nothing else.
    """

    settings: Settings
    records: tuple[PluginRecord, ...]
    registry: Registry
    manifests: dict[str, Written]
    is_whole: bool


def take_inventory(
    settings: Settings,
    catalogues: Catalogues | None,
    *,
    plugins: bool = True,
    origins: OriginsOf = lambda key: (),
) -> Inventory:
    """Read the manifests of the installed plugins.

    Args:
        settings: Of the whole server.
        catalogues: Where manifests are kept; None where the user has no place for them.
        plugins: Whether installed plugins are looked for; False is `--no-plugins`.
        origins: Tells where a setting was set, for error messages.

    Raises:
        SettingsError: A section or an allowed name belongs to no installed plugin.
    """
    records = discover() if plugins else []
    if plugins:
        select(records, settings.plugins, allow=settings.plugins_allow, origins=origins)
    manifests: dict[str, Written] = {}
    for record in filter(is_wanted, records):
        written = catalogues and catalogues.read_written(record, settings.plugin(record.name))
        if written and _take(record, written):
            manifests[record.name] = written
    registry = Registry()
    registry.commit([record for record in records if record.status is Status.ASLEEP])
    return Inventory(
        settings=settings,
        records=tuple(records),
        registry=registry,
        manifests=manifests,
        is_whole=not any(map(is_wanted, records))
        and not any(written.changes_lists for written in manifests.values()),
    )


def _take(record: PluginRecord, written: Written) -> bool:
    """Take over what is written of a plugin, unless it is not usable."""
    try:
        record.catalogue = outline(written, record.name)
    except ValueError:
        return False  # an import mends it
    record.status = Status.ASLEEP
    return True
