"""Escaping: nothing in a text acts on a terminal, or ends a line."""

import json

import pytest

from mcpkit.core.escaping import escape_json, escape_line, escape_text

SAFE = "Tromsø 東京 👩‍🚀 naïve \\n"  # what people write, a joiner included


@pytest.mark.parametrize("escape", [escape_line, escape_text, escape_json])
def test_what_people_write_stays(escape: object) -> None:
    assert escape(SAFE) == SAFE  # type: ignore[operator]


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a\x1b[2J", "a\\x1b[2J"),
        ("\x00\x07\x7f\x9b", "\\x00\\x07\\x7f\\x9b"),
        ("\u202egnp.exe\u2066", "\\u202egnp.exe\\u2066"),
        ("one\u2028two\u0085", "one\\u2028two\\x85"),
        ("half \ud800", "half \\ud800"),
    ],
)
def test_what_acts_on_a_terminal_is_escaped(text: str, escaped: str) -> None:
    assert escape_line(text) == escape_text(text) == escaped


def test_a_line_stays_one_and_a_text_keeps_its_lines() -> None:
    assert escape_line("a\nb\r\n\tc\rd") == "a\\nb\\r\\n\\tc\\rd"
    assert escape_text("a\nb\r\n\tc\rd") == "a\nb\r\n\tc\\rd"


def test_json_means_the_same_afterwards() -> None:
    value = {"text": "\x1b\u202e\x9b\n\u2028 \ud800", "\u2066": 1}

    document = escape_json(json.dumps(value, indent=2, ensure_ascii=False))

    assert json.loads(document) == value
    assert all(char.isprintable() or char == "\n" for char in document)
