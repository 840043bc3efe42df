"""Refuse a name that `mcpkit new` would refuse."""

import keyword
import re
import sys

NAME = "{{ cookiecutter.plugin_name }}"
RESERVED = {"client", "mcpkit", "mode", "server", "settings"}
LONGEST = 50

problem = hint = None
if not re.fullmatch(r"[a-z][a-z0-9_]*", NAME):
    problem = "is not lower-case letters, digits and _, starting with a letter"
    hint = "The plugin's name is its entry point, settings section and environment variable"
elif NAME in RESERVED or keyword.iskeyword(NAME):
    problem = "is reserved by mcpkit or Python"
elif "__" in NAME or NAME.endswith("_"):
    problem = "has two underscores, as between the levels of an environment variable"
elif len(NAME) > LONGEST:
    problem = f"is longer than {LONGEST} characters"

if problem is not None:
    sys.stderr.write(f"Error: {NAME!r} {problem}\nhint: {hint or 'Choose another name'}\n")
    sys.exit(1)
