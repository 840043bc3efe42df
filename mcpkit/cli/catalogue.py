"""`mcpkit catalogue`: what is written down of plugins, so that a start need not import them."""

from __future__ import annotations

import click

from mcpkit.cli.groups import SuggestingGroup
from mcpkit.cli.options import json_option
from mcpkit.cli.output import print_json, print_line


@click.group(cls=SuggestingGroup)
def catalogue() -> None:
    """See or delete what is written down of plugins, which spares starts their import."""


@catalogue.command("list")
@json_option
def list_catalogues(as_json: bool) -> None:
    """List the files, a path each."""
    from mcpkit.core.catalogues import user_catalogues

    catalogues = user_catalogues()
    files = [str(path) for path in catalogues.files()] if catalogues is not None else []
    if as_json:
        print_json(files)
        return
    if not files:
        print_line("Nothing is written down of any plugin", err=True)
    for file in files:
        print_line(file)


@catalogue.command()
def clear() -> None:
    """Delete them all; the next start imports every plugin and writes them anew."""
    from mcpkit.core.catalogues import user_catalogues

    catalogues = user_catalogues()
    count = catalogues.clear() if catalogues is not None else 0
    print_line(f"Deleted {count} catalogue{'' if count == 1 else 's'}", err=True)
