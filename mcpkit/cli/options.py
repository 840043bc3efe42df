"""Options that several commands share, and how they become settings and an app."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mcpkit.cli.output import print_line, reserve_stdout, styled
from mcpkit.core.deferred import deferred

if TYPE_CHECKING:  # importing the core costs: commands do it when they run
    from mcpkit.core.app import App
    from mcpkit.core.inventory import Inventory
    from mcpkit.core.settings.sources import Effective

complete_settings = deferred("mcpkit.cli.completing:complete_settings")

logger = logging.getLogger(__name__)

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


def settings_options(function: FunctionT) -> FunctionT:
    """Add `--settings`, `--set`, `--log-level`."""
    for option in (
        click.option(
            "--log-level",
            type=click.Choice(["debug", "info", "warning", "error", "critical"]),
            help="Least severe log record written to stderr.",
        ),
        click.option(
            "--set",
            "assignments",
            multiple=True,
            metavar="KEY=VALUE",
            shell_complete=complete_settings,
            help="Set any setting, such as plugins.weather.units=imperial. Repeatable.",
        ),
        click.option(
            "--settings",
            "settings_path",
            type=click.Path(path_type=Path),
            metavar="PATH",
            help="Settings file to read instead of those of this folder.",
        ),
    ):
        function = option(function)
    return function


def plugin_options(function: FunctionT) -> FunctionT:
    """Add the options of commands that load plugins: those of settings and `--no-plugins`."""
    function = click.option(
        "--no-plugins", is_flag=True, help="Import no plugin: the way out when one breaks all."
    )(function)
    return settings_options(function)


eager_option = click.option(
    "--eager", is_flag=True, help="Import the plugins, even if catalogues tell what they bring."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def effective_settings(
    settings_path: Path | None,
    assignments: tuple[str, ...],
    log_level: str | None,
    overrides: Mapping[tuple[str, ...], Any] | None = None,
) -> Effective:
    """Read the settings with what the command line says on top, and set up logging.

    Raises:
        SettingsError: Something in them is wrong.
    """
    from mcpkit.core.logs import set_up_logging
    from mcpkit.core.settings.sources import read_settings

    given = dict(map(_assignment, assignments))
    given |= {key: value for key, value in (overrides or {}).items() if value is not None}
    if log_level is not None:
        given[("log_level",)] = log_level
    effective = read_settings(path=settings_path, overrides=given)
    set_up_logging(effective.settings.log_level, effective.settings.log_format)
    for warning in effective.warnings:
        warn(warning)
    return effective


def warn(text: str) -> None:
    """Warn in the log, or beside it where a command keeps that quiet."""
    if logger.isEnabledFor(logging.WARNING):
        logger.warning("%s", text)
    else:
        print_line(text, label=styled("Warning:", colour="yellow"), err=True)


def load_app(
    effective: Effective,
    *,
    no_plugins: bool = False,
    lenient: bool = False,
    use_catalogues: bool = False,
) -> App:
    """Load the plugins; when lenient, a strict one may fail.

    With catalogues, plugins that have one are imported at their first call. From the first import
    on, standard output belongs to the command, and what plugins print goes to standard error.

    Raises:
        MCPKitError: The settings or a strict plugin forbid it.
    """
    from mcpkit.core.assembly import build
    from mcpkit.core.catalogues import user_catalogues

    reserve_stdout()
    return build(
        effective.settings,
        plugins=not no_plugins,
        origins=effective.origins,
        lenient=lenient,
        catalogues=user_catalogues() if use_catalogues else None,
    )


def read_inventory(effective: Effective, *, no_plugins: bool = False) -> Inventory:
    """Read the manifests of the plugins, without importing any plugin or the SDK.

    Raises:
        SettingsError: A section or an allowed name belongs to no installed plugin.
    """
    from mcpkit.core.catalogues import user_catalogues
    from mcpkit.core.inventory import take_inventory

    return take_inventory(
        effective.settings,
        user_catalogues(),
        plugins=not no_plugins,
        origins=effective.origins,
    )


def _assignment(text: str) -> tuple[tuple[str, ...], Any]:
    """Read one `--set`; errors do not show it, since it may hold a secret."""
    from mcpkit.core.settings.keys import parse_assignment, spell

    try:
        key, value = parse_assignment(text)
    except ValueError as exc:
        raise click.BadParameter(
            "it is not KEY=VALUE; a name with dots or other signs is quoted, as in "
            """auth.api_keys."alice@example.com"=…""",
            param_hint="--set",
        ) from exc
    if value.lstrip()[:1] in {"[", "{"}:
        try:
            return key, json.loads(value)
        except (ValueError, RecursionError) as exc:
            reason = "it is nested too deeply" if isinstance(exc, RecursionError) else exc
            raise click.BadParameter(
                f"{spell(key)} is not valid JSON: {reason}", param_hint="--set"
            ) from exc
    return key, value
