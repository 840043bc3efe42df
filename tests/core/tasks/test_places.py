"""Tasks run also if no file can keep them."""

import logging
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from pydantic import ValidationError

from mcpkit import Plugin
from mcpkit.core.settings import TaskSettings
from mcpkit.core.tasks.database import APPLICATION
from mcpkit.testing import connect

pytestmark = pytest.mark.anyio


def worker() -> Plugin:
    """A plugin with a tool of each kind."""
    plugin = Plugin()

    @plugin.tool()
    def plain() -> str:
        """Work at once."""
        return "plain"

    @plugin.tool(task="optional")
    def optional() -> str:
        """Work as a task if the client wants that."""
        return "optional"

    @plugin.tool(task="required")
    def required() -> str:
        """Work as a task."""
        return "required"

    return plugin


async def answers(path: str | None) -> list[str]:
    """The answer of each tool when tasks are to be kept somewhere."""
    tasks = {"path": path, "poll_interval": 0.01}
    async with connect(demo=worker(), server={"tasks": tasks}) as client:
        names = ("demo_plain", "demo_optional", "demo_required")
        results = [await client.call_tool(name, {}) for name in names]
    return [result.content[0].text for result in results]  # type: ignore[union-attr]


def make_file_as_folder(path: Path) -> None:
    path.parent.write_text("")


def make_folder(path: Path) -> None:
    path.mkdir(parents=True)


def make_diary(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("my diary\n" * 100)


def make_fifo(path: Path) -> None:
    path.parent.mkdir()
    os.mkfifo(path)


def make_link(path: Path) -> None:
    path.parent.mkdir()
    path.symlink_to(path.parent / "elsewhere")


def make_linked_log(path: Path) -> None:
    path.parent.mkdir()
    Path(f"{path}-wal").symlink_to(path.parent / "elsewhere")


def make_public(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    path.chmod(0o666)


def make_public_folder(path: Path) -> None:
    path.parent.mkdir()
    path.parent.chmod(0o777)


def make_foreign_database(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE moz_places (url TEXT)")


def make_newer(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE tasks_v9 (id TEXT)")
        database.execute(f"PRAGMA application_id = {APPLICATION}")
        database.execute("PRAGMA user_version = 9")


def make_locked(path: Path) -> None:
    path.parent.mkdir()
    locking = sqlite3.connect(path, isolation_level=None)
    locking.execute("BEGIN EXCLUSIVE")
    LOCKING.append(locking)


LOCKING: list[sqlite3.Connection] = []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "said"),
    [
        (make_file_as_folder, ("Not a directory", "File exists")),
        (make_folder, ("is no regular file",)),
        (make_diary, ("file is not a database",)),
        (make_fifo, ("is no regular file",)),
        (make_link, ("is no regular file",)),
        (make_linked_log, ("is no regular file",)),
        (make_public, ("others can write it",)),
        (make_public_folder, ("others can write it",)),
        (make_foreign_database, ("the database of another program",)),
        (make_newer, ("a newer version of mcpkit wrote it",)),
        (make_locked, ("database is locked",)),
    ],
)
async def test_tasks_are_in_memory_where_their_file_cannot_be_used(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    make: Callable[[Path], None],
    said: tuple[str, ...],
) -> None:
    path = tmp_path / "state" / "tasks.sqlite"
    make(path)
    content = path.read_bytes() if path.is_file() else None
    try:
        texts = await answers(str(path))
    finally:
        while LOCKING:
            LOCKING.pop().close()

    warning, *_ = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert texts == ["plain", "optional", "required"]
    assert f"Tasks cannot be kept in {str(path)!r}: " in warning.message
    assert any(reason in warning.message for reason in said), warning.message
    assert "tasks.path" in warning.message
    assert content is None or path.read_bytes() == content
    assert not (path.parent / "elsewhere").exists()


@pytest.mark.parametrize("home", ["nowhere", "/dev/null", "/proc/none"])
async def test_tasks_need_no_home(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, home: str
) -> None:
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", home)

    texts = await answers(None)

    assert texts == ["plain", "optional", "required"]
    assert "Tasks cannot be kept" in caplog.text
    assert home in caplog.text or "the user has no home" in caplog.text


async def test_a_relative_path_is_where_the_server_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    await answers("tasks.sqlite")

    assert (tmp_path / "tasks.sqlite").exists()


async def test_a_server_whose_folder_is_gone_keeps_tasks_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()

    assert await answers("tasks.sqlite") == ["plain", "optional", "required"]
    assert "Tasks cannot be kept" in caplog.text


async def test_the_files_belong_to_the_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "tasks.sqlite"
    path.touch(mode=0o644)
    tasks = {"path": path, "poll_interval": 0.01}
    async with connect(demo=worker(), server={"tasks": tasks}) as client:
        await client.call_tool("demo_required", {})
        modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.glob("tasks*")}

    assert modes == dict.fromkeys(["tasks.sqlite", "tasks.sqlite-wal", "tasks.sqlite-shm"], 0o600)


@pytest.mark.parametrize("path", ["a\0b", "~nobody-here/tasks.sqlite"])
def test_a_path_that_means_nothing_is_refused(path: str) -> None:
    with pytest.raises(ValidationError, match=r"null character|has no home"):
        TaskSettings.model_validate({"path": path})
