"""The root command: it groups the others and turns every error into two lines and an exit code.

Exit codes: 0 done; 1 a call, check or server failed; 2 the command line, the settings or a strict
plugin is wrong, or what the command line names is not there; 130 interrupted.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from mcpkit import __version__
from mcpkit.cli.groups import LaterGroup
from mcpkit.cli.output import (
    OutputClosedError,
    data_stream,
    flush,
    print_json,
    print_line,
    release_stdout,
    styled,
)
from mcpkit.core.colours import wanted_colour
from mcpkit.core.descriptors import STDIN, release
from mcpkit.core.errors import MCPKitError, NotFoundError, PluginError, SettingsError
from mcpkit.shared.hosting import tell_exit

FAILED = 1
WRONG = 2
INTERRUPTED = 130

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
"""Errors of a disk that takes no more output."""

END = 4.0
"""Seconds that threads and exit handlers of plugins get in the end."""

COMPLETE = "_MCPKIT_COMPLETE"
"""Environment variable by which a shell asks for completions."""

COMMANDS = {
    "call": "mcpkit.cli.call:call",
    "catalogue": "mcpkit.cli.catalogue:catalogue",
    "completion": "mcpkit.cli.completion:completion",
    "new": "mcpkit.cli.new:new",
    "plugins": "mcpkit.cli.plugins:plugins",
    "prompt": "mcpkit.cli.call:prompt",
    "prompts": "mcpkit.cli.components:prompts",
    "read": "mcpkit.cli.call:read",
    "resources": "mcpkit.cli.components:resources",
    "serve": "mcpkit.cli.serve:serve",
    "settings": "mcpkit.cli.settings:settings",
    "shared": "mcpkit.cli.shared:shared",
    "tools": "mcpkit.cli.components:tools",
    "trust": "mcpkit.cli.trust:trust",
    "x": "mcpkit.cli.extra:extra",
}
"""Each is imported when it is asked for: a host waits for `serve`, and needs no other."""


@click.group(
    cls=LaterGroup,
    later=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with: mcpkit plugins list, then: mcpkit serve --transport streamable-http",
)
@click.version_option(__version__, "-V", "--version", prog_name="mcpkit")
def cli() -> None:
    """The MCP server that plugins make.

    Plugins are installed with pip; their tools, resources and prompts are served to any MCP client.
    """


def main(arguments: Sequence[str] | None = None, *, alone: MCPKitError | None = None) -> NoReturn:
    """Run the command line and exit.

    Standard output stays reserved until the end: threads of plugins may still print.

    Args:
        arguments: Those of the process by default.
        alone: Why no shared server can be joined.
    """
    code = _run(arguments, alone)
    flush()
    tell_exit(sys.argv[1:], code)
    _limit_end(code)
    sys.exit(code)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        The exit code; errors were printed.
    """
    from mcpkit.core.logs import release_logging

    try:
        return _run(arguments)
    finally:
        release_stdout()
        release(STDIN)
        release_logging()


def _run(arguments: Sequence[str] | None, alone: MCPKitError | None = None) -> int:
    if COMPLETE in os.environ:
        from mcpkit.cli.completion import register_shells  # start-up time is the reason

        register_shells()
    as_json = "--json" in (sys.argv[1:] if arguments is None else arguments)
    try:
        result = cli.main(
            args=None if arguments is None else list(arguments),
            prog_name="mcpkit",
            standalone_mode=False,
            complete_var=COMPLETE,
            obj=alone,
            color=wanted_colour(),
        )
    except click.exceptions.NoArgsIsHelpError as exc:
        click.echo(exc.format_message())
        return WRONG
    except click.ClickException as exc:
        if not as_json:
            exc.show()
            return exc.exit_code
        return _show(MCPKitError(exc.format_message()), exc.exit_code, as_json=True)
    except MCPKitError as exc:
        wrong = isinstance(exc, SettingsError | PluginError | NotFoundError)
        return _show(exc, WRONG if wrong else FAILED, as_json=as_json)
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except (BrokenPipeError, OutputClosedError) as exc:
        _drop_output()  # whoever read it has had enough, as `head` does
        return exc.code if isinstance(exc, OutputClosedError) else 0
    except OSError as exc:
        if exc.errno not in FULL or exc.filename is not None:
            raise
        _drop_output()
        error = MCPKitError(f"Cannot write the output: {exc.strerror}")
        return _show(error, FAILED, as_json=as_json)
    return result if isinstance(result, int) else 0


def _drop_output() -> None:
    """Let what is still to be written to standard output go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), data_stream().fileno())


def _show(error: MCPKitError, code: int, *, as_json: bool) -> int:
    """Print an error for people or programs on standard error, and return its exit code."""
    if as_json:
        told = {"error": error.message, "hint": error.hint, "exit_code": code}
        print_json(told, err=True)
        return code
    print_line(error.message, label=styled("Error:", colour="red"), err=True)
    if error.hint:
        print_line(error.hint, label=styled("hint:"), err=True)
    return code


def _limit_end(code: int) -> None:
    """End the process soon, even if threads or exit handlers of plugins do not."""
    threading = sys.modules.get("threading")
    if threading is not None:  # else no plugin can have started one
        from mcpkit.core.watchdog import JOBS, Watchdog, unfinished

        if any(thread.name.startswith(JOBS) for thread in threading.enumerate()):
            os._exit(code)  # the interpreter cannot end safely beside a thread that imports

        is_server = sys.argv[1:2] == ["serve"]
        Watchdog(unfinished, code or (FAILED if is_server else 0)).allow(END, "Ending the process")
