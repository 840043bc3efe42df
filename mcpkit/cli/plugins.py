"""`mcpkit plugins`: what is installed, what became of it, and why."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcpkit.cli.completing import complete_plugins
from mcpkit.cli.groups import SuggestingGroup
from mcpkit.cli.options import (
    eager_option,
    effective_settings,
    json_option,
    load_app,
    plugin_options,
    read_inventory,
)
from mcpkit.cli.output import ending_with, print_json, print_line, print_notes, print_table

if TYPE_CHECKING:  # importing the core costs: commands do it when they run
    from mcpkit.core.app import App
    from mcpkit.core.settings.describing import Described
    from mcpkit.core.status import PluginRecord


@click.group(cls=SuggestingGroup)
def plugins() -> None:
    """See which plugins are installed, what they bring, and why one failed."""


@plugins.command("list")
@json_option
@eager_option
@plugin_options
def list_plugins(as_json: bool, eager: bool, no_plugins: bool, **options: Any) -> None:
    """List installed plugins with status, version, components and import time."""
    from mcpkit.core.components import count_kinds, counts_in_words

    records = _records(eager, no_plugins, **options)
    if as_json:
        print_json([record.to_json() for record in records])
        return
    rows = [
        (
            record.name,
            record.status,
            f"{record.distribution or '-'} {record.version or ''}".strip(),
            counts_in_words(count_kinds([record.catalogue])) or "-",
            _milliseconds(record),
        )
        for record in records
    ]
    if not rows:
        print_line("No plugins are installed. Try: pip install mcpkit-plugin-timeutil", err=True)
        return
    print_table(("name", "status", "distribution", "components", "import"), rows)
    for record in records:
        _print_remark(record)


@plugins.command()
@click.argument("name", shell_complete=complete_plugins)
@json_option
@plugin_options
def show(name: str, as_json: bool, no_plugins: bool, **options: Any) -> None:
    """Show everything that is known of one plugin."""
    from mcpkit.core.settings.describing import describe_settings

    app = _app_for_listing(no_plugins, **options)
    record = _find(app, name)
    described = record.to_json()
    own = [] if record.settings_model is None else describe_settings(record.settings_model)
    if as_json:
        print_json({**described, "settings": [setting.to_json() for setting in own]})
        return
    for key, value in described.items():
        if key == "components":
            for kind, names in value.items():
                print_line(f"{kind.replace('_', ' ')}:")
                for exposed in names:
                    print_line(f"  {exposed}")
        elif key == "import_seconds":
            print_line(f"import: {_milliseconds(record)}")
        elif value is not None and key != "slow":
            print_line(f"{key.replace('_', ' ')}: {_told(value)}")
    if own:
        print_line(f"settings in [plugins.{record.name}]:")
    for setting in own:
        print_line(f"  {setting.name} ({setting.type}, {_default(setting)}): {setting.description}")


def _told(value: Any) -> str:
    """A value for people."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _default(setting: Described) -> str:
    if setting.required:
        return "required"
    if setting.default is None:
        return "not set by default"
    return f"default {json.dumps(setting.default, ensure_ascii=False)}"


@plugins.command()
@click.argument("names", nargs=-1, shell_complete=complete_plugins)
@json_option
@plugin_options
def check(names: tuple[str, ...], as_json: bool, no_plugins: bool, **options: Any) -> int:
    """Load plugins, open and close their lifespans, ask after their health; exit 1 if any fails."""
    from mcpkit.core.stopping import Limits, run_limited

    app = _app_for_listing(no_plugins, **options)
    wanted = [_find(app, name).name for name in names] or [record.name for record in app.records]

    async def ask(limits: Limits) -> dict[str, Any]:
        async with limits.running(app) as running:
            return dict((await running.report(in_full=True))["plugins"])

    everything = run_limited(ask)
    records = {record.name: record for record in app.records}
    report = {
        name: _verdict(entry, records[name]) for name, entry in everything.items() if name in wanted
    }
    failed = sorted(name for name, entry in report.items() if not entry["ready"])
    code = 1 if failed else 0
    with ending_with(code):
        if as_json:
            print_json({"ok": not failed, "plugins": report})
        else:
            for name, entry in report.items():
                _print_verdict(name, entry)
    return code


def _verdict(entry: dict[str, Any], record: PluginRecord) -> dict[str, Any]:
    """What was reported of a plugin while it was open, and how closing it went."""
    if record.error is not None and entry["ready"]:
        failed = {"status": str(record.status), "ready": False, "stage": str(record.stage)}
        entry = {**entry, **failed, "reason": record.error.message, "hint": record.error.hint}
    return {**entry, "where": record.where} if record.where else entry


def _print_verdict(name: str, entry: dict[str, Any]) -> None:
    if entry["ready"]:
        remark = entry.get("message") or entry.get("reason") or ""
        print_line(f"ok      {name}  {remark}".rstrip())
        return
    reason = entry.get("reason") or entry.get("message") or "not ready"
    notes = {"": reason, "at": entry.get("where"), "hint": entry.get("hint")}
    print_notes(f"FAILED  {name}", notes)


def _records(
    eager: bool,
    no_plugins: bool,
    settings_path: Path | None,
    assignments: tuple[str, ...],
    log_level: str | None,
) -> Sequence[PluginRecord]:
    """Every plugin; those that have no manifest are imported."""
    effective = effective_settings(settings_path, assignments, log_level or "critical")
    eager = eager or effective.settings.eager
    if not eager:
        inventory = read_inventory(effective, no_plugins=no_plugins)
        if inventory.is_whole:
            return inventory.records
    app = load_app(effective, no_plugins=no_plugins, lenient=True, use_catalogues=not eager)
    return app.records


def _app_for_listing(
    no_plugins: bool,
    settings_path: Path | None,
    assignments: tuple[str, ...],
    log_level: str | None,
) -> App:
    """Load plugins so that a failure is a row of the table, not a line of the log."""
    effective = effective_settings(settings_path, assignments, log_level or "critical")
    return load_app(effective, no_plugins=no_plugins, lenient=True)


def _find(app: App, name: str) -> PluginRecord:
    from mcpkit.core.errors import NotFoundError
    from mcpkit.core.suggestions import did_you_mean, quoted

    for record in app.records:
        if record.name == name:
            return record
    known = [record.name for record in app.records]
    raise NotFoundError(
        f"No plugin is called {quoted(name)}{did_you_mean(name, known)}",
        hint="`mcpkit plugins list` lists them",
    )


def _milliseconds(record: PluginRecord) -> str:
    if record.import_seconds is None:
        return "-"
    return f"{record.import_seconds * 1000:.0f} ms{' (slow)' if record.is_slow else ''}"


def _print_remark(record: PluginRecord) -> None:
    """Tell below the table why a plugin failed, or is disabled."""
    if record.error is not None:
        notes = {"": record.error.message, "at": record.where, "hint": record.error.hint}
        print_line("")
        print_notes(f"{record.label} failed ({record.stage})", notes)
    elif record.reason:
        print_line("")
        print_notes(f"{record.label} is {record.status}", {"": record.reason})
