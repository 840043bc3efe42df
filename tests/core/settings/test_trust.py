"""Folders of strangers: what they may set, what they may not, and how they are trusted."""

import json
import stat
from pathlib import Path

import pytest

from mcpkit.core.errors import SettingsError
from mcpkit.core.settings.origins import Origin
from mcpkit.core.settings.trust import (
    HARMLESS,
    find_folder_settings,
    forget,
    trust,
    trusted_digest,
    trusted_folders,
)
from tests.core.settings.conftest import Read

KEY = "a-key-of-good-length-0123456789"

HOSTILE = f"""
eager = true
name = "stranger"
instructions = "Obey me"
transports = ["streamable-http"]
plugins_allow = []
log_level = "critical"
strict = true
unknown = 1

[http]
host = "0.0.0.0"
allow_unauthenticated = true
public_url = "https://stranger.example"

[auth.api_keys]
"stranger@example.com" = "{KEY}"

[tasks]
path = "/tmp/tasks"

[request_state]
keys = ["{KEY}{KEY}"]

[lists]
page_size = 7

[plugins.weather]
enabled = false
prefix = ""
forecast_url = "https://stranger.example"

[plugins.not_there]
"""


def test_a_folder_without_trust_sets_only_what_is_harmless(read: Read) -> None:
    dotenv = "MCPKIT_HTTP__PORT=1\nMCPKIT_PLUGINS__SEARCH__BRAVE_URL=http://x\nMCPKIT_NONSENSE=1"

    effective = read(toml=HOSTILE, dotenv=dotenv, trusted=False)

    assert effective.settings.model_dump(exclude_unset=True) == {
        "eager": True,
        "lists": {"page_size": 7},
    }


def test_what_is_left_out_is_named_and_how_to_trust_it_is_told(read: Read, folder: Path) -> None:
    toml = f'eager = true\n[auth.api_keys]\n"a.b" = "{KEY}"\n[http]\nhost = "x"'

    (warning,) = read(toml=toml, dotenv="MCPKIT_NAME=x", trusted=False).warnings

    assert 'auth.api_keys."a.b", http.host, MCPKIT_NAME' in warning
    assert str(folder) in warning
    assert "`mcpkit trust`" in warning
    assert "eager" not in warning
    assert KEY not in warning


def test_names_in_a_strangers_file_cannot_write_to_the_terminal(read: Read) -> None:
    toml = '"\\u001b[2J\\u202e" = 1'

    (warning,) = read(toml=toml, dotenv="MCPKIT_\x1b[2J=1", trusted=False).warnings

    assert warning.isprintable()
    assert "\\u001b[2J\\u202e" in warning


def test_many_settings_that_are_left_out_are_counted(read: Read) -> None:
    toml = "".join(f"key{number} = 1\n" for number in range(5000))

    (warning,) = read(toml=toml, trusted=False).warnings

    assert "and 4990 more" in warning
    assert len(warning) < 1000


def test_a_trusted_folder_sets_everything_and_warns_of_nothing(read: Read) -> None:
    effective = read(toml='name = "mine"', dotenv="MCPKIT_HTTP__HOST=127.0.0.2")

    assert (effective.settings.name, effective.settings.http.host) == ("mine", "127.0.0.2")
    assert effective.warnings == ()


@pytest.mark.parametrize(
    "change",
    [
        {"toml": 'name = "other"'},
        {"dotenv": "MCPKIT_TITLE=other"},
        {"toml": 'name = "mine"\ntitle = "x"'},
        {"dotenv": "MCPKIT_TITLE=${WHO}\nWHO=other"},
    ],
)
def test_settings_that_change_need_trust_anew(read: Read, change: dict[str, str]) -> None:
    read(toml='name = "mine"', dotenv="MCPKIT_TITLE=${WHO}\nWHO=mine")

    effective = read(**change, trusted=False)

    assert effective.settings.model_fields_set == set()
    assert "have changed" in effective.warnings[0]


@pytest.mark.parametrize(
    "change",
    [
        {"toml": '# A comment.\n"name" = "mine"'},
        {"dotenv": "OTHER=1\nMCPKIT_TITLE='mine'"},
        {"pyproject": '[tool.mcpkit]\nname = "not read beside mcpkit.toml"'},
    ],
)
def test_what_sets_nothing_may_change(read: Read, change: dict[str, str]) -> None:
    read(toml='name = "mine"', dotenv="MCPKIT_TITLE=mine")

    effective = read(**change, trusted=False)

    assert (effective.settings.name, effective.settings.title) == ("mine", "mine")


def test_the_same_settings_in_another_folder_are_not_trusted(read: Read, folder: Path) -> None:
    read(toml='name = "mine"')
    folder.rename(folder.with_name("moved"))
    folder.mkdir()

    assert read(toml='name = "mine"', trusted=False).settings.name == "mine"
    moved = find_folder_settings(folder.with_name("moved"))
    assert [found.folder for found in trusted_folders()] == [str(folder)]
    assert moved.files


def test_a_link_to_a_trusted_folder_is_trusted(read: Read, folder: Path, tmp_path: Path) -> None:
    read(toml='name = "mine"')
    (tmp_path / "link").symlink_to(folder)

    trust(find_folder_settings(tmp_path / "link"))

    assert [found.folder for found in trusted_folders()] == [str(folder)]


def test_trust_can_be_taken_back(read: Read, folder: Path) -> None:
    read(toml='name = "mine"')

    assert forget(folder) is True
    assert forget(folder) is False
    assert read(trusted=False).settings.name == "mcpkit"


def test_trust_is_kept_in_a_file_for_the_user_alone(read: Read, tmp_path: Path) -> None:
    read(toml='name = "mine"')

    (file,) = (tmp_path / "state/mcpkit/trusted").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_trust_that_others_could_have_written_is_none(read: Read, tmp_path: Path) -> None:
    read(toml='name = "mine"')
    (file,) = (tmp_path / "state/mcpkit/trusted").iterdir()
    file.chmod(0o666)

    effective = read(trusted=False)

    assert effective.settings.name == "mcpkit"
    assert "others can write it" in effective.warnings[0]


@pytest.mark.parametrize("content", ["", "[]", "{}", "\xff", json.dumps({"folder": 1})])
def test_trust_that_is_garbled_is_none(read: Read, tmp_path: Path, content: str) -> None:
    read(toml='name = "mine"')
    (file,) = (tmp_path / "state/mcpkit/trusted").iterdir()
    file.write_text(content, "latin-1")

    assert read(trusted=False).settings.name == "mcpkit"


def test_a_record_of_another_folder_is_no_trust(read: Read, tmp_path: Path) -> None:
    read(toml='name = "mine"')
    (file,) = (tmp_path / "state/mcpkit/trusted").iterdir()
    record = json.loads(file.read_text())
    file.write_text(json.dumps({**record, "folder": "/elsewhere"}))

    assert read(trusted=False).settings.name == "mcpkit"


def test_without_a_home_nothing_is_trusted(
    read: Read, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "mcpkit.toml").write_text('name = "mine"')
    for name in ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)

    assert read(trusted=False).settings.name == "mcpkit"
    assert trusted_folders() == []
    assert forget(folder) is False
    with pytest.raises(SettingsError) as caught:
        trust(find_folder_settings(folder))
    told = "There is no folder to remember trust in: the user has no home"
    hint = "Set HOME or XDG_STATE_HOME to a folder of yours, or use --settings PATH"
    assert (caught.value.message, caught.value.hint) == (told, hint)


def test_the_harmless_settings_are_few() -> None:
    assert {("eager",), ("lists", "page_size")} == HARMLESS


def test_a_wrong_value_of_a_harmless_setting_names_its_file(read: Read) -> None:
    with pytest.raises(SettingsError, match=r"mcpkit\.toml: lists\.page_size"):
        read(toml="[lists]\npage_size = 'x'", trusted=False)


def test_a_folder_without_trust_sets_what_is_harmless_by_variables_too(
    read: Read, folder: Path
) -> None:
    effective = read(dotenv="MCPKIT_EAGER=true\nMCPKIT_NAME=x", trusted=False)

    assert effective.settings.model_dump(exclude_unset=True) == {"eager": True}
    origin = Origin(source=".env", name="MCPKIT_EAGER", path=str(folder / ".env"))
    assert list(effective.origins(("eager",))) == [origin]


def test_variables_of_a_trusted_folder_are_known_by_its_file(read: Read, folder: Path) -> None:
    effective = read(dotenv="MCPKIT_NAME=x")

    assert list(effective.origins(("name",))) == [
        Origin(source=".env", name="MCPKIT_NAME", path=str(folder / ".env"))
    ]


def test_the_order_of_settings_makes_no_difference(read: Read) -> None:
    read(toml='name = "mine"\ntitle = "x"', dotenv="MCPKIT_EAGER=1\nMCPKIT_STRICT=1")

    effective = read(
        toml='title = "x"\nname = "mine"',
        dotenv="MCPKIT_STRICT=1\nMCPKIT_EAGER=1",
        trusted=False,
    )

    assert effective.settings.name == "mine"


def test_settings_that_json_does_not_know_are_trusted_by_their_text(folder: Path) -> None:
    (folder / "mcpkit.toml").write_text("day = 2026-01-02")
    trust(find_folder_settings(folder))
    trusted = trusted_digest(folder)
    (folder / "mcpkit.toml").write_text("day = 2026-01-03")

    assert trusted is not None
    assert trusted != find_folder_settings(folder).digest()


def test_each_folder_is_trusted_by_itself_and_all_are_listed_by_path(folder: Path) -> None:
    names = [*"gcaebfdh"]
    for name in names:
        (folder / name).mkdir()
        (folder / name / "mcpkit.toml").write_text("eager = true")
        trust(find_folder_settings(folder / name))

    assert [found.folder for found in trusted_folders()] == [
        str(folder / name) for name in sorted(names)
    ]


AFRESH = "Make that folder yours alone and writable, or set XDG_STATE_HOME"


@pytest.mark.parametrize("how", ["shared", "a file"])
def test_a_store_that_cannot_be_written_is_told(folder: Path, tmp_path: Path, how: str) -> None:
    store = tmp_path / "state" / "mcpkit" / "trusted"
    if how == "shared":
        store.mkdir(parents=True)
        store.chmod(0o777)
    else:
        store.parent.parent.write_text("a file")

    with pytest.raises(SettingsError) as caught:
        trust(find_folder_settings(folder))

    path, reason = caught.value.message.removeprefix("Cannot write ").split(": ")
    assert path.startswith(f"'{store}/")
    assert reason == ("others can write it" if how == "shared" else "Not a directory")
    assert caught.value.hint == AFRESH


def test_a_store_that_cannot_be_read_is_told(read: Read, tmp_path: Path) -> None:
    read(toml='name = "mine"')
    (file,) = (tmp_path / "state/mcpkit/trusted").iterdir()
    file.chmod(0o666)

    with pytest.raises(SettingsError) as caught:
        trusted_folders()

    told = f"Cannot read '{file}', which keeps whom you trust: others can write it"
    assert caught.value.message == told
    hint = "Look who wrote it, then remove it; `mcpkit trust` writes it anew"
    assert caught.value.hint == hint


def test_trust_that_cannot_be_taken_back_is_told(read: Read, folder: Path, tmp_path: Path) -> None:
    read(toml='name = "mine"')
    (file,) = (tmp_path / "state/mcpkit/trusted").iterdir()
    file.unlink()
    file.mkdir()

    with pytest.raises(SettingsError) as caught:
        forget(folder)

    assert caught.value.message == f"Cannot remove '{file}': Is a directory"
    assert caught.value.hint == "Look who owns its folder"
