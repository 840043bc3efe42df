"""`mcpkit x PLUGIN COMMAND`: commands that plugins bring by the hook `mcpkit_commands`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from mcpkit.cli.groups import SuggestingGroup
from mcpkit.core.escaping import escape_line

if TYPE_CHECKING:  # importing the core costs: commands do it when they run
    from mcpkit.core.app import App

_LOADED = f"{__name__}.loaded"
"""Key of the groups that were made for a command line, in the `meta` of its context."""


class _Plugins(SuggestingGroup):
    """One subgroup for each plugin that brings commands; loaded when one is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The installed plugins, whether or not they bring commands: none is imported for it."""
        from mcpkit.core.discovery import discover

        return sorted({record.name for record in discover()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load one plugin and group its commands; once, though click asks several times."""
        loaded: dict[str, click.Group] = ctx.meta.setdefault(_LOADED, {})
        if cmd_name not in loaded:
            if cmd_name not in self.list_commands(ctx):
                return None
            loaded[cmd_name] = _group_of(cmd_name)
        return loaded[cmd_name]

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """Complete names only: their help would need every plugin."""
        names = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        return [CompletionItem(name) for name in names]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List names only: their help would need every plugin."""
        with formatter.section("Plugins"):
            names = [(escape_line(name), "") for name in self.list_commands(ctx)]
            formatter.write_dl(names or [("none", "")])


extra = _Plugins("x", help="Run a command that a plugin brings: mcpkit x PLUGIN COMMAND.")


def _group_of(name: str) -> click.Group:
    from mcpkit.core import jobs
    from mcpkit.core.errors import NotFoundError
    from mcpkit.core.hooks import answer_in_time, start_asking

    app = _app_of(name)
    record = next(record for record in app.records if record.name == name)
    if record.error is not None:
        raise record.error
    if record.manager is None:
        raise NotFoundError(f"Plugin {name!r} is disabled", hint=record.reason)
    hook, seconds = "mcpkit_commands", app.plan.timeout
    job = start_asking(record.manager, hook, click.Command)
    jobs.wait(job, seconds)
    commands = answer_in_time(job, hook, seconds)
    if not commands:
        raise NotFoundError(
            f"Plugin {record.label} brings no commands",
            hint=f"`mcpkit plugins show {name}` tells what it brings",
        )
    group = SuggestingGroup(name, help=f"Commands of {record.label}.")
    for command in commands:
        group.add_command(command)
    return group


def _app_of(name: str) -> App:
    """Load one plugin alone; the others stay where they are."""
    from mcpkit.cli.options import effective_settings
    from mcpkit.core.assembly import build
    from mcpkit.core.descriptors import STDOUT, reserved

    effective = effective_settings(None, (), "critical")
    alone = effective.settings.model_copy(update={"plugins_allow": (name,)})
    with reserved(STDOUT):  # what the import prints is no output of the command
        return build(alone, origins=effective.origins, lenient=True)
