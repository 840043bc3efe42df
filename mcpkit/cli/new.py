"""`mcpkit new`: a plugin from the template."""

from __future__ import annotations

from pathlib import Path

import click

from mcpkit.cli.output import print_line

LICENSES = ("MIT", "Apache-2.0", "BSD-3-Clause", "Proprietary")


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
    from mcpkit.core.errors import MCPKitError
    from mcpkit.core.settings import PLUGIN_NAME

    if not PLUGIN_NAME.fullmatch(name):
        raise click.BadParameter(
            f"{name!r} is not lower-case letters, digits and _, starting with a letter",
            param_hint="NAME",
        )
    folder = output_dir / f"mcpkit-plugin-{name.replace('_', '-')}"
    if folder.exists() and not force:
        raise MCPKitError(f"{str(folder)!r} exists already", hint="Choose another name, or --force")
    given = {
        "plugin_name": name,
        "description": description,
        "author": author,
        "email": email,
        "license": licence,
    }
    from tempfile import TemporaryDirectory

    from cookiecutter.exceptions import CookiecutterException
    from cookiecutter.main import cookiecutter

    try:
        with TemporaryDirectory(prefix="mcpkit-new-") as notes:  # instead of the home folder
            made = cookiecutter(
                str(_template()),
                no_input=True,
                extra_context={key: value for key, value in given.items() if value},
                output_dir=str(output_dir),
                overwrite_if_exists=force,
                default_config={"replay_dir": notes, "cookiecutters_dir": notes},
            )
    except CookiecutterException as exc:
        raise MCPKitError(f"The template failed: {exc}") from exc
    print_line(f"Made {made}", err=True)
    print_line(f"Next: cd {made} && pip install -e . && mcpkit plugins list", err=True)


def _template() -> Path:
    """The template: packaged in a wheel, beside the package in a checkout."""
    package = Path(__file__).parents[1]
    packaged = package / "template"
    return packaged if packaged.is_dir() else package.parent / "cookiecutter-template"
