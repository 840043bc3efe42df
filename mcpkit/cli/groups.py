"""Command groups that suggest the nearest command for a misspelt one, or import commands late."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from mcpkit.core.suggestions import did_you_mean, quoted


class SuggestingGroup(click.Group):
    """A group whose error for an unknown command names the nearest one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or fail with a suggestion."""
        name = args[0] if args else ""
        if args and not name.startswith("-") and self.get_command(ctx, name) is None:
            known = self.list_commands(ctx)
            ctx.fail(f"No such command {quoted(name)}{did_you_mean(name, known)}")
        return super().resolve_command(ctx, args)


class LaterGroup(SuggestingGroup):
    """A group whose commands are imported when they are asked for.

    Args:
        later: Module and attribute of each command, by name: `mcpkit.cli.serve:serve`.
    """

    def __init__(self, *args: Any, later: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.later = later

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands, sorted."""
        return sorted({*self.later, *super().list_commands(ctx)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command; None when there is none of that name."""
        if cmd_name not in self.later:
            return super().get_command(ctx, cmd_name)
        module, _, name = self.later[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command
