"""The index follows the files: at the first search, at every search, and within limits."""

import logging
import os
import socket
import stat
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio import to_thread
from mcpkit_plugin_search import plugin
from mcpkit_plugin_search.tools import lifespan

from mcpkit import MCPError
from mcpkit.testing import Client, connect

from .hostile import many_pages

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def searching(settings: dict[str, Any]) -> AsyncIterator[Client]:
    async with connect(search=plugin, settings={"search": settings}) as client:
        yield client


async def search(client: Client, query: str) -> tuple[list[str], bool]:
    """Paths that are found, and whether indexing goes on."""
    result = await client.call_tool("search_documents", {"query": query})
    answer = result.structured_content
    assert answer is not None, result.content
    found = [hit["uri"].removeprefix("search://documents/") for hit in answer["documents"]]
    return found, answer["indexing"]


async def status_of(client: Client) -> dict[str, Any]:
    status = (await client.call_tool("search_status", {})).structured_content
    assert status is not None
    return status


@pytest.mark.parametrize("at_start", [True, False])
async def test_the_first_search_waits_for_the_index(settings: Any, at_start: bool) -> None:
    settings |= {"index_at_start": at_start}
    async with searching(settings) as client:
        found = await search(client, "wooden boat")

    assert found == (["notes/plan.md"], False)


async def test_how_far_indexing_has_come_is_shown_to_the_operator(
    settings: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("mcpkit.core.progress.LOG_INTERVAL", -1)
    with caplog.at_level(logging.INFO):
        async with searching(settings) as client:
            await search(client, "wooden boat")

    told = [record.getMessage() for record in caplog.records if "Indexing" in record.getMessage()]
    assert told[0] == "Indexing documents: 0 of 4"


async def test_a_search_sees_what_was_written_before_it(settings: Any, notes: Path) -> None:
    async with searching(settings) as client:
        before = await search(client, "zebra")
        (notes / "new.md").write_text("A zebra", "utf-8")
        added = await search(client, "zebra")
        (notes / "new.md").write_text("A camel", "utf-8")
        changed = await search(client, "zebra"), await search(client, "camel")
        (notes / "new.md").rename(notes / "trips" / "moved.md")
        moved = await search(client, "camel")
        (notes / "trips" / "moved.md").unlink()
        removed = await search(client, "camel")

    assert before == ([], False)
    assert added == (["notes/new.md"], False)
    assert changed == (([], False), (["notes/new.md"], False))
    assert moved == (["notes/trips/moved.md"], False)
    assert removed == ([], False)


async def test_a_change_that_keeps_size_and_time_is_seen(settings: Any, notes: Path) -> None:
    page = notes / "new.md"
    page.write_text("zebra", "utf-8")
    before = page.stat()
    async with searching(settings) as client:
        await search(client, "zebra")
        page.write_text("camel", "utf-8")
        os.utime(page, ns=(before.st_atime_ns, before.st_mtime_ns))
        found = await search(client, "camel")

    assert found == (["notes/new.md"], False)


async def test_a_search_does_not_wait_longer_than_told(settings: Any, notes: Path) -> None:
    settings |= {"refresh_wait": 0.3}
    async with searching(settings) as client:
        await search(client, "boat")
        (notes / "odd.pdf").write_bytes(many_pages())
        begun = time.monotonic()
        found = await search(client, "wooden boat")
        took = time.monotonic() - begun

    assert found == (["notes/plan.md"], True)
    assert took < 5


async def test_a_slow_file_keeps_no_other_waiting(settings: Any, notes: Path) -> None:
    for name in ("a", "m", "z"):
        (notes / f"{name}.pdf").write_bytes(many_pages())
        (notes / f"{name}.md").write_text("zebra", "utf-8")
    settings |= {"read_timeout": 60, "first_index_wait": 0.1}
    found: tuple[list[str], bool] = ([], True)
    async with searching(settings) as client:
        with anyio.fail_after(50):
            while len(found[0]) < 3:
                found = await search(client, "zebra")

    assert found == (["notes/a.md", "notes/m.md", "notes/z.md"], True)


async def test_without_its_process_only_what_needs_it_is_not_read(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    async with searching(settings) as client:
        found = await search(client, "wooden boat")
        status = await status_of(client)
        reindexed = await client.call_tool("search_reindex", {})
        with pytest.raises(MCPError, match="cannot be read now"):
            await client.read_resource("search://documents/notes/page.html")
        monkeypatch.undo()
        later = await search(client, "ships")

    reasons = {item["path"]: item["reason"] for item in status["skipped_files"]}
    assert found == (["notes/plan.md"], False)
    assert "cannot be read now" in reasons["notes/page.html"]
    assert reindexed.is_error
    assert later == (["notes/page.html"], False)


async def test_searches_may_look_for_no_changes(settings: Any, notes: Path) -> None:
    settings |= {"refresh_wait": 0}
    async with searching(settings) as client:
        await search(client, "zebra")
        (notes / "new.md").write_text("A zebra", "utf-8")
        unseen = await search(client, "zebra")
        await client.call_tool("search_reindex", {})
        seen = await search(client, "zebra")

    assert unseen == ([], False)
    assert seen == (["notes/new.md"], False)


async def test_skipped_files_are_named_with_the_reason(settings: Any, notes: Path) -> None:
    (notes / "large.md").write_text("x" * 2000, "utf-8")
    with (notes / "sparse.md").open("wb") as file:
        file.truncate(1 << 40)
    os.mkfifo(notes / "fifo.md")
    (notes / "loop.md").symlink_to("loop.md")
    (notes / "nowhere.md").symlink_to("absent.md")
    (notes / "zero.md").symlink_to("/dev/zero")
    (notes / "broken.pdf").write_bytes(b"%PDF-1.4\nnothing")
    Path(os.fsdecode(bytes(notes) + b"/latin-\xe9.md")).write_text("curious", "utf-8")
    for name, data in {"empty.md": b"", "mark.txt": b"\xef\xbb\xbf", "empty.rst": b""}.items():
        (notes / name).write_bytes(data)
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(notes / "socket.md"))
    async with searching({**settings, "max_file_size": 1000}) as client:
        found = await search(client, "wooden boat")
        status = await status_of(client)
        (notes / "broken.pdf").unlink()
        (notes / "binary.txt").write_text("wooden, now", "utf-8")
        await client.call_tool("search_reindex", {})
        later = await status_of(client)
    server.close()

    reasons = {item["path"]: item["reason"] for item in status["skipped_files"]}
    assert found == (["notes/plan.md"], False)
    assert status["documents"] == 6
    assert status["skipped"] == len(reasons)
    assert reasons.pop("notes/broken.pdf").startswith("the PDF is broken")
    assert reasons == {
        "notes/binary.txt": "it is binary",
        "notes/fifo.md": "it is not a regular file",
        "notes/large.md": "it is larger than 1000 bytes (max_file_size)",
        "notes/latin-\\xe9.md": "its name is not Unicode",
        "notes/link.md": "it leads out of the folder",
        "notes/loop.md": "it leads through too many links",
        "notes/nowhere.md": "No such file or directory",
        "notes/socket.md": "it is not a regular file",
        "notes/sparse.md": "it is larger than 1000 bytes (max_file_size)",
        "notes/zero.md": "it leads out of the folder",
    }
    still = {item["path"] for item in later["skipped_files"]}
    assert still == reasons.keys() - {"notes/binary.txt"}


async def test_a_file_that_could_not_be_read_is_tried_again_when_asked(
    settings: Any, notes: Path
) -> None:
    (notes / "odd.pdf").write_bytes(many_pages())
    settings |= {"read_timeout": 1}
    async with searching(settings) as client:
        await search(client, "boat")
        begun = time.process_time()
        for _ in range(5):
            await search(client, "boat")
        status = await status_of(client)
        spent = time.process_time() - begun
        reindexing = anyio.move_on_after(0.5)
        with reindexing:
            await client.call_tool("search_reindex", {})

    reasons = {item["path"]: item["reason"] for item in status["skipped_files"]}
    assert reasons["notes/odd.pdf"] == "reading it takes longer than 1 s (read_timeout)"
    assert spent < 3
    assert reindexing.cancelled_caught  # it reads the file once more


async def test_only_so_many_files_are_indexed(settings: Any, notes: Path) -> None:
    for number in range(10):
        (notes / f"a{number}.md").write_text(f"zebra {number}", "utf-8")
    async with searching({**settings, "max_files": 4}) as client:
        found, _ = await search(client, "zebra")
        status = await status_of(client)

    assert len(found) == 4
    assert "notes/a4.md and those after it" in [it["path"] for it in status["skipped_files"]]


HEAVY = "the boat and the sea and a b c d e f g h i j k l m n o p " * 2000


async def test_a_search_that_takes_too_long_is_interrupted(settings: Any, notes: Path) -> None:
    for number in range(20):
        (notes / f"{number}.md").write_text(HEAVY, "utf-8")
    settings |= {"search_timeout": 0.5, "max_searches": 1}
    query = " ".join(f"{letter}*" for letter in "abcdefghijklmnop") + ' "' + "the " * 40 + '"'
    async with searching(settings) as client:
        await search(client, "wooden")
        slow = await client.call_tool("search_documents", {"query": query})
        with anyio.fail_after(20):  # the one thread is free again
            while (await client.call_tool("search_documents", {"query": "lofoten"})).is_error:
                await anyio.sleep(0.05)

    assert slow.is_error
    assert "took too long" in slow.content[0].text  # type: ignore[union-attr]


async def test_many_searches_leave_the_threads_of_others_alone(settings: Any, notes: Path) -> None:
    for number in range(20):
        (notes / f"{number}.md").write_text(HEAVY, "utf-8")
    query = " ".join("abcdefghijklmnop")
    others = []
    async with searching(settings) as client:
        await search(client, "wooden")
        async with anyio.create_task_group() as tasks:
            for _ in range(42):
                tasks.start_soon(search, client, query)
            for _ in range(20):
                await anyio.sleep(0.01)
                others.append(to_thread.current_default_thread_limiter().borrowed_tokens)
            tasks.cancel_scope.cancel()

    assert set(others) == {0}


async def test_the_index_is_the_users_own(settings: Any, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "cache"
    settings |= {"index_path": str(folder / "index.sqlite")}
    async with searching(settings) as client:
        await search(client, "boat")
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}
        (folder / "index.sqlite").chmod(0o644)
    async with searching(settings) as client:
        await search(client, "boat")
        again = {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert modes["index.sqlite"] == 0o600
    assert set(modes.values()) | again == {0o600}


async def test_the_default_folder_is_private_and_kept_tidy(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "cache" / "mcpkit" / "search"
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    for name, days in {"used.sqlite": 80, "unused.sqlite": 100, "unused.sqlite-wal": 100}.items():
        (folder / name).write_bytes(b"")
        os.utime(folder / name, (time.time() - days * 86_400,) * 2)
    del settings["index_path"]
    async with searching(settings) as client:
        found = await search(client, "wooden boat")
        left = {file.name for file in folder.glob("*.sqlite*") if len(file.stem) < 16}

    assert found == (["notes/plan.md"], False)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert left == {"used.sqlite"}


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
async def test_an_index_path_that_is_no_file_is_told(settings: Any, make: Any) -> None:
    make(Path(settings["index_path"]))
    async with searching(settings) as client:
        with anyio.fail_after(20):
            result = await client.call_tool("search_documents", {"query": "boat"})
        status = await status_of(client)

    assert result.is_error
    assert "cannot be used" in result.content[0].text  # type: ignore[union-attr]
    assert "cannot be used" in status["problem"]


async def test_an_index_of_another_version_is_built_again_without_a_word(
    settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    from .test_documents import other_version

    async with searching(settings) as client:
        await search(client, "boat")
    other_version(Path(settings["index_path"]))
    async with searching(settings) as client:
        found = await search(client, "wooden boat")

    assert found == (["notes/plan.md"], False)
    assert [it for it in caplog.records if it.levelno >= logging.WARNING] == []


async def test_the_lifespan_ends_at_once_while_files_are_read(settings: Any, notes: Path) -> None:
    from mcpkit_plugin_search.settings import SearchSettings

    (notes / "odd.pdf").write_bytes(many_pages())
    async with lifespan(SearchSettings(**settings, read_timeout=60)) as state:
        assert state.library is not None
        with anyio.fail_after(20):
            while not state.library.is_indexing:
                await anyio.sleep(0.01)
            await anyio.sleep(0.5)
        begun = time.monotonic()

    assert time.monotonic() - begun < 3
