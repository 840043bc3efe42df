"""Opening files below a folder: nothing outside of it is read, whatever is swapped meanwhile."""

import os
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from mcpkit_plugin_search import below
from mcpkit_plugin_search.below import MAX_DEPTH, RefusedError, opened, walk

READS = 3000


def allowed(name: str, is_file: bool) -> bool:
    return not name.startswith(".") and (not is_file or name.endswith(".md"))


def read(root: Path, path: str) -> str:
    with opened(root, path.split("/"), allowed) as descriptor:
        return os.read(descriptor, 100).decode()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder, with a file beside it that must never be read."""
    folder = tmp_path / "root"
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "b" / "note.md").write_text("inside", "utf-8")
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "secret.md").write_text("hidden", "utf-8")
    (folder / "data.csv").write_text("data", "utf-8")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "note.md").write_text("outside", "utf-8")
    return folder


@pytest.fixture(params=[True, False], ids=["by descriptor", "by path"])
def _either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on this system, and as on one without `openat`."""
    monkeypatch.setattr(below, "HAS_DESCRIPTORS", request.param)


LINKS = {
    "a relative one": ("link.md", "a/b/note.md"),
    "an absolute one": ("link.md", "{root}/a/b/note.md"),
    "up and down again": ("a/link.md", "../a/./b//note.md"),
    "of a folder": ("other", "a/b"),
    "of a link": ("link.md", "a/first.md"),
}


@pytest.mark.usefixtures("_either_way")
@pytest.mark.parametrize("name", LINKS)
def test_a_link_within_the_folder_is_followed(root: Path, name: str) -> None:
    link, target = LINKS[name]
    (root / "a" / "first.md").symlink_to("b/note.md")
    (root / link).symlink_to(target.format(root=root))

    assert read(root, link if link.endswith(".md") else f"{link}/note.md") == "inside"


BAD_LINKS = {
    "out": ("link.md", "../out/note.md"),
    "out, absolutely": ("link.md", "{root}/../out/note.md"),
    "elsewhere": ("link.md", "/etc/hostname.md"),
    "folder out": ("other", "../out"),
    "out and in again": ("link.md", "../root/a/b/note.md"),
    "hidden": ("link.md", ".hidden/secret.md"),
    "other suffix": ("link.md", "data.csv"),
    "folder": ("link.md", "a/b"),
    "itself": ("link.md", "link.md"),
    "nowhere": ("link.md", "absent.md"),
    "a file as folder": ("other", "a/b/note.md"),
    "the folder": ("link.md", "."),
    "device": ("link.md", "/dev/zero"),
}


@pytest.mark.usefixtures("_either_way")
@pytest.mark.parametrize("name", BAD_LINKS)
def test_a_link_to_anything_else_is_not(
    root: Path, name: str, request: pytest.FixtureRequest
) -> None:
    link, target = BAD_LINKS[name]
    (root / link).symlink_to(target.format(root=root))
    if name == "out and in again" and not below.HAS_DESCRIPTORS:
        assert read(root, link) == "inside"  # only the end of the way is looked at
        return

    with pytest.raises((RefusedError, OSError)):
        read(root, link if link.endswith(".md") else f"{link}/note.md")


def test_a_path_through_too_many_links_or_folders_is_refused(root: Path) -> None:
    (root / "0.md").symlink_to("a/b/note.md")
    for number in range(1, 20):
        (root / f"{number}.md").symlink_to(f"{number - 1}.md")
    deep = root
    for _ in range(MAX_DEPTH + 2):
        deep = deep / "d"
        deep.mkdir()
    (deep / "note.md").write_text("deep", "utf-8")

    assert read(root, "3.md") == "inside"
    with pytest.raises(RefusedError, match="too many links"):
        read(root, "19.md")
    with pytest.raises(RefusedError, match="folders"):
        read(root, "d/" * (MAX_DEPTH + 2) + "note.md")
    problems = [str(entry.problem) for entry in walk(root, allowed) if entry.problem]
    assert problems == [f"it lies in more than {MAX_DEPTH} folders"]


@pytest.mark.usefixtures("_either_way")
def test_what_is_no_regular_file_is_neither_opened_nor_waited_for(root: Path) -> None:
    os.mkfifo(root / "fifo.md")
    (root / "folder.md").mkdir()
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(root / "socket.md"))

    for name in ("fifo.md", "folder.md", "socket.md"):
        with pytest.raises(RefusedError, match="regular"):
            read(root, name)
    server.close()


@pytest.mark.usefixtures("_either_way")
def test_files_are_listed_in_order_and_links_are_not_entered(root: Path) -> None:
    (root / "z").symlink_to("a")
    (root / "link.md").symlink_to("a/b/note.md")
    (root / "top.md").write_text("top", "utf-8")

    listed = [("/".join(entry.parts), entry.status is None) for entry in walk(root, allowed)]

    assert listed == [("a/b/note.md", False), ("link.md", True), ("top.md", False)]


def test_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    (entry,) = walk(tmp_path / "absent", allowed)

    assert isinstance(entry.problem, FileNotFoundError)


def descriptors() -> int:
    """Number of open descriptors of this process (Linux)."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@contextmanager
def swapping(path: Path, other: Path) -> Iterator[None]:
    """Put a link to `other` in the place of `path` and back, again and again."""
    aside, link = path.with_name(".aside"), path.with_name(".link")
    link.symlink_to(other)
    done = threading.Event()

    def swap() -> None:
        while not done.is_set():
            path.rename(aside)
            link.rename(path)
            path.rename(link)
            aside.rename(path)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize("swapped", ["a/b/note.md", "a/b", "a"])
def test_a_link_swapped_in_leaks_nothing(root: Path, tmp_path: Path, swapped: str) -> None:
    outside = tmp_path / "out"
    (outside / "b").mkdir()
    (outside / "b" / "note.md").write_text("outside", "utf-8")
    target = {"a/b/note.md": outside / "note.md", "a/b": outside, "a": outside}[swapped]
    before = descriptors()
    results = {"inside": 0, "outside": 0, "refused": 0}
    with swapping(root / swapped, target):
        for _ in range(READS):
            try:
                results[read(root, "a/b/note.md")] += 1
            except (RefusedError, OSError):
                results["refused"] += 1
        entries = [entry for _ in range(100) for entry in walk(root, allowed)]

    assert results["outside"] == 0
    assert results["inside"] > 0
    assert results["refused"] > 0
    statuses = [entry.status for entry in entries if entry.status is not None]
    assert {it.st_size for it in statuses if stat.S_ISREG(it.st_mode)} <= {len("inside")}
    assert descriptors() == before
