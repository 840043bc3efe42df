"""Front matter: the YAML head of a `SKILL.md` as JSON (agentskills.io).

PyYAML parses it. What it may cost is bounded: its size, how deep it is nested, and no aliases, by
which a few lines become gigabytes when they are sent.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

MAX_SIZE = 16 * 1024
"""Most characters of a head; a description has 1024 at most (agentskills.io)."""

MAX_DEPTH = 20
"""Most lists and mappings within each other."""

HEAD = re.compile(r"\A---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(\r?\n|\Z)", re.DOTALL)


class _JsonLoader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no types
    """A safe loader that reads YAML 1.2 as JSON would: no dates, and `yes` is a word."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  # as the base class has it


_RULES = {
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "int": (r"[-+]?[0-9]+", "-+0123456789"),
    "float": (r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
}
for _kind, (_pattern, _first) in _RULES.items():
    _expression = re.compile(rf"^(?:{_pattern})$")
    _JsonLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", _expression, list(_first))
# PyYAML would read 0123 as octal, which YAML 1.2 does not.
_JsonLoader.add_constructor(
    "tag:yaml.org,2002:int", lambda loader, node: int(loader.construct_scalar(node))
)


def read_frontmatter(text: str) -> Any:
    """Parse the head of a text; None if it has none.

    Raises:
        ValueError: The head is no YAML, or larger or deeper than is allowed.
    """
    match = HEAD.match(text)
    if match is None:
        return None
    head = match[1]
    if len(head) > MAX_SIZE:
        raise ValueError(f"it has {len(head)} characters, and {MAX_SIZE} are allowed")
    try:
        _check_shape(head)
        return yaml.load(head, Loader=_JsonLoader)  # noqa: S506  # a safe one
    except yaml.YAMLError as exc:
        raise ValueError(str(exc)) from exc


def _check_shape(head: str) -> None:
    depth = 0
    for event in yaml.parse(head, Loader=_JsonLoader):
        if isinstance(event, yaml.AliasEvent):
            raise ValueError("it has an alias; write the value again")  # noqa: TRY004  # of YAML
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise ValueError(f"it is nested more than {MAX_DEPTH} deep")
