"""Escaping of control characters: text of others, made safe for a terminal and for a log.

A plugin, a client or another server may put anything into a text: line breaks that forge a record
of the log, or sequences that move the cursor, set the title of a terminal or reverse what is read.
"""

from __future__ import annotations

import re

_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_CONTROL = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufff9-\ufffb"
_UNSAFE = re.compile(f"[\t\n\r{_CONTROL}{_BIDI}]")
_UNSAFE_IN_TEXT = re.compile(f"\r(?!\n)|[{_CONTROL}{_BIDI}]")


def escape_line(text: str) -> str:
    r"""Escape what could end the line or act on a terminal, as Python writes it: `\n`, `\x1b`."""
    if text.isprintable():  # nearly always, and much quicker than the search
        return text
    return _UNSAFE.sub(_escaped, text)


def escape_text(text: str) -> str:
    """Escape what could act on a terminal; tabs and line breaks stay."""
    if text.isprintable():
        return text
    return _UNSAFE_IN_TEXT.sub(_escaped, text)


def escape_json(document: str) -> str:
    """Escape the same characters in a JSON document, which means the same afterwards."""
    return _UNSAFE_IN_TEXT.sub(lambda found: f"\\u{ord(found[0]):04x}", document)


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")
