"""`mcpkit new`: a plugin from the template."""

from __future__ import annotations

import keyword
from pathlib import Path

import click

from mcpkit.cli.output import print_line

LICENSES = ("MIT", "Apache-2.0", "BSD-3-Clause", "Proprietary")

RESERVED = frozenset({"client", "mcpkit", "mode", "server", "settings"})
"""Names of ours: what is built in is called `mcpkit`, the others are arguments of
`mcpkit.testing.connect`, which takes plugins by name beside them."""

LONGEST = 50
"""Most characters of a name; those of tools, which begin with it, have 64 at most."""


@click.command()
@click.argument("name")
@click.option("-d", "--description", help="What the plugin does, in one sentence.")
@click.option("--author", help="Your name, for pyproject.toml and the licence.")
@click.option("--email", help="Your address, for pyproject.toml.")
@click.option("--license", "licence", type=click.Choice(LICENSES), help="MIT by default.")
@click.option(
    "-o",
    "--output-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Folder to make the plugin's folder in; here by default.",
)
@click.option("--force", is_flag=True, help="Write into a folder that exists already.")
def new(
    name: str,
    description: str | None,
    author: str | None,
    email: str | None,
    licence: str | None,
    output_dir: Path,
    force: bool,
) -> None:
    """Make a new plugin called NAME: a distribution that passes its own tests at once."""
    from mcpkit.cli import template
    from mcpkit.core.errors import MCPKitError

    _check_name(name, force=force)
    given = {"description": description, "author": author, "email": email, "license": licence}
    for option, text in given.items():
        if text and not text.isprintable():
            raise click.BadParameter("it is not one line of text", param_hint=f"--{option}")
    files = template.fill(template.answers({"plugin_name": name, **given}))
    try:
        made = template.write(files, output_dir, force=force)
    except FileExistsError as exc:
        raise MCPKitError(
            f"{exc.filename!r} exists already", hint="Choose another name, or --force"
        ) from exc
    except OSError as exc:
        raise MCPKitError(
            f"{str(exc.filename or output_dir)!r} cannot be written: {exc.strerror or exc}",
            hint="Choose another folder with --output-dir",
        ) from exc
    print_line(f"Made {made}", err=True)
    print_line(f"Next: cd {made} && pip install -e . && mcpkit plugins list", err=True)


def _check_name(name: str, *, force: bool) -> None:
    """Refuse names that no plugin can have, or that this one had better not have.

    Raises:
        click.BadParameter: The name is illegal, taken, or a source of trouble.
    """
    from mcpkit.core.settings import PLUGIN_NAME

    if not PLUGIN_NAME.fullmatch(name):
        raise click.BadParameter(
            f"{name!r} is not lower-case letters, digits and _, starting with a letter",
            param_hint="NAME",
        )
    problem = f"{name!r} is no name for a plugin"
    if reason := _trouble(name):
        raise click.BadParameter(f"{problem}: {reason}", param_hint="NAME")
    if not force and (owner := _owner(name)):
        raise click.BadParameter(
            f"{problem}: {owner} is installed and has it; choose another one, or --force",
            param_hint="NAME",
        )


def _trouble(name: str) -> str | None:
    if name in RESERVED:
        return "mcpkit uses it itself"
    if keyword.iskeyword(name):
        return "it is a keyword of Python"
    if "__" in name or name.endswith("_"):
        return "environment variables have two underscores between the levels of a setting"
    if len(name) > LONGEST:
        return f"it is longer than {LONGEST} characters, and names of tools begin with it"
    return None


def _owner(name: str) -> str | None:
    """The installed distribution that has a plugin of a name."""
    from mcpkit.core.discovery import discover

    found = (record.distribution for record in discover() if record.name == name)
    return next(found, None)
