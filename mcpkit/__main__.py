"""The command `mcpkit`, as the console script and as `python -m mcpkit`.

A relay to a shared server is told apart before anything is imported that it does not need.
"""

from __future__ import annotations

import os
import sys

if __name__ == "__main__" and not sys.flags.safe_path:
    # Python puts the working directory first; what lies there may be somebody else's.
    del sys.path[0]


def main() -> None:
    """Run the command line and exit."""
    try:
        _run()
    except KeyboardInterrupt:  # in an import: the commands have their own way to end
        sys.exit(130)


def _run() -> None:
    open_missing_streams()
    arguments = sys.argv[1:]
    alone = None
    if "--shared" in arguments:
        from mcpkit.shared import relay  # start-up time is the reason

        outcome = relay.run(arguments) if relay.is_wanted(arguments) else None
        if isinstance(outcome, int):
            sys.exit(outcome)
        alone = outcome
    from mcpkit.cli.main import main as run_command  # start-up time is the reason

    run_command(alone=alone)


def open_missing_streams() -> None:
    """Open standard streams that the host closed: the next socket would get their numbers."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            nothing = os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
            os.set_inheritable(nothing, True)
        if getattr(sys, name) is None:
            stream = open(number, "w" if number else "r", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)


if __name__ == "__main__":
    main()
