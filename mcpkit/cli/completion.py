"""`mcpkit completion`: shell completion."""

from __future__ import annotations

import click

from mcpkit.cli.output import print_text

VARIABLE = "_MCPKIT_COMPLETE"
"""Environment variable by which the shell asks click for completions."""


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script of SHELL.

    bash: eval "$(mcpkit completion bash)" in ~/.bashrc; zsh alike; fish: mcpkit completion fish >
    ~/.config/fish/completions/mcpkit.fish
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"No completion for {shell}")
    root = context.find_root().command
    print_text(kind(root, {}, "mcpkit", VARIABLE).source())
