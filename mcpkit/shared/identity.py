"""Identity: what makes two servers different, as one digest.

In come the command line, the folder and the environment; out goes a name. Two clients share a
server only if all of it is the same: when in doubt, they do not.
"""

from __future__ import annotations

import hashlib
import os
import sys

import mcpkit
from mcpkit.core.own_files import read_regular_file
from mcpkit.core.user_folders import settings_folder, trust_file

LARGEST = 4 * 1024 * 1024
"""Larger settings files, in bytes, are refused by every server."""

IGNORED = frozenset(
    """
    _ SHLVL PWD OLDPWD PS1 PS2 PROMPT_COMMAND LS_COLORS
    TERM TERM_PROGRAM TERM_PROGRAM_VERSION TERM_SESSION_ID TERMINAL_EMULATOR COLORTERM COLUMNS LINES
    WINDOWID TMUX TMUX_PANE STY WINDOW VTE_VERSION ITERM_PROFILE ITERM_SESSION_ID LC_TERMINAL
    LC_TERMINAL_VERSION KITTY_WINDOW_ID KITTY_PID ALACRITTY_WINDOW_ID WEZTERM_PANE WT_SESSION
    KONSOLE_DBUS_SESSION KONSOLE_DBUS_WINDOW KONSOLE_VERSION GNOME_TERMINAL_SCREEN
    VSCODE_PID VSCODE_CWD VSCODE_IPC_HOOK VSCODE_NLS_CONFIG VSCODE_L10N_BUNDLE_LOCATION
    VSCODE_CODE_CACHE_PATH VSCODE_CRASH_REPORTER_PROCESS_TYPE VSCODE_ESM_ENTRYPOINT
    VSCODE_HANDLES_UNCAUGHT_ERRORS CURSOR_TRACE_ID
    """.split()  # noqa: SIM905  # one name on each line reads worse
)
"""Variables that only tell of a terminal, a shell or a window. They make no difference, and a
shared server does not get them: whose would they be?"""

INSTALLED = (".dist-info", ".egg-info", ".egg-link", ".pth")
"""Endings of what installers leave in a folder that they own."""


def identity(arguments: list[str], environment: dict[str, str]) -> str:
    """Tell which server a client needs, as 20 hexadecimal digits.

    Args:
        arguments: The command line, without what only says that a server is shared.
        environment: As `shared_environment` returns it.
    """
    digest = hashlib.sha256()
    for part in (*_program(arguments), *_process(environment), *_files(arguments), *_installed()):
        raw = part if isinstance(part, bytes) else os.fsencode(str(part))
        digest.update(b"%d:%b" % (len(raw), raw))
    return digest.hexdigest()[:20]


def shared_environment() -> dict[str, str]:
    """The environment, without what makes no difference."""
    return {key: value for key, value in os.environ.items() if key not in IGNORED}


def interpreter_arguments() -> list[str]:
    """How Python was told to run this command: its own options, then `-m mcpkit` or a script."""
    return sys.orig_argv[1 : len(sys.orig_argv) - len(sys.argv) + 1]


def _program(arguments: list[str]) -> list[object]:
    python = (sys.executable, sys.prefix, sys.base_prefix, sys.version)
    code = (mcpkit.__version__, os.path.dirname(os.path.realpath(mcpkit.__file__)))
    return [*python, *code, *interpreter_arguments(), "\0", *arguments, "\0"]


def _process(environment: dict[str, str]) -> list[object]:
    mask = os.umask(0o077)
    os.umask(mask)
    settings = [text for item in sorted(environment.items()) for text in item]
    return [os.getcwd(), os.getuid(), os.getgid(), sorted(os.getgroups()), mask, *settings, "\0"]


def _files(arguments: list[str]) -> list[object]:
    """The settings files that a server would read, and some that it would not."""
    named = [os.environ.get("MCPKIT_SETTINGS", "")]
    for number, argument in enumerate(arguments):
        if argument == "--settings":
            named += arguments[number + 1 : number + 2]
        elif argument.startswith("--settings="):
            named.append(argument.partition("=")[2])
    user, trust = settings_folder(), trust_file(os.getcwd())
    named += [f"{user}/mcpkit.toml" if user else "", trust or ""]
    found: list[object] = []
    for path in ("mcpkit.toml", "pyproject.toml", ".env", *filter(None, named)):
        try:
            content, status = read_regular_file(path, max_bytes=LARGEST, follow_link=True)
            found += [path, content, status.st_uid, status.st_mode]
        except OSError as exc:  # every server says what is wrong
            found += [path, str(exc)]
    return found


def _installed() -> list[object]:
    """The state of every folder that modules are imported from, the standard library's apart."""
    library = os.path.dirname(os.__file__)
    state: list[object] = ["\0"]
    for path in sys.path:
        where = path or os.getcwd()
        state.append(where)
        if where in {library, f"{library}/lib-dynload"}:
            continue
        entries = _entries(where)
        left = [entry for entry in entries if entry.name.endswith(INSTALLED)]
        if left:
            # Not the time of the folder: Python makes `__pycache__` in it at the first import.
            state += [entry.name for entry in entries if entry.name != "__pycache__"]
            state += [part for entry in left for part in _version(entry.path)]
        elif entries:
            _add_sources(entries, state)
        else:
            state += _version(where)  # a zip file, perhaps
    return state


def _entries(folder: str) -> list[os.DirEntry[str]]:
    """What is in a folder, by name; nothing if it is none."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return []


def _version(path: str) -> tuple[int, int]:
    """What changes when a file is written anew; zeros if there is none."""
    try:
        status = os.lstat(path)
    except OSError:
        return 0, 0
    return status.st_ino, status.st_mtime_ns


def _add_sources(
    entries: list[os.DirEntry[str]], state: list[object], within: tuple[str, ...] = ()
) -> None:
    """Add the Python files of a folder and its packages: what is edited where it lies."""
    for entry in entries:
        if entry.name.endswith(".py"):
            state += [entry.path, *_version(entry.path)]
        elif entry.is_dir() and os.path.isfile(f"{entry.path}/__init__.py"):
            real = os.path.realpath(entry.path) if entry.is_symlink() else entry.path
            if real not in within:  # a link may lead back to where it lies
                _add_sources(_entries(entry.path), state, (*within, real))
