"""`mcpkit settings`: what is set, where, and what may be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcpkit.cli.groups import SuggestingGroup
from mcpkit.cli.options import effective_settings, json_option, load_app, plugin_options, warn
from mcpkit.cli.output import print_json, print_line, print_table

if TYPE_CHECKING:  # importing the core costs: commands do it when they run
    from mcpkit.core.settings.sources import Effective
    from mcpkit.core.status import PluginRecord

Key = tuple[str, ...]


@click.group(cls=SuggestingGroup)
def settings() -> None:
    """See what is set, where it was set, and what may be set.

    Plugins are imported to learn what they may be set to; --no-plugins imports none.
    """


@settings.command()
@json_option
@plugin_options
def show(as_json: bool, no_plugins: bool, **options: Any) -> None:
    """Print every setting with its value and origin; secrets are masked.

    Of a plugin that cannot be imported, or with --no-plugins, all values are masked.
    """
    from mcpkit.core.settings.keys import spell

    effective = effective_settings(**options)
    records = _records(effective, no_plugins)
    print_line(f"Settings from {', '.join(effective.files) or 'no file'}", err=True)
    rows = [
        (spell(key), value, effective.origin(*key))
        for key, value in _leaves(_shown(effective, records))
    ]
    if as_json:
        print_json({path: {"value": value, "origin": origin} for path, value, origin in rows})
    else:
        print_table(("setting", "value", "origin"), [(p, _text(v), o) for p, v, o in rows])


@settings.command()
@plugin_options
def schema(no_plugins: bool, **options: Any) -> None:
    """Print the JSON Schema of mcpkit.toml, for editors."""
    from mcpkit.core.settings.schema import settings_schema

    records = _records(effective_settings(**options), no_plugins)
    known = {record.name: record.settings_model for record in records if record.is_known}
    print_json(settings_schema(known))


@settings.command()
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="File to write; mcpkit.toml by default.",
)
@click.option("--user", is_flag=True, help="Write your own file, which counts in every folder.")
@click.option("--force", is_flag=True, help="Overwrite the file if it exists.")
@plugin_options
def init(output: Path | None, user: bool, force: bool, no_plugins: bool, **options: Any) -> None:
    """Write a settings file in which every setting is explained and commented out."""
    from mcpkit.core.errors import SettingsError
    from mcpkit.core.own_files import write_own_file
    from mcpkit.core.settings.template import settings_template

    if user and output is not None:
        raise click.UsageError("--user and --output exclude each other")
    output = _user_file() if user else output or Path("mcpkit.toml")
    if output.exists() and not force:
        raise SettingsError(
            f"{str(output)!r} exists already", hint="Choose another --output, or say --force"
        )
    records = _records(effective_settings(**options), no_plugins)
    text = settings_template({record.name: _model_or_reason(record) for record in records})
    try:
        write_own_file(output.absolute(), text.encode())
    except OSError as exc:
        raise SettingsError(
            f"{str(output)!r} cannot be written: {exc.strerror}", hint="Choose another --output"
        ) from exc
    then = "" if user else "; when you have changed it, say: mcpkit trust"
    print_line(f"Wrote {output}{then}", err=True)


def _user_file() -> Path:
    """The user's settings file, in a folder that is there."""
    from mcpkit.core.errors import SettingsError
    from mcpkit.core.settings.files import FILE
    from mcpkit.core.user_folders import settings_folder

    folder = settings_folder()
    if folder is None:
        raise SettingsError(
            "You have no folder for settings", hint="Set HOME or XDG_CONFIG_HOME, or use --output"
        )
    try:
        Path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise SettingsError(
            f"{folder!r} cannot be made: {exc.strerror}",
            hint="Set XDG_CONFIG_HOME, or use --output",
        ) from exc
    return Path(folder, FILE)


def _records(effective: Effective, no_plugins: bool) -> list[PluginRecord]:
    """The installed plugins with a name of their own; none where they cannot be told."""
    from mcpkit.core.errors import MCPKitError
    from mcpkit.core.settings import PLUGIN_NAME

    if no_plugins:
        return []
    try:
        app = load_app(effective, lenient=True)
    except MCPKitError as exc:  # what is wrong there must not hide what is set
        warn(exc.message)
        return []
    return [record for record in app.records if PLUGIN_NAME.fullmatch(record.name)]


def _model_or_reason(record: PluginRecord) -> Any:
    if record.is_known:
        return record.settings_model
    return record.error.message if record.error is not None else record.reason or "not imported"


def _shown(effective: Effective, records: list[PluginRecord]) -> dict[str, Any]:
    """All settings, nested, without secrets."""
    from mcpkit.core.settings.masking import mask_section, mask_settings

    found = {record.name: record for record in records}
    sections: dict[str, Any] = {}
    for name in sorted({*found, *effective.settings.plugins}):
        record = found.get(name)
        model, filled = (record.settings_model, record.settings) if record else (None, None)
        sections[name] = mask_section(effective.settings.plugin(name), model, filled)
    return {**mask_settings(effective.settings), "plugins": sections}


def _leaves(values: Mapping[str, Any], key: Key = ()) -> Iterator[tuple[Key, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, (*key, name))
        elif key or name != "plugins":
            yield (*key, name), value


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "-"
    return "-" if value is None or value == {} else str(value)
