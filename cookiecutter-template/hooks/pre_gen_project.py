"""Refuse a name that mcpkit would refuse."""

import re
import sys

NAME = "{{ cookiecutter.plugin_name }}"

if not re.fullmatch(r"[a-z][a-z0-9_]*", NAME):
    sys.stderr.write(
        f"Error: {NAME!r} is not lower-case letters, digits and _, starting with a letter\n"
        "hint: The plugin's name is its entry point, settings section and environment variable\n"
    )
    sys.exit(1)
