"""`mcpkit shared`: the warm servers that `mcpkit serve --shared` joins."""

from __future__ import annotations

import os
from typing import Any

import click

from mcpkit.cli.groups import SuggestingGroup
from mcpkit.cli.options import json_option
from mcpkit.cli.output import print_json, print_line, print_table, styled
from mcpkit.core.errors import ServeError


@click.group(cls=SuggestingGroup)
def shared() -> None:
    """See or stop your warm servers, which `mcpkit serve --shared` starts and joins."""
    if os.name != "posix":
        raise ServeError("This system shares no servers: `mcpkit serve --shared` serves alone")


@shared.command()
@json_option
def status(as_json: bool) -> None:
    """List the servers that run; what crashed ones left is removed."""
    from mcpkit.shared.looking import look

    found = [server.told for server in look()]
    if as_json:
        print_json(found)
        return
    headers = ("pid", "version", "age", "clients", "memory", "plugins", "directory", "log")
    if not found:
        print_line("No shared server is running", err=True)
        return
    print_table(headers, [_row(server) for server in found])


def _row(told: dict[str, Any]) -> tuple[object, ...]:
    if "version" not in told:
        return (told["pid"] or "?", "does not answer", "", "", "", "", "", told["log"])
    memory = told["memory"]
    return (
        told["pid"],
        told["version"],
        f"{told['age']:.0f} s",
        told["connections"],
        "" if memory is None else f"{memory / 2**20:.0f} MiB",
        len(told["plugins"]),
        told["directory"],
        told["log"],
    )


@shared.command()
@click.option("--force", is_flag=True, help="Kill those that do not answer, or do not stop.")
@click.pass_context
def stop(context: click.Context, force: bool) -> None:
    """Stop them all; calls in flight finish first."""
    from mcpkit.shared.looking import look, stop_all

    stopped, left = stop_all(look(), force=force)
    print_line(f"Stopped {stopped} shared server{'' if stopped == 1 else 's'}", err=True)
    for server in left:
        print_line(
            f"Process {server.pid or '?'} has not stopped; its log is {server.log}", err=True
        )
    if left and not force:
        print_line("mcpkit shared stop --force", label=styled("hint:"), err=True)
    context.exit(1 if left else 0)
