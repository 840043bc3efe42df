"""Words of all languages are found as people type them, and quoted as the document says."""
# ruff: noqa: RUF001  # letters of other scripts are the subject

import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from mcpkit_plugin_search.database import Database
from mcpkit_plugin_search.files import FoundFile
from mcpkit_plugin_search.finding import Question
from mcpkit_plugin_search.folding import fold, fold_letter
from mcpkit_plugin_search.index import Index
from mcpkit_plugin_search.passages import SIZE, read_document
from mcpkit_plugin_search.query import MAX_TERMS, MAX_WORDS, QueryError, parse
from mcpkit_plugin_search.snippets import WIDTH, snippet
from mcpkit_plugin_search.texts import Content


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    database = Database(tmp_path / "index.sqlite")
    database.prepare()
    return Index(database)


def put(index: Index, **texts: str) -> None:
    for name, text in texts.items():
        content = Content(
            name=f"{name}.txt", data=text.encode(), encoding="utf-8", max_text=10_000_000
        )
        found = FoundFile(path=f"notes/{name}.txt", modified=0, stamp="")
        index.put([(found, read_document(content))])


def find(index: Index, query: str) -> dict[str, str]:
    """Name to snippet."""
    question = Question(terms=parse(query), folder=None, limit=50)
    hits = index.search(question, lambda: False)
    return {Path(hit.path).stem: hit.snippet for hit in hits}


FOUND = {
    "tromso": ("En tur til Tromsø i mai", "**Tromsø**"),
    "TROMSØ": ("til tromso", "**tromso**"),
    "strasse": ("in der Hauptstraße, Straße", "Hauptstraße, **Straße**"),
    "lodz": ("do Łodzi i Łódź", "Łodzi i **Łódź**"),
    "aegir": ("Ægir og Rán", "**Ægir**"),
    "thorunn": ("Þórunn í Garði", "**Þórunn**"),
    "da nang": ("Đà Nẵng", "**Đà** **Nẵng**"),
    "istanbul": ("İSTANBUL", "**İSTANBUL**"),
    "isik": ("IŞIK ışık", "**IŞIK** **ışık**"),
    "αθηνα": ("στην Αθήνα", "**Αθήνα**"),
    "οδος": ("ΟΔΟΣ", "**ΟΔΟΣ**"),
    "елка": ("Ёлка", "**Ёлка**"),
    "شمس": ("الشَّمسُ شَمْس", "**شَمْس**"),
    "cafe": ("cafe\u0301 au lait", "**café**"),
    "naïve": ("na\u00adive", "**na\u00adive**"),
    "office": ("the oﬃce", "**oﬃce**"),
    "abc123": ("ＡＢＣ１２３", "**ＡＢＣ１２３**"),
    "हिन्दी": ("यह हिन्दी है", "**हिन्दी**"),
    "東京": ("来週東京都に行く", "来週**東京**都に行く"),
    "京": ("東京", "東**京**"),
    "ラーメン": ("美味しいラーメン屋", "美味しい**ラーメン**屋"),
    "서울": ("내일 서울에서 만나요", "**서울**에서"),
    "กรุงเทพ": ("ไปกรุงเทพมหานคร", "ไป**กรุงเทพ**มหานคร"),
    '"東京 タワー"': ("東京タワー", "**東京タワー**"),
    "東京 2026": ("2026年の東京", "**2026**年の**東京**"),
}


@pytest.mark.parametrize("query", FOUND)
def test_words_are_found_whatever_their_accents_and_script(index: Index, query: str) -> None:
    text, marked = FOUND[query]
    put(index, right=text, wrong="something else: 何か, 다른 것, что-то")

    found = find(index, query)

    assert list(found) == ["right"]
    assert unicodedata.normalize("NFC", marked) in found["right"]


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("tromso", "Tromsdalen"),
        ("東京", "京東"),
        ("हिन्द", "हिन्दी"),
        ("か", "が"),
        ("find", "finder"),
        ("서울", "울서"),
    ],
)
def test_other_words_are_not(index: Index, query: str, text: str) -> None:
    put(index, text=text)

    assert find(index, query) == {}


def test_terms_may_stand_far_apart(index: Index) -> None:
    far = "alpha " + "filler " * 1000 + "omega"
    put(index, far=far, near="alpha omega", one="alpha alpha alpha")

    found = find(index, "alpha omega")

    assert list(found) == ["near", "far"]
    assert "**" in found["far"]


def test_nothing_is_lost_where_a_text_is_cut(index: Index) -> None:
    text = "".join(chr(0x4E00 + number) for number in range(4 * SIZE))
    put(index, long=text)

    for place in range(SIZE - 60, SIZE + 20, 4):
        assert list(find(index, text[place : place + 5])) == ["long"]


def test_a_snippet_shows_the_place_where_most_terms_are(index: Index) -> None:
    text = "alpha " + "filler " * 60 + "alpha beta" + " filler" * 60
    put(index, text=text)

    quoted = find(index, "alpha beta")["text"]

    assert "**alpha** **beta**" in quoted
    assert quoted.startswith("…filler")
    assert quoted.endswith("filler…")
    assert len(quoted) <= WIDTH + 10


def test_a_document_without_text_is_found_by_its_title(index: Index) -> None:
    put(index, empty="")

    assert find(index, "empty") == {"empty": ""}


def test_equal_terms_count_once() -> None:
    assert len(parse("the " * 200)) == 1
    assert len(parse('Ærø aero AERO* "aero"')) == 2


@pytest.mark.parametrize(
    "query",
    [
        "x" * 1001,
        " ".join(f"w{number}" for number in range(MAX_TERMS + 1)),
        "京" * (MAX_WORDS + 1),
    ],
)
def test_a_query_that_is_too_long_says_so(query: str) -> None:
    with pytest.raises(QueryError, match="at most"):
        parse(query)


@pytest.mark.parametrize(
    "query", [" ".join(f"w{number}" for number in range(MAX_TERMS)), "京" * MAX_WORDS]
)
def test_a_query_as_long_as_allowed_is_looked_for(index: Index, query: str) -> None:
    put(index, text=query)

    assert list(find(index, query)) == ["text"]


@given(text=st.text(alphabet=st.characters(max_codepoint=127)))
@examples(deadline=None)
def test_the_short_way_for_ascii_is_the_long_one(text: str) -> None:
    assert fold(text) == "".join(map(fold_letter, text))


@given(text=st.text(alphabet=st.characters(exclude_characters="*…")), query=st.text(min_size=1))
@examples(max_examples=200, deadline=None)
def test_a_snippet_quotes_the_text(text: str, query: str) -> None:
    try:
        terms = parse(query)
    except QueryError:
        terms = ()

    quoted = snippet(text, terms).replace("**", "").strip("…")

    assert " ".join(quoted.split()) in " ".join(text.split())
