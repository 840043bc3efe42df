"""Regions and countries as people write them after a comma: `Portland, ME` or `Birmingham, UK`."""

import unicodedata

_LETTERS = str.maketrans(
    {"æ": "ae", "ð": "d", "đ": "d", "ħ": "h", "ł": "l", "ø": "o", "œ": "oe", "þ": "th"}
    | {"\N{LATIN SMALL LETTER DOTLESS I}": "i"}
)
"""Letters that are no letter with a mark to Unicode, and are written as others."""

CODES = {
    "america": "us",
    "britain": "gb",
    "england": "gb",
    "great britain": "gb",
    "holland": "nl",
    "korea": "kr",
    "northern ireland": "gb",
    "scotland": "gb",
    "uae": "ae",
    "uk": "gb",
    "usa": "us",
    "wales": "gb",
}
"""ISO 3166 codes of common names that are not the names of Open-Meteo."""

_STATES = """
AL Alabama, AK Alaska, AZ Arizona, AR Arkansas, CA California, CO Colorado, CT Connecticut,
DE Delaware, DC Washington D.C., FL Florida, GA Georgia, HI Hawaii, ID Idaho, IL Illinois,
IN Indiana, IA Iowa, KS Kansas, KY Kentucky, LA Louisiana, ME Maine, MD Maryland,
MA Massachusetts, MI Michigan, MN Minnesota, MS Mississippi, MO Missouri, MT Montana, NE Nebraska,
NV Nevada, NH New Hampshire, NJ New Jersey, NM New Mexico, NY New York, NC North Carolina,
ND North Dakota, OH Ohio, OK Oklahoma, OR Oregon, PA Pennsylvania, RI Rhode Island,
SC South Carolina, SD South Dakota, TN Tennessee, TX Texas, UT Utah, VT Vermont, VA Virginia,
WA Washington, WV West Virginia, WI Wisconsin, WY Wyoming, AB Alberta, BC British Columbia,
MB Manitoba, NB New Brunswick, NL Newfoundland and Labrador, NS Nova Scotia, ON Ontario,
PE Prince Edward Island, QC Quebec, SK Saskatchewan
"""
"""States of the USA and provinces of Canada, which are mostly written as two letters."""


def fold(text: str) -> str:
    """Reduce a name to what spellings of it share: `TROMSØ` and `Tromso` are equal."""
    plain = unicodedata.normalize("NFKD", text.casefold()).translate(_LETTERS)
    return " ".join("".join(c for c in plain if not unicodedata.combining(c)).split())


STATES = {
    fold(code): fold(name)
    for code, _, name in (entry.strip().partition(" ") for entry in _STATES.split(","))
}


def is_within(qualifier: str, *, country: str | None, code: str | None, region: str | None) -> bool:
    """Whether a qualifier names the country or region of a place.

    Args:
        qualifier: A name, the beginning of one of its words, a code or an abbreviation.
        country: Name of the country.
        code: ISO 3166 code of the country.
        region: Name of the region.
    """
    wanted = fold(qualifier).replace(".", "")
    if CODES.get(wanted, wanted) == (code or "").casefold():
        return True
    names = [fold(name) for name in (country, region) if name]
    if len(wanted) <= 2:
        return STATES.get(wanted) in names
    return any(f" {wanted}" in f" {name}" for name in names)
