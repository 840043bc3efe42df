"""Folding: the form in which words are compared, whatever their case, accents and script.

`Tromsø`, `TROMSØ` and `tromso` fold to `tromso`. Each letter of a script that is written without
spaces between words, such as Chinese or Thai, becomes a word: any part of a text is then a phrase.
Each letter folds by itself, so that a place in the folded text is a place in the text.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

UNSPACED = re.compile(
    "["
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\u1780-\u17ff"  # Myanmar, Khmer
    "\u2e80-\u2fdf\u3005-\u3007"  # radicals and signs of repetition
    "\u3041-\u31ff\u3400-\u4dbf\u4e00-\u9fff"  # Kana, Bopomofo, Han
    "\uac00-\ud7af\uf900-\ufaff\uff66-\uff9f"  # Hangul, compatibility forms
    "\U0001b000-\U0001b16f\U00020000-\U0003fffd"  # historic Kana, rarer Han
    "]"
)
"""Letters of scripts without spaces; Korean has spaces, but glues particles to its words."""

ACCENTS = re.compile(
    "["
    "\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"  # of all scripts
    "\u0483-\u0489"  # Cyrillic
    "\u0591-\u05bd\u05bf\u05c1-\u05c7"  # Hebrew points
    "\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed"  # Arabic vowels
    "]"
)
"""Marks that people leave out; those of Indian scripts are letters to their readers."""

INVISIBLE = frozenset("\u00ad\u0640\u200c\u200d\u2060\ufeff") | {
    chr(selector) for selector in range(0xFE00, 0xFE10)
}
"""Signs within a word that nobody types: soft hyphens, joiners, elongation, variants."""

LIGATURES = {"æ": "ae", "œ": "oe", "ð": "d", "þ": "th", "ŋ": "n", "ĸ": "k"} | {
    "\N{LATIN SMALL LETTER DOTLESS I}": "i",
    "\N{LATIN SMALL LETTER DOTLESS J}": "j",
}

ASCII = {code: chr(code).lower() if chr(code).isalnum() else " " for code in range(128)}


def _latin() -> Iterable[tuple[str, str]]:
    """Latin letters that Unicode does not decompose, such as ø, and those they are variants of."""
    for block in ((0x80, 0x250), (0x1D00, 0x1F00), (0x2C60, 0x2C80), (0xA720, 0xA800)):
        for letter in map(chr, range(*block)):
            name = re.match(r"LATIN SMALL LETTER ([A-Z]) WITH ", unicodedata.name(letter, ""))
            if name is not None:
                yield letter, name[1].lower()


LATIN = dict(_latin()) | LIGATURES


@lru_cache(maxsize=1 << 16)
def fold_letter(letter: str) -> str:
    """Fold one letter: to letters, to nothing, or to a space that parts words."""
    if letter in INVISIBLE:
        return ""
    if unicodedata.category(letter)[0] not in "LNM":
        return " "
    if UNSPACED.match(letter):
        return f" {unicodedata.normalize('NFKC', letter)} "
    parts = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", letter).casefold())
    return "".join(map(_fold_part, parts))


def _fold_part(part: str) -> str:
    """Fold a part of a letter: ½, for one, is two digits and a stroke between them."""
    if ACCENTS.match(part):
        return ""
    return LATIN.get(part, part) if unicodedata.category(part)[0] in "LNM" else " "


def fold(text: str) -> str:
    """Fold a text; what stands between spaces are its words."""
    if text.isascii():
        return text.translate(ASCII)
    return "".join(map(fold_letter, text))
