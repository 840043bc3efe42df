"""`mcpkit trust`: folders whose settings files may set everything."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from mcpkit.cli.options import json_option
from mcpkit.cli.output import print_json, print_line, print_table, styled

State = Literal["trusted", "changed", "empty", "unreadable"]


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path())
@click.option("--list", "show_list", is_flag=True, help="List the folders that are trusted.")
@click.option("--remove", is_flag=True, help="Trust FOLDER no longer.")
@json_option
def trust(folder: Path, show_list: bool, remove: bool, as_json: bool) -> None:
    """Let the settings files of FOLDER set everything; by default those of this folder.

    Hosts start servers in folders that hold other people's files, such as a cloned repository.
    Until you trust such a folder, its mcpkit.toml, pyproject.toml and .env set next to nothing.
    When their settings change, they need trust anew.
    """
    if show_list and remove:
        raise click.UsageError("--list and --remove exclude each other")
    if as_json and not show_list:
        raise click.UsageError("--json goes with --list")
    if show_list:
        _list(as_json)
    elif remove:
        _remove(folder)
    else:
        _trust(folder)


def _trust(folder: Path) -> None:
    from mcpkit.core.errors import NotFoundError, SettingsError
    from mcpkit.core.settings.origins import leaves
    from mcpkit.core.settings.sources import name_some, validated
    from mcpkit.core.settings.trust import find_folder_settings, trust

    found = find_folder_settings(folder)
    if not found.files:
        raise NotFoundError(
            f"No file in {str(folder.resolve())!r} has settings for mcpkit",
            hint="Change to the folder of mcpkit.toml; `mcpkit settings init` makes one",
        )
    tree = found.read()
    names = [*leaves(tree)]
    trust(found)
    files = " and ".join(path.name for path in found.files)
    told = f"may set {name_some(names)}" if names else "sets nothing"
    print_line(f"Trusted {folder.resolve()}: {files} {told}", err=True)
    try:
        validated(tree)
    except SettingsError as exc:  # it may be complete with other files alone
        print_line(exc.message, label=styled("Warning:", colour="yellow"), err=True)


def _remove(folder: Path) -> None:
    from mcpkit.core.errors import NotFoundError
    from mcpkit.core.settings.trust import forget

    if not forget(folder):
        raise NotFoundError(
            f"{str(folder.resolve())!r} is not trusted", hint="`mcpkit trust --list` lists them"
        )
    print_line(f"{folder.resolve()} is trusted no longer", err=True)


def _list(as_json: bool) -> None:
    from mcpkit.core.settings.trust import trusted_folders

    rows = [(found.folder, _state(found.folder, found.digest)) for found in trusted_folders()]
    if as_json:
        print_json([{"folder": folder, "state": state} for folder, state in rows])
    elif rows:
        print_table(("folder", "state"), rows)
    else:
        print_line("No folder is trusted", err=True)


def _state(folder: str, digest: str) -> State:
    """Whether the settings of a trusted folder are still those that were trusted."""
    from mcpkit.core.errors import SettingsError
    from mcpkit.core.settings.trust import find_folder_settings

    try:
        found = find_folder_settings(Path(folder))
    except SettingsError:
        return "unreadable"
    if not found.files:
        return "empty"
    return "trusted" if found.digest() == digest else "changed"
