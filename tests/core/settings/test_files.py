"""Settings files: which are read, which are refused, and what strange ones cost."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mcpkit.core.errors import SettingsError
from mcpkit.core.settings.sources import read_settings
from tests.core.settings.conftest import Read

KEY = "a-key-of-good-length-0123456789"
MANY_REFERENCES = "".join(f"MCPKIT_X{number}=${{A}}\n" for number in range(99))
OTHER = 54321
"""A user id that nobody here has."""


def give_away(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a file somebody else's: really, or by being somebody else."""
    if os.geteuid() == 0:
        os.chown(path, OTHER, OTHER)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: OTHER)


# -- Who wrote it ---------------------------------------------------------------------------------


SPEAKING = {
    "mcpkit.toml": 'name = "x"',
    "pyproject.toml": '[tool.mcpkit]\nname = "x"',
    ".env": "MCPKIT_NAME=x",
}


@pytest.mark.parametrize("name", SPEAKING)
@pytest.mark.parametrize("mode", [0o602, 0o622, 0o666])
def test_a_file_that_others_can_write_is_refused(
    read: Read, folder: Path, name: str, mode: int
) -> None:
    path = folder / name
    path.write_text(SPEAKING[name])
    path.chmod(mode)

    with pytest.raises(SettingsError, match="others can write it") as caught:
        read(trusted=False)
    assert str(path) in caught.value.message
    assert "chmod" in str(caught.value.hint)


@pytest.mark.parametrize("name", SPEAKING)
def test_a_file_of_somebody_else_is_refused(
    read: Read, folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (folder / name).write_text(SPEAKING[name])
    give_away(folder / name, monkeypatch)

    with pytest.raises(SettingsError, match="belongs to somebody else"):
        read(trusted=False)


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o444])
def test_a_file_that_others_can_only_read_is_read(read: Read, folder: Path, mode: int) -> None:
    path = folder / "other.toml"
    path.write_text('name = "x"')
    path.chmod(mode)

    assert read(path=path).settings.name == "x"


def test_a_named_file_and_the_users_are_refused_alike(read: Read, folder: Path, user: Path) -> None:
    for path in (folder / "named.toml", user / "mcpkit.toml"):
        path.write_text('name = "x"')
        path.chmod(0o666)

        with pytest.raises(SettingsError, match="others can write it"):
            read(MCPKIT_SETTINGS="named.toml")
        path.chmod(0o600)
    assert read().settings.name == "x"


@pytest.mark.parametrize("name", ["pyproject.toml", ".env"])
def test_files_of_other_programs_that_say_nothing_to_us_do_not_matter(
    read: Read, folder: Path, name: str
) -> None:
    (folder / name).write_bytes(b"# l\xe9gende\nOTHER = 'x'\n")
    (folder / name).chmod(0o666)

    assert read(trusted=False).files == ()


# -- Which are read -------------------------------------------------------------------------------


def test_where_a_file_is_named_nothing_of_the_folder_is_read(read: Read, folder: Path) -> None:
    (folder / "named.toml").write_text("[http]\nport = 1")
    (folder / "mcpkit.toml").mkdir()
    os.mkfifo(folder / ".env")

    by_option = read(path=Path("named.toml"), trusted=False)
    by_variable = read(MCPKIT_SETTINGS="named.toml", trusted=False)

    assert by_option.settings.http.port == by_variable.settings.http.port == 1
    assert by_option.files == (str(folder / "named.toml"),)


def test_a_named_file_needs_no_trust_and_its_neighbours_do_not_count(
    read: Read, folder: Path
) -> None:
    (folder / "named.toml").write_text('title = "named"')

    effective = read(
        path=folder / "named.toml", toml='name = "x"', dotenv="MCPKIT_HTTP__PORT=1", trusted=False
    )

    assert effective.settings.model_dump(exclude_unset=True) == {"title": "named"}
    assert effective.warnings == ()


def test_a_dotenv_cannot_name_the_settings_file(read: Read, folder: Path) -> None:
    (folder / "evil.toml").write_text('name = "evil"')

    untrusted = read(dotenv="MCPKIT_SETTINGS=evil.toml", trusted=False)

    assert untrusted.settings.name == "mcpkit"
    assert "MCPKIT_SETTINGS" in untrusted.warnings[0]
    with pytest.raises(SettingsError, match="cannot name the settings file"):
        read()


def test_the_users_file_is_weaker_than_the_folders_and_stronger_than_nothing(
    read: Read, user: Path
) -> None:
    (user / "mcpkit.toml").write_text('name = "user"\n[http]\nport = 1\nhost = "127.0.0.2"')

    effective = read(toml="[http]\nport = 2\n[lists]")

    http = effective.settings.http
    assert (effective.settings.name, http.port, http.host) == ("user", 2, "127.0.0.2")
    assert effective.origin("name") == str(user / "mcpkit.toml")
    assert effective.origin("http", "port") == "mcpkit.toml"
    assert effective.origin("http") == f"mcpkit.toml, {user / 'mcpkit.toml'}"


def test_every_file_that_was_read_is_named_from_the_weakest_to_the_strongest(
    read: Read, user: Path, folder: Path
) -> None:
    (user / "mcpkit.toml").write_text("")

    effective = read(toml="", dotenv="MCPKIT_NAME=x", pyproject="[tool.mcpkit]\ntitle = 'x'")

    assert effective.files == (
        str(user / "mcpkit.toml"), str(folder / "mcpkit.toml"), str(folder / ".env"),
    )  # fmt: skip
    assert read_settings(path=Path(os.devnull)).files == ()


def test_the_users_own_folder_is_read_once_and_needs_no_trust(user: Path) -> None:
    (user / "mcpkit.toml").write_text('name = "user"')

    effective = read_settings(directory=user)

    assert effective.settings.name == "user"
    assert effective.files == (str(user / "mcpkit.toml"),)
    assert effective.warnings == ()


def test_a_relative_settings_folder_is_not_one(
    read: Read, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "mcpkit").mkdir()
    (folder / "mcpkit/mcpkit.toml").write_text('name = "stranger"')
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(folder / "home"))

    assert read(XDG_CONFIG_HOME=".").settings.name == "mcpkit"


def test_a_working_directory_that_is_gone_holds_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    folder.rmdir()

    assert read_settings().settings.name == "mcpkit"


# -- What is no file ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (Path.mkdir, "it is no regular file"),
        (os.mkfifo, "it is no regular file"),
        (lambda path: path.symlink_to("nowhere"), "a link that leads nowhere"),
        (lambda path: path.symlink_to(path), "it is a symbolic link"),
        (lambda path: path.symlink_to("/dev/zero"), "it is no regular file"),
    ],
)
def test_what_stands_for_a_settings_file_and_is_none_is_an_error(
    folder: Path, make: Callable[[Path], object], said: str
) -> None:
    make(folder / "mcpkit.toml")

    # In a process of its own: a thread that waits for a FIFO would never end.
    done = subprocess.run(
        [sys.executable, "-m", "mcpkit", "settings", "show"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert said in done.stderr
    assert str(folder / "mcpkit.toml") in done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == 2


@pytest.mark.parametrize("name", [".env", "pyproject.toml"])
def test_a_folder_or_a_dead_link_in_place_of_a_file_of_other_programs_says_nothing(
    read: Read, folder: Path, name: str
) -> None:
    (folder / name).mkdir()
    assert read(trusted=False).files == ()

    (folder / name).rmdir()
    (folder / name).symlink_to("nowhere")
    assert read(trusted=False).files == ()


def test_a_pipe_in_place_of_a_dotenv_is_an_error_and_not_a_wait(read: Read, folder: Path) -> None:
    os.mkfifo(folder / ".env")

    with pytest.raises(SettingsError, match="it is no regular file"):
        read(trusted=False)


def test_a_file_that_is_too_large_is_refused(read: Read, folder: Path) -> None:
    with (folder / "mcpkit.toml").open("wb") as file:
        file.truncate(5 * 1024 * 1024)

    with pytest.raises(SettingsError, match="larger than"):
        read(trusted=False)


# -- What it says ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"toml": b"name = '\xe9'"}, "is not UTF-8 in line 1"),
        ({"toml": "a = " + "[" * 5000}, "nested too deeply"),
        ({"toml": "a = " + "{b = " * 5000}, "nested too deeply"),
        ({"toml": "[a]\n" + f"{'b.' * 20}c = {{ {'d.' * 20}e = {{ {'f.' * 25}g = 1 }} }}"}, "deep"),
        ({"toml": f"{'a.' * 100_000}a = 1"}, "more than 32 parts (at line 1)"),
        ({"toml": '"a" . ' * 100_000 + "a = 1"}, "more than 32 parts"),
        ({"toml": f"name = 'x'\n[{'a.' * 100_000}a]"}, "more than 32 parts (at line 2)"),
        ({"toml": "a = " + "9" * 5000}, "is not valid TOML"),
        ({"pyproject": "tool.mcpkit = 'x'"}, "tool.mcpkit"),
        ({"dotenv": b"MCPKIT_NAME=caf\xe9"}, "MCPKIT_NAME in"),
        ({"dotenv": "MCPKIT_NAME=x" + " " * 100_000 + "x"}, "hundreds of blanks"),
        ({"dotenv": f"A={'a' * 99_999}\nMCPKIT_NAME={'${A}' * 9}"}, "too long"),
        ({"dotenv": f"MCPKIT_NAME={'${' * 4_000}"}, "more than 20 references"),
        ({"dotenv": f"MCPKIT_NAME={'a' * 99_999}"}, "too long"),
        ({"dotenv": f"A={'a' * 60_000}\n{MANY_REFERENCES}"}, "says too much"),
        ({"dotenv": "MCPKIT_NAME=1\nmcpkit_name=2"}, "case makes no difference"),
        ({"MCPKIT_PLUGINS": '{"a":' * 5000}, "plugins"),
    ],
)
def test_what_is_malformed_is_an_error_soon(read: Read, given: dict[str, str], said: str) -> None:
    began = time.process_time()

    with pytest.raises(SettingsError) as caught:
        read(**given)

    assert said in caught.value.message
    assert caught.value.hint
    assert len(caught.value.message) < 1000
    assert time.process_time() - began < 5


def test_other_programs_may_write_what_they_like(read: Read) -> None:
    effective = read(
        pyproject='tool = "mcpkit"',
        dotenv=b"# r\xe9sum\xe9\nSECRET='\xe9'\nMCPKIT_NAME=mine\nOTHER=${SECRET}\n",
    )

    assert effective.settings.name == "mine"


def test_a_byte_order_mark_is_no_part_of_the_first_name(read: Read) -> None:
    effective = read(toml=b'\xef\xbb\xbfname = "toml"', dotenv=b"\xef\xbb\xbfMCPKIT_TITLE=dotenv\n")

    assert (effective.settings.name, effective.settings.title) == ("toml", "dotenv")


def test_a_dotenv_may_refer_to_variables(read: Read) -> None:
    effective = read(
        dotenv="PLACE=Oslo\nMCPKIT_NAME=${PLACE}-${HERE}\nMCPKIT_TITLE=${NOT_THERE:-none}",
        HERE="there",
    )

    assert effective.settings.name == "Oslo-there"
    assert effective.settings.title == "none"


@pytest.mark.slow
@pytest.mark.parametrize("source", ["toml", "dotenv", "environment"])
def test_twenty_thousand_keys_are_read_in_seconds(
    read: Read, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    keys = {f"key{number}": f"{KEY}{number:05}" for number in range(20_000)}
    lines = "".join(f"{name} = '{key}'\n" for name, key in keys.items())
    given = {"toml": f"[auth.api_keys]\n{lines}"} if source == "toml" else {}
    if source != "toml":
        prefix = "MCPKIT_PLUGINS__SEARCH__"
        variables = {f"{prefix}{name}": "x" for name in keys}
        if source == "environment":
            monkeypatch.setattr(os, "environ", {**os.environ, **variables})
        else:
            few = list(variables)[:5000]  # a .env of 256 KiB holds no more
            given = {"dotenv": "".join(f"{name}=x\n" for name in few)}
    began = time.process_time()

    effective = read(**given)

    assert time.process_time() - began < 15
    settings = effective.settings
    assert len(settings.auth.api_keys) + len(settings.plugin("search").own) >= 5000
