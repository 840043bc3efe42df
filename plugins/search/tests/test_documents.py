"""The operator's documents, searched and read by the official client."""

import contextlib
import os
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcpkit_plugin_search.index import default_path
from mcpkit_plugin_search.settings import SearchSettings
from mcpkit_plugin_search.tools import lifespan as lifespan_of
from mcpkit_plugin_search.tools import mcpkit_health, plugin

from mcpkit import MCPError, MCPKitError, ResourceTemplateReference
from mcpkit.testing import Client, assert_contract, connect

from .hostile import many_pages, text_pdf

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def searching(settings: dict[str, Any], **options: Any) -> AsyncIterator[Client]:
    """Connect, and wait until the index is up to date."""
    async with connect(search=plugin, settings={"search": settings}, **options) as client:
        with anyio.fail_after(10):
            while True:
                status = (await client.call_tool("search_status", {})).structured_content
                assert status is not None
                if status["indexed_at"] or not settings.get("index_at_start", True):
                    break
                await anyio.sleep(0.01)
        yield client


async def find(client: Client, query: str, **arguments: Any) -> list[dict[str, Any]]:
    result = await client.call_tool("search_documents", {"query": query, **arguments})
    assert result.structured_content is not None, result.content
    found: list[dict[str, Any]] = result.structured_content["documents"]
    return found


def uris(found: list[dict[str, Any]]) -> list[str]:
    return [document["uri"].removeprefix("search://documents/") for document in found]


async def test_it_keeps_the_plugin_contract(settings: Any) -> None:
    await assert_contract(search=plugin, settings={"search": settings})


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_documents_are_found_with_title_and_snippet(settings: Any, mode: Any) -> None:
    async with searching(settings, mode=mode) as client:
        found = await find(client, "wooden boat")

    assert uris(found) == ["notes/plan.md"]
    assert found[0]["title"] == "The grand plan"
    assert "**wooden** **boat**" in found[0]["snippet"]
    assert found[0]["score"] > 0


async def test_what_must_stay_out_stays_out(settings: Any) -> None:
    async with searching(settings) as client:
        found = await find(client, "wooden")
        secrets = [
            await client.call_tool("search_documents", {"query": word})
            for word in ("secret", "module", "outside")
        ]

    assert sorted(uris(found)) == ["notes/plan.md", "notes/trips/lofoten.txt"]
    assert [answer.structured_content for answer in secrets] == [
        {"documents": [], "indexing": False}
    ] * 3


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('"wooden cabin"', ["notes/trips/lofoten.txt"]),
        ('"cabin wooden"', []),
        ("nort*", ["notes/trips/lofoten.txt"]),
        ("eclair", ["notes/trips/lofoten.txt"]),
        ("cabin spring", ["notes/plan.md", "notes/trips/lofoten.txt"]),
        ('wooden "cabin', ["notes/trips/lofoten.txt"]),
        ("boat AND (NOT -", ["notes/page.html", "notes/plan.md"]),
        ("ships", ["notes/page.html"]),
        ("var", []),
    ],
)
async def test_queries_are_words_phrases_and_beginnings(
    settings: Any, query: str, expected: list[str]
) -> None:
    async with searching(settings) as client:
        found = await find(client, query)

    assert sorted(uris(found)) == expected


@pytest.mark.parametrize("query", ["", "  ", '""', "***", "- + ~", "\0"])
async def test_a_query_without_words_says_so(settings: Any, query: str) -> None:
    async with searching(settings) as client:
        result = await client.call_tool("search_documents", {"query": query})

    assert result.is_error
    assert "no word" in result.content[0].text  # type: ignore[union-attr]


async def test_a_search_can_keep_to_one_folder(settings: Any, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "boats.md").write_text("boat", "utf-8")
    both = {**settings, "folders": {"mine": settings["folders"][0], "theirs": str(other)}}
    async with searching(both) as client:
        everywhere = await find(client, "boat")
        there = await find(client, "boat", folder="theirs")
        wrong = await client.call_tool("search_documents", {"query": "boat", "folder": "x"})

    assert len(everywhere) == 3
    assert uris(there) == ["theirs/boats.md"]
    assert "there are mine, theirs" in wrong.content[0].text  # type: ignore[union-attr]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_document_is_read_by_the_uri_that_was_found(settings: Any, mode: Any) -> None:
    async with searching(settings, mode=mode) as client:
        found = await find(client, "lights")
        content = (await client.read_resource(found[0]["uri"])).contents[0]

    assert "Northern lights" in content.text  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "path",
    [
        "notes/../outside.md",
        "notes/..%2Foutside.md",
        "notes/%2e%2e/outside.md",
        "notes/link.md",
        "notes/.hidden/secret.md",
        "notes/node_modules/lib.md",
        "notes/data.csv",
        "notes/binary.txt",
        "notes/plan.md%00",
        "notes//etc/passwd",
        "/etc/passwd",
        "%2Fetc%2Fpasswd",
        "notes",
        "notes/",
        "other/plan.md",
        "notes/absent.md",
    ],
)
async def test_nothing_else_can_be_read(settings: Any, path: str) -> None:
    async with searching(settings) as client:
        with pytest.raises(MCPError) as caught:
            await client.read_resource(f"search://documents/{path}")

    assert caught.value.code == -32602


async def test_the_error_for_a_long_path_repeats_a_part_of_it(settings: Any) -> None:
    async with searching(settings) as client:
        with pytest.raises(MCPError, match="There is no document 'xxx") as refused:
            await client.read_resource(f"search://documents/{'x' * 60_000}")

    assert len(str(refused.value)) < 300


async def test_reindexing_reads_what_changed_and_forgets_what_is_gone(
    settings: Any, notes: Path
) -> None:
    progress: list[tuple[float, float | None]] = []

    async def on_progress(done: float, total: float | None, message: str | None) -> None:
        progress.append((done, total))

    async with searching(settings) as client:
        (notes / "plan.md").unlink()
        (notes / "new.md").write_text("A brand new wooden boat", "utf-8")
        page = notes / "page.html"
        page.write_text("<p>A wooden page about nothing</p>", "utf-8")
        os.utime(page, ns=(1, 1))
        result = await client.call_tool("search_reindex", {}, progress_callback=on_progress)
        found = await find(client, "wooden")

    assert result.structured_content == {
        "added": 2,
        "removed": 1,
        "unchanged": 1,
        "skipped": 2,
    }
    assert sorted(uris(found)) == ["notes/new.md", "notes/page.html", "notes/trips/lofoten.txt"]
    assert progress[-1] == (3, 3)


async def test_an_index_is_kept_for_the_next_start(settings: Any) -> None:
    async with searching(settings):
        pass
    async with searching({**settings, "index_at_start": False}) as client:
        found = await find(client, "wooden boat")

    assert uris(found) == ["notes/plan.md"]


def other_version(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 99")
        database.commit()


def damaged(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 20_000)


def no_table(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("DROP TABLE texts")
        database.execute("DROP TABLE documents")
        database.commit()


def no_words(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("DROP TABLE texts_data")
        database.commit()


def deleted(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("breaking", [other_version, damaged, no_table, no_words, deleted])
@pytest.mark.parametrize("meanwhile", [False, True], ids=["between starts", "while serving"])
async def test_a_broken_index_is_built_again(
    settings: Any, breaking: Callable[[Path], None], meanwhile: bool
) -> None:
    path = Path(settings["index_path"])
    async with searching(settings) as client:
        if meanwhile and breaking is not other_version:
            breaking(path)
            found = await find(client, "wooden boat")
            assert uris(found) == ["notes/plan.md"]
    breaking(path)
    async with searching(settings) as client:
        found = await find(client, "wooden boat")

    assert uris(found) == ["notes/plan.md"]


@pytest.mark.parametrize("content", [b"my diary\n" * 100, b"SQLite format 3\0" + b"\1" * 100])
async def test_a_file_that_is_no_index_is_left_alone(settings: Any, content: bytes) -> None:
    path = Path(settings["index_path"])
    path.write_bytes(content)

    async with connect(search=plugin, settings={"search": settings}) as client:
        found = await client.call_tool("search_documents", {"query": "boat"})
        reindexed = await client.call_tool("search_reindex", {})

    assert path.read_bytes() == content
    assert found.is_error
    assert reindexed.is_error
    assert "cannot be used" in found.content[0].text  # type: ignore[union-attr]


async def test_an_index_that_cannot_be_made_takes_nothing_else_down(
    settings: Any, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    settings["index_path"] = str(tmp_path / "file" / "index.sqlite")
    section = SearchSettings(**settings)
    async with lifespan_of(section) as state:
        with anyio.fail_after(5):
            while state.library is not None and state.library.problem is None:
                await anyio.sleep(0.01)
        health = mcpkit_health(settings=section, state=state)
        assert state.library is not None
        text = await state.library.read("notes/plan.md")

    assert not health.ready
    assert "Not a directory" in health.message or "File exists" in health.message
    assert text is not None


async def test_health_tells_documents_and_what_is_missing(settings: Any) -> None:
    section = SearchSettings(**settings, web_backend="tavily", index_at_start=False)
    async with lifespan_of(section) as state:
        assert state.library is not None
        await state.library.reindex()
        health = mcpkit_health(settings=section, state=state)

    assert not health.ready
    assert "plugins.search.tavily_api_key" in health.message
    assert health.data == {"documents": 3, "indexing": False}


async def test_the_default_index_depends_on_what_is_indexed(settings: Any) -> None:
    one = SearchSettings(folders=settings["folders"])
    same = SearchSettings(folders=settings["folders"], timeout=3)
    fewer = SearchSettings(folders=settings["folders"], include=["*.md"])

    assert default_path(one) == default_path(same) != default_path(fewer)
    assert SearchSettings(index_path="~/x.sqlite").index_path == Path.home() / "x.sqlite"


async def test_odd_names_and_broken_files_stop_nothing(settings: Any, notes: Path) -> None:
    for name in ("c#.md", "what?.md", "50%25.md", "å ß.md"):
        (notes / name).write_text(f"curious {name}", "utf-8")
    Path(os.fsdecode(bytes(notes) + b"/latin-\xe9.md")).write_text("curious latin", "utf-8")
    (notes / "odd.pdf").write_bytes(b"%PDF-1.4\n1 0 obj\n<</Length 99999999999>>stream")
    (notes / "loop.md").symlink_to(notes / "loop.md")
    async with searching(settings) as client:
        found = await find(client, "curious")
        texts = [(await client.read_resource(hit["uri"])).contents[0] for hit in found]
        again = await client.call_tool("search_reindex", {})
        reference = ResourceTemplateReference(uri="search://documents/{+path}")
        completed = await client.complete(reference, {"name": "path", "value": "c#"})

    assert sorted(text.text for text in texts) == [  # type: ignore[union-attr]
        "curious 50%25.md",
        "curious c#.md",
        "curious what?.md",
        "curious å ß.md",
    ]
    assert completed.completion.values == ["notes/c%23.md"]
    assert again.structured_content is not None
    assert again.structured_content["skipped"] == 5


async def test_a_document_that_becomes_unreadable_is_forgotten(settings: Any, notes: Path) -> None:
    async with searching(settings) as client:
        (notes / "plan.md").write_bytes(b"wooden\0boat")
        await client.call_tool("search_reindex", {})
        found = await find(client, "plan")

    assert found == []


async def test_a_link_to_a_hidden_file_leads_nowhere(settings: Any, notes: Path) -> None:
    (notes / "open.md").symlink_to(notes / ".hidden" / "secret.md")
    (notes / "alias.md").symlink_to(notes / "plan.md")
    async with searching(settings) as client:
        found = await find(client, "wooden")
        with pytest.raises(MCPError):
            await client.read_resource("search://documents/notes/open.md")
        await client.read_resource("search://documents/notes/alias.md")

    assert "notes/alias.md" in uris(found)
    assert "notes/open.md" not in uris(found)


async def test_who_is_cancelled_stops_waiting_for_a_run_that_goes_on(
    settings: Any, notes: Path
) -> None:
    (notes / "odd.pdf").write_bytes(many_pages())
    settings |= {"index_at_start": False, "read_timeout": 2}
    async with searching(settings) as client:
        with anyio.move_on_after(0.5) as scope:
            await client.call_tool("search_reindex", {})
        status = (await client.call_tool("search_status", {})).structured_content
        found = await find(client, "wooden boat")

    assert scope.cancelled_caught
    assert status is not None
    assert status["indexing"]
    assert uris(found) == ["notes/plan.md"]


async def test_two_servers_share_one_index(settings: Any) -> None:
    async with searching(settings) as one, searching(settings) as two:
        async with anyio.create_task_group() as tasks:
            for client in (one, two, one, two):
                tasks.start_soon(client.call_tool, "search_reindex", {})
        found = await find(one, "wooden boat"), await find(two, "wooden boat")

    assert [uris(documents) for documents in found] == [["notes/plan.md"]] * 2


async def test_paths_are_completed_by_any_part(settings: Any) -> None:
    reference = ResourceTemplateReference(uri="search://documents/{+path}")
    async with searching(settings) as client:
        result = await client.complete(reference, {"name": "path", "value": "LOF"})

    assert result.completion.values == ["notes/trips/lofoten.txt"]


async def test_without_folders_the_model_learns_what_is_missing() -> None:
    async with connect(search=plugin) as client:
        result = await client.call_tool("search_documents", {"query": "boat"})
        status = await client.call_tool("search_status", {})
        prompt = await client.get_prompt("search_research", {"topic": "boats"})

    assert result.is_error
    assert "plugins.search.folders" in result.content[0].text  # type: ignore[union-attr]
    assert status.structured_content is not None
    assert status.structured_content["documents"] == 0
    assert "boats" in prompt.messages[0].content.text  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"folders": ["/no/such/folder"]}, "does not exist"),
        ({"folders": {"a/b": "/"}}, "cannot label"),
        ({"folders": ["/usr/lib", "/var/lib"]}, "two folders are called 'lib'"),
        ({"brave_api_key": "two\nlines"}, "no HTTP header carries"),
        ({"tavily_api_key": "schlüssel"}, "no HTTP header carries"),
        ({"web_backend": "duckduckgo"}, "must be 'none', 'searxng'"),
    ],
)
async def test_wrong_settings_say_what_is_wrong(section: Any, said: str) -> None:
    with pytest.raises(MCPKitError) as caught:
        async with connect(search=plugin, settings={"search": section}):
            pytest.fail("it loaded")

    assert said in caught.value.message
    assert "two" not in caught.value.message.replace("two folders", "")
    assert "schlüssel" not in caught.value.message


async def test_a_pdf_is_read_page_by_page(settings: Any, notes: Path) -> None:
    (notes / "sails.pdf").write_bytes(text_pdf("Anchors and sails"))
    (notes / "broken.pdf").write_bytes(b"%PDF-1.4\nnothing")

    async with searching(settings) as client:
        found = await find(client, "anchors")

    assert uris(found) == ["notes/sails.pdf"]
