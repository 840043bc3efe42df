"""Command groups that suggest the nearest command for a misspelt one."""

from __future__ import annotations

import click

from mcpkit.core.suggestions import did_you_mean


class SuggestingGroup(click.Group):
    """A group whose error for an unknown command names the nearest one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or fail with a suggestion."""
        name = args[0] if args else ""
        known = self.list_commands(ctx)
        if args and self.get_command(ctx, name) is None and not name.startswith("-"):
            ctx.fail(f"No such command {name!r}{did_you_mean(name, known)}")
        return super().resolve_command(ctx, args)
