"""Discovery: entry points of installed distributions become records.

In come the entry points of the group `mcpkit.plugins`; out go records in a stable order. No
plugin is imported here. pluggy's own entry-point loader is not used: it imports everything before
anything can be blocked, and skips a second distribution of the same name without a word.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from hashlib import sha256

import importlib_metadata
from importlib_metadata import IDistribution

from mcpkit.core.distributions import is_editable, name_and_version
from mcpkit.core.errors import PluginContractError, SettingsError
from mcpkit.core.settings import PLUGIN_NAME, PluginSection
from mcpkit.core.settings.keys import Key, spell
from mcpkit.core.settings.origins import OriginsOf
from mcpkit.core.status import PluginRecord, Stage, Status
from mcpkit.core.suggestions import did_you_mean, quoted, shortened

GROUP = "mcpkit.plugins"
"""The entry-point group that plugins register in."""


def discover() -> list[PluginRecord]:
    """List the plugins that installed distributions offer, by name and distribution.

    A name that is illegal, or that two distributions offer, is recorded as failed.
    """
    found = {
        (point.name, record.distribution, point.value): record
        for point in importlib_metadata.entry_points(group=GROUP)
        for record in [_record(point)]
    }
    records = [found[key] for key in sorted(found, key=lambda key: tuple(map(str, key)))]
    refuse_duplicates(records)
    return records


def refuse_duplicates(records: Iterable[PluginRecord]) -> None:
    """Fail each record whose name another one has too: none of them wins."""
    records = list(records)
    counts = Counter(record.name for record in records)
    for record in records:
        if counts[record.name] < 2:
            continue
        others = [
            other.distribution or other.entry_point or "a plugin given in code"
            for other in records
            if other.name == record.name and other is not record
        ]
        record.fail(
            Stage.DISCOVER,
            PluginContractError(
                f"Its name {record.name!r} is also offered by {', '.join(others)}",
                hint="Uninstall all distributions of that name but one, with pip uninstall",
            ),
        )


def select(
    records: Iterable[PluginRecord],
    sections: Mapping[str, PluginSection],
    *,
    allow: tuple[str, ...] | None,
    origins: OriginsOf = lambda key: (),
) -> None:
    """Disable what the settings do not want, before anything is imported.

    Args:
        records: The discovered plugins; those not wanted are changed in place.
        sections: `plugins.<name>` of the settings.
        allow: When set, only these plugins are imported.
        origins: Tells where a setting was set.

    Raises:
        SettingsError: A section that sets something, or a name that is allowed, belongs to no
            installed plugin.
    """
    records = list(records)
    names = {record.name for record in records}
    for name, section in sections.items():
        if name not in names and section.model_fields_set:
            key = shortened(spell(("plugins", name)))
            raise _unknown(name, names, f"{key} belongs to", ("plugins", name), origins)
    for name in allow or ():
        if name not in names:
            raise _unknown(
                name, names, f"plugins_allow: {quoted(name)} is", ("plugins_allow",), origins
            )
    for record in records:
        if not sections.get(record.name, PluginSection()).enabled:
            record.disable(f"plugins.{record.name}.enabled is false")
        elif allow is not None and record.name not in allow:
            record.disable("It is not in plugins_allow")


def _unknown(
    name: str, known: Iterable[str], what: str, key: Key, origins: OriginsOf
) -> SettingsError:
    found = origins(key)
    where = f"{', '.join(map(str, found))}: " if found else ""
    remedies = [f"Install mcpkit-plugin-{shortened(name.replace('_', '-'))}"]
    remedies += [found[0].hint(key)] if found else []
    suggestion = did_you_mean(name, known)
    if suggestion:  # rather misspelt than missing
        remedies.reverse()
    first, *others = remedies
    hint = ", or ".join([first, *(f"{other[0].lower()}{other[1:]}" for other in others)])
    return SettingsError(f"{where}{what} no installed plugin{suggestion}", hint=hint)


def _record(point: importlib_metadata.EntryPoint) -> PluginRecord:
    """Read what the distribution's metadata tells of one entry point."""
    distribution = point.dist
    record = PluginRecord(name=point.name, entry_point=point.value)
    if distribution is not None:
        _describe(record, distribution)
    if not PLUGIN_NAME.fullmatch(point.name):
        record.fail(
            Stage.DISCOVER,
            PluginContractError(
                f"Its name {point.name!r} is illegal: lower-case letters, digits and _ only",
                hint=f"Rename the entry point in the group {GROUP!r} of its pyproject.toml",
            ),
        )
    return record


def _describe(record: PluginRecord, distribution: IDistribution) -> None:
    """Fill in what the metadata says; a broken installation fails this plugin alone."""
    record.location = str(distribution.locate_file(""))
    try:
        record.distribution, record.version = name_and_version(distribution)
        record.editable = is_editable(distribution)
        files = distribution.read_text("RECORD")
        record.installed = sha256(files.encode()).hexdigest() if files else None
    except Exception as exc:  # noqa: BLE001  # metadata of other people: anything may be missing
        record.fail(
            Stage.DISCOVER,
            PluginContractError(
                f"Its metadata in {record.location!r} cannot be read: {exc}",
                hint="Reinstall the distribution that offers it",
            ),
        )


def is_wanted(record: PluginRecord) -> bool:
    """Whether a record is to be imported: neither disabled nor failed already."""
    return record.status is Status.DISCOVERED
