"""Files that only the user or root may have written: kind, owner, mode and size are checked."""

import grp
import os
import pwd
import socket
import stat
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from mcpkit.core import own_files
from mcpkit.core.own_files import (
    check_own_folder,
    check_owner,
    read_own_file,
    read_regular_file,
    write_own_file,
)

OTHER = 54321
"""A user id that nobody here has."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "own.txt"
    path.write_bytes(b"content")
    path.chmod(0o600)
    return path


def status_of(path: Path, **changed: int) -> os.stat_result:
    """The status of a file, as if it had another owner, group or mode."""
    values = list(path.stat())
    for name, value in changed.items():
        values[getattr(stat, name.upper())] = value
    return os.stat_result(values)


def test_an_own_file_is_read_up_to_the_limit(file: Path) -> None:
    assert read_own_file(file, max_bytes=7) == b"content"
    with pytest.raises(OSError, match=r"^it is larger than 6 bytes$"):
        read_own_file(file, max_bytes=6)


def test_a_missing_file_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_own_file(tmp_path / "none", max_bytes=1)


@pytest.mark.parametrize("mode", [0o602, 0o622, 0o666])
def test_a_file_that_others_can_write_is_refused(file: Path, mode: int) -> None:
    file.chmod(mode)

    with pytest.raises(PermissionError, match=r"^others can write it$"):
        read_own_file(file, max_bytes=100)


@pytest.mark.parametrize("mode", [0o400, 0o644, 0o744])
def test_a_file_that_others_can_only_read_is_read(file: Path, mode: int) -> None:
    file.chmod(mode)

    assert read_own_file(file, max_bytes=100) == b"content"


def test_files_of_root_and_of_the_user_are_trusted_and_those_of_others_are_not(file: Path) -> None:
    check_owner(status_of(file, st_uid=0))
    check_owner(status_of(file, st_uid=os.geteuid()))
    with pytest.raises(PermissionError, match=r"^it belongs to somebody else$"):
        check_owner(status_of(file, st_uid=OTHER))


def test_a_group_may_write_only_where_it_is_the_private_one_of_its_owner(file: Path) -> None:
    own = pwd.getpwuid(os.geteuid()).pw_gid

    check_owner(status_of(file, st_gid=own, st_mode=stat.S_IFREG | 0o664))
    with pytest.raises(PermissionError, match=r"^others can write it$"):
        check_owner(status_of(file, st_gid=OTHER, st_mode=stat.S_IFREG | 0o664))


def test_a_link_is_followed_only_when_it_may_be(file: Path) -> None:
    link = file.with_name("link")
    link.symlink_to(file)

    assert read_own_file(link, max_bytes=100, follow_link=True) == b"content"
    with pytest.raises(OSError, match=r"^it is a symbolic link$"):
        read_own_file(link, max_bytes=100)
    file.chmod(0o666)
    with pytest.raises(PermissionError, match=r"^others can write it$"):
        read_own_file(link, max_bytes=100, follow_link=True)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


@pytest.mark.parametrize(
    "make", [os.mkfifo, os.mkdir, make_socket, lambda path: path.symlink_to("/dev/zero")]
)
def test_what_is_no_regular_file_is_refused_at_once(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "odd")
    script = (
        "import sys; from pathlib import Path; from mcpkit.core.own_files import read_own_file\n"
        "try: read_own_file(Path(sys.argv[1]), max_bytes=9, follow_link=True)\n"
        "except OSError as exc: print(exc)"
    )

    # In a process of its own: a thread that waits in `open` would never end.
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "odd")],
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )

    assert done.stdout.startswith(("it is no regular file\n", "it cannot be opened"))


def test_a_folder_that_others_can_write_is_refused(tmp_path: Path, file: Path) -> None:
    tmp_path.chmod(0o700)
    check_own_folder(tmp_path)
    tmp_path.chmod(0o1777)
    with pytest.raises(PermissionError, match=r"^others can write it$"):
        check_own_folder(tmp_path)
    with pytest.raises(NotADirectoryError, match=r"^it is no folder$"):
        check_own_folder(file)
    with pytest.raises(FileNotFoundError):
        check_own_folder(tmp_path / "none")


def test_of_a_file_over_the_limit_little_is_read(file: Path) -> None:
    os.truncate(file, 64 << 20)

    tracemalloc.start()
    try:
        with pytest.raises(OSError, match=r"^it is larger than 10 bytes$"):
            read_own_file(file, max_bytes=10)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 1 << 20


def test_a_file_of_anybody_is_read_with_its_status_but_through_no_link(file: Path) -> None:
    file.chmod(0o666)
    link = file.with_name("link")
    link.symlink_to(file)

    content, status = read_regular_file(file, max_bytes=7)

    assert (content, stat.S_IMODE(status.st_mode)) == (b"content", 0o666)
    with pytest.raises(OSError, match=r"^it is a symbolic link$"):
        read_regular_file(link, max_bytes=7)


def test_a_folder_or_device_is_no_regular_file(tmp_path: Path) -> None:
    for path in (tmp_path, Path("/dev/null")):
        with pytest.raises(OSError, match=r"^it is no regular file$"):
            read_own_file(path, max_bytes=9)


def test_a_file_that_cannot_be_opened_tells_why(file: Path) -> None:
    with pytest.raises(OSError, match=r"^it cannot be opened: Not a directory$"):
        read_own_file(file / "below", max_bytes=7)


def test_root_is_trusted_by_a_user_and_other_system_users_are_not(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: OTHER)

    check_owner(status_of(file, st_uid=0))
    check_owner(status_of(file, st_uid=OTHER))
    for stranger in (1, OTHER - 1, OTHER + 1):
        with pytest.raises(PermissionError, match=r"^it belongs to somebody else$"):
            check_owner(status_of(file, st_uid=stranger))


def test_a_group_that_can_only_read_may_be_any(file: Path) -> None:
    check_owner(status_of(file, st_gid=OTHER, st_mode=stat.S_IFREG | 0o644))


@pytest.mark.parametrize(
    ("primary", "group", "members", "trusted"),
    [
        (OTHER, "me", [], True),
        (OTHER, "me", ["me"], True),
        (OTHER, "me", ["me", "you"], False),
        (OTHER, "me", ["you"], False),
        (OTHER, "staff", [], False),
        (OTHER + 1, "me", [], False),
    ],
)
def test_a_private_group_has_the_name_of_its_user_and_no_other_member(
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    primary: int,
    group: str,
    members: list[str],
    trusted: bool,
) -> None:
    user = pwd.struct_passwd(("me", "x", 0, primary, "", "/", "/bin/sh"))
    monkeypatch.setattr(own_files, "user_of", {file.stat().st_uid: user}.__getitem__)
    found = grp.struct_group((group, "x", OTHER, members))
    monkeypatch.setattr(own_files, "group_of", {OTHER: found}.__getitem__)
    status = status_of(file, st_gid=OTHER, st_mode=stat.S_IFREG | 0o660)

    if trusted:
        check_owner(status)
    else:
        with pytest.raises(PermissionError, match=r"^others can write it$"):
            check_owner(status)


def test_a_file_is_written_for_the_user_alone_and_replaces_the_old_one(file: Path) -> None:
    file.chmod(0o666)

    write_own_file(file, b"new")

    assert read_own_file(file, max_bytes=3) == b"new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(file.parent.iterdir()) == [file]


def test_an_unfinished_file_is_a_hidden_one_beside_it(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unfinished: list[Path] = []

    def stop(source: str, target: Path) -> None:
        unfinished.append(Path(source))
        raise InterruptedError

    monkeypatch.setattr(os, "replace", stop)
    with pytest.raises(InterruptedError):
        write_own_file(file, b"new")

    (found,) = unfinished
    assert found.parent == file.parent  # another folder may be on another disk
    assert (found.name[0], found.suffix) == (".", ".tmp")
    assert list(file.parent.iterdir()) == [file]


def test_a_file_that_cannot_be_replaced_stays_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "folder/inside").mkdir(parents=True)

    with pytest.raises(OSError, match="folder"):
        write_own_file(tmp_path / "folder", b"new")

    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
