"""Fixed offsets from UTC as people write them: `+05:30`, `UTC+2`, `GMT-3`.

The sign is that of ISO 8601: `GMT+1` is an hour ahead of UTC. The zone `Etc/GMT+1` has the sign of
POSIX and is an hour behind; it is found by that whole name only.
"""

import re
from datetime import timedelta, timezone

LARGEST = timedelta(hours=14)
"""Largest offset in use, that of Kiritimati."""

_OFFSET = re.compile(
    r"(?:utc|gmt)?\s*(?P<sign>[+\-\N{MINUS SIGN}])\s*(?P<hours>\d{1,2})(?::?(?P<minutes>[0-5]\d))?",
    re.ASCII | re.IGNORECASE,
)


def is_offset(text: str) -> bool:
    """Whether a text is written as an offset, be it one that any clock could have or not."""
    return _OFFSET.fullmatch(text.strip()) is not None


def parse(text: str) -> timezone | None:
    """Read an offset; None if the text is none, or none that any clock could have.

    The name of the result, `UTC+05:30`, can be read again.
    """
    match = _OFFSET.fullmatch(text.strip())
    if match is None:
        return None
    size = timedelta(hours=int(match["hours"]), minutes=int(match["minutes"] or 0))
    if size > LARGEST:
        return None
    return timezone(size if match["sign"] == "+" else -size)
