"""`mcpkit settings`: what is set, where, and what may be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from mcpkit.cli.groups import SuggestingGroup
from mcpkit.cli.options import effective_settings, json_option, settings_options
from mcpkit.cli.output import print_json, print_line, print_table

MASK = "**********"
"""What a secret looks like."""


@click.group(cls=SuggestingGroup)
def settings() -> None:
    """See what is set, where it was set, and what may be set."""


@settings.command()
@json_option
@settings_options
def show(
    as_json: bool, settings_path: Path | None, assignments: tuple[str, ...], log_level: str | None
) -> None:
    """Print every setting with its value and origin; secrets are masked.

    Settings of plugins are shown as they were set; values whose names sound secret are masked.
    """
    from mcpkit.core.settings.keys import spell

    effective = effective_settings(settings_path, assignments, log_level)
    dumped = effective.settings.model_dump(mode="json")
    rows = [
        (spell(key), _masked(key, value), effective.origin(*key)) for key, value in _leaves(dumped)
    ]
    print_line(f"Settings from {', '.join(effective.files) or 'no file'}", err=True)
    if as_json:
        print_json({path: {"value": value, "origin": origin} for path, value, origin in rows})
    else:
        print_table(("setting", "value", "origin"), [(p, _shown(v), o) for p, v, o in rows])


@settings.command()
def schema() -> None:
    """Print the JSON Schema of mcpkit.toml, for editors."""
    from mcpkit.core.settings import Settings

    print_json(
        {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            **Settings.model_json_schema(),
        }
    )


@settings.command()
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("mcpkit.toml"),
    show_default=True,
    help="File to write.",
)
@click.option("--force", is_flag=True, help="Overwrite the file if it exists.")
def init(output: Path, force: bool) -> None:
    """Write a settings file in which every setting is explained and commented out."""
    from mcpkit.core.errors import SettingsError

    if output.exists() and not force:
        raise SettingsError(
            f"{str(output)!r} exists already", hint="Choose another --output, or say --force"
        )
    try:
        output.write_text(template(), "utf-8")
    except OSError as exc:
        raise SettingsError(
            f"{str(output)!r} cannot be written: {exc.strerror}", hint="Choose another --output"
        ) from exc
    print_line(f"Wrote {output}", err=True)


def template() -> str:
    """A `mcpkit.toml` with every setting at its default, commented out."""
    from pydantic import BaseModel

    from mcpkit.core.settings import PluginSection, Settings

    def lines(model: type[BaseModel], skip: frozenset[str] = frozenset()) -> Iterator[str]:
        for name, field in model.model_fields.items():
            if name in skip or _is_section(field.annotation):
                continue
            yield f"# {field.description}"
            yield f"#{name} = {_toml(field.get_default(call_default_factory=True))}"
            yield ""

    parts = ["# Settings of mcpkit; every line that is commented out shows a default.", ""]
    parts += lines(Settings, frozenset({"plugins"}))
    for name, field in Settings.model_fields.items():
        if _is_section(field.annotation) and isinstance(field.annotation, type):
            parts += [f"[{name}]  # {field.description}", "", *lines(field.annotation)]
    parts += [
        "# One section per plugin: what the host reads of it, then the plugin's own settings."
    ]
    parts += ["#[plugins.weather]", "", *lines(PluginSection)]
    return "\n".join(parts)


def _is_section(annotation: Any) -> bool:
    from pydantic import BaseModel

    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _toml(value: Any) -> str:
    if value is None:
        return '""  # not set'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, Mapping):
        return "{}"
    return repr(value) if isinstance(value, int | float) else f'"{value}"'


def _leaves(
    values: Mapping[str, Any], key: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, (*key, name))
        else:
            yield (*key, name), value


def _masked(key: tuple[str, ...], value: Any) -> Any:
    """Mask a plugin's values by their names: their models are not loaded here."""
    name = key[-1].lower()
    secret = any(word in name for word in ("key", "token", "secret", "password", "credential"))
    if key[0] == "plugins" and secret and isinstance(value, str):
        return MASK
    return value


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "-"
    return "-" if value is None else str(value)
