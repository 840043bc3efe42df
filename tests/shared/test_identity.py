"""Identity: everything that makes two servers different, and nothing else."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mcpkit.shared import identity as module
from mcpkit.shared.identity import identity, shared_environment


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory, and beside it a folder of installed and one of edited modules."""
    for name in ("work", "site/one.dist-info", "source/package/inner", "source/data"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("package/__init__.py", "package/inner/__init__.py", "module.py"):
        (tmp_path / "source" / name).write_text("", "utf-8")
    monkeypatch.chdir(tmp_path / "work")
    paths = [str(tmp_path / name) for name in ("site", "source", "nowhere")]
    library = str(Path(os.__file__).parent)
    monkeypatch.setattr(sys, "path", [*paths, library, __file__])
    return tmp_path


def name(*arguments: str) -> str:
    return identity(["serve", *arguments], shared_environment())


def set_later(path: Path) -> None:
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))


@pytest.mark.parametrize(
    "change",
    [
        lambda folder, patch: (folder / "work/mcpkit.toml").write_text("name = 'x'", "utf-8"),
        lambda folder, patch: (folder / "work/pyproject.toml").write_text("", "utf-8"),
        lambda folder, patch: (folder / "work/.env").write_text("", "utf-8"),
        lambda folder, patch: (folder / "work/mcpkit.toml").mkdir(),
        lambda folder, patch: patch.chdir(folder),
        lambda folder, patch: patch.setenv("ANY", "thing"),
        lambda folder, patch: patch.delenv("PATH"),
        lambda folder, patch: patch.setattr(sys, "prefix", "/elsewhere"),
        lambda folder, patch: patch.setattr(sys, "orig_argv", ["python", "-O", *sys.argv]),
        lambda folder, patch: patch.setattr(module.mcpkit, "__version__", "0"),
        lambda folder, patch: patch.setattr(sys, "path", sys.path[1:]),
        lambda folder, patch: patch.setattr(sys, "path", ["", *sys.path]),
        lambda folder, patch: (folder / "site/two.dist-info").mkdir(),
        lambda folder, patch: (folder / "site/one.dist-info/RECORD").touch(),
        lambda folder, patch: (folder / "site/new.py").touch(),
        lambda folder, patch: set_later(folder / "source/module.py"),
        lambda folder, patch: set_later(folder / "source/package/inner/__init__.py"),
        lambda folder, patch: (folder / "source/package/new.py").write_text("", "utf-8"),
        lambda folder, patch: os.umask(0o007),
    ],
)
def test_a_difference_makes_another_server(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Path, pytest.MonkeyPatch], object],
) -> None:
    before = name()
    mask = os.umask(0o022)
    os.umask(mask)
    try:
        change(folder, monkeypatch)

        assert name() != before
    finally:
        os.umask(mask)


@pytest.mark.parametrize(
    "change",
    [
        lambda folder, patch: None,
        lambda folder, patch: patch.setenv("TERM", "other"),
        lambda folder, patch: patch.delenv("PWD", raising=False),
        lambda folder, patch: (folder / "source/data/notes.txt").write_text("", "utf-8"),
        lambda folder, patch: (folder / "source/package/__pycache__").mkdir(),
        lambda folder, patch: (folder / "site/__pycache__").mkdir(),
        lambda folder, patch: (folder / "work/notes.txt").write_text("", "utf-8"),
    ],
)
def test_what_makes_no_difference_makes_no_other_server(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Path, pytest.MonkeyPatch], object],
) -> None:
    before = name()

    change(folder, monkeypatch)

    assert name() == before


@pytest.mark.parametrize(
    "arguments", [("--settings", "other.toml"), ("--settings=other.toml",), ()]
)
def test_the_settings_file_that_is_named_is_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    if not arguments:
        monkeypatch.setenv("MCPKIT_SETTINGS", "other.toml")
    missing = name(*arguments)
    (folder / "work/other.toml").write_text("name = 'one'", "utf-8")
    one = name(*arguments)
    (folder / "work/other.toml").write_text("name = 'two'", "utf-8")

    assert len({missing, one, name(*arguments)}) == 3


@pytest.mark.parametrize("named", ["mcpkit.toml", ".env", "other.toml"])
def test_a_pipe_in_place_of_a_settings_file_keeps_nobody_waiting(folder: Path, named: str) -> None:
    before = name("--settings", "other.toml")
    os.mkfifo(folder / "work" / named)

    assert name("--settings", "other.toml") != before


def test_a_link_that_leads_back_ends(folder: Path) -> None:
    (folder / "source/package/again").symlink_to("..", target_is_directory=True)
    (folder / "source/__init__.py").touch()
    (folder / "source/package/loop").symlink_to(".", target_is_directory=True)

    assert name() == name()


def test_arguments_do_not_run_together(folder: Path) -> None:
    assert name("--set", "a=1") != name("--seta=1") != name("--set", "a=", "1")


def test_a_server_gets_no_variable_that_makes_no_difference(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "other")
    monkeypatch.setenv("KEPT", "yes")

    environment = shared_environment()

    assert "TERM" not in environment
    assert environment["KEPT"] == "yes"
