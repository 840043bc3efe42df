"""Folding: what all spellings of a name share, whatever their case, accents and punctuation."""

import unicodedata

_LETTERS = str.maketrans(
    {"æ": "ae", "ð": "d", "đ": "d", "ħ": "h", "ł": "l", "ø": "o", "œ": "oe", "þ": "th"}
    | {"\N{LATIN SMALL LETTER DOTLESS I}": "i"}
    | dict.fromkeys("'.`\N{RIGHT SINGLE QUOTATION MARK}\N{MODIFIER LETTER APOSTROPHE}", "")
)
"""Letters that are written as others without their mark, and punctuation within words."""


def fold(name: str) -> str:
    """Reduce a name to what its spellings share: `TROMSØ` and `Tromso`, `Xi'an` and `Xian`."""
    plain = unicodedata.normalize("NFKD", name.casefold()).translate(_LETTERS)
    letters = (c if c.isalnum() or unicodedata.category(c)[0] == "M" else " " for c in plain)
    kept = "".join(c for c in letters if not _is_accent(c))
    return " ".join(unicodedata.normalize("NFC", kept).split())


def _is_accent(character: str) -> bool:
    """Whether a mark may be left out: those of Latin, Greek, Cyrillic, Hebrew and Arabic.

    In other scripts a mark makes another sound: without theirs, Paris is Bali in Japanese.
    """
    place = unicodedata.combining(character)
    return place >= 200 or 10 <= place <= 36
