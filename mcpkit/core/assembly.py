"""Assembly: settings become an `App`. Discover, load, validate, register."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mcpkit.core import extensions
from mcpkit.core import transports as builtin_transports
from mcpkit.core.app import BUILT_IN, App
from mcpkit.core.catalogues import Catalogues
from mcpkit.core.contributions import Transport
from mcpkit.core.deferred import deferred
from mcpkit.core.discovery import discover, is_wanted, refuse_duplicates, select
from mcpkit.core.hooks import ask_for_items, create_manager
from mcpkit.core.outcomes import log_outcome, refuse_strict
from mcpkit.core.plan import Plan
from mcpkit.core.registry import Registry
from mcpkit.core.settings import Settings
from mcpkit.core.settings.origins import OriginsOf
from mcpkit.core.status import PluginRecord, Stage, Status

load = deferred("mcpkit.core.loading:load")


def build(
    settings: Settings,
    *,
    plugins: bool = True,
    objects: Mapping[str, object] | None = None,
    origins: OriginsOf = lambda key: (),
    lenient: bool = False,
    catalogues: Catalogues | None = None,
) -> App:
    """Discover, load, validate and register.

    Args:
        settings: Of the whole server.
        plugins: Whether installed plugins are looked for; False is `--no-plugins`.
        objects: Plugins given in code, by name.
        origins: Tells where a setting was set, for error messages.
        lenient: Whether a strict plugin may fail: to list plugins, not to serve them.
        catalogues: Where what plugins contribute is written down: those that are there are not
            imported now, but at their first call.

    Raises:
        SettingsError: A section or an allowed name belongs to no installed plugin.
        PluginError: A strict plugin failed.
    """
    given = objects or {}
    records = discover() if plugins else []
    records += [PluginRecord(name=name) for name in sorted(given)]
    records.sort(key=lambda record: (record.name, record.distribution or ""))
    if given:
        refuse_duplicates(records)
    if plugins or given:
        select(records, settings.plugins, allow=settings.plugins_allow, origins=origins)

    manager = create_manager(builtin_transports, BUILT_IN)
    builtin = ask_for_items(manager, "mcpkit_transports", Transport, settings=None)
    plan = Plan(
        section=settings.plugin,
        calls=settings.calls,
        origins=origins,
        timeout=settings.lifespan.startup_timeout,
    )
    if catalogues is not None:
        doze(records, catalogues, settings)
    if any(map(is_wanted, records)):
        load(records, plan, given)
    registry = Registry()
    sound = [record for record in records if _is_sound(record)]
    taken = [
        *(("transport", transport.name, BUILT_IN) for transport in builtin),
        *(("extension", identifier, BUILT_IN) for identifier in extensions.OURS),
        *(("method", method, BUILT_IN) for method in extensions.METHODS),
    ]
    registry.commit(sound, taken=taken)
    transports = {transport.name: transport for transport in builtin}
    for record in sound:
        if record.error is None and record.manager is not None:
            record.status, record.stage = Status.LOADED, Stage.SERVE
            if catalogues is not None:
                catalogues.write(record, settings.plugin(record.name))
            transports.update((item.name, item) for item in record.catalogue.transports)
    for record in records:
        log_outcome(record)
    if not lenient:
        refuse_strict(records, settings)
    return App(
        settings=settings,
        records=tuple(records),
        registry=registry,
        transports=transports,
        builtin=manager,
        plan=plan,
        catalogues=catalogues,
        lenient=lenient,
    )


def doze(records: Iterable[PluginRecord], catalogues: Catalogues, settings: Settings) -> None:
    """Take the catalogues of plugins that need not be there from the start."""
    for record in records:
        section = settings.plugin(record.name)
        if not is_wanted(record) or settings.strict or section.strict:
            continue
        catalogue = catalogues.read(record, section)
        if catalogue is not None:
            record.catalogue = catalogue
            record.status = Status.ASLEEP


def _is_sound(record: PluginRecord) -> bool:
    is_there = record.manager is not None or record.status is Status.ASLEEP
    return is_there and record.error is None
