"""`mcpkit settings` and `mcpkit plugins show`: values, origins, secrets, and what may be set."""

import json
import re
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run

SECRET = "hunter2-hunter2"
KEY = "a-key-of-good-length"

VAULT = f'''
from pydantic import BaseModel, Field, SecretStr

from mcpkit import Plugin, PluginSettings


class Account(BaseModel):
    user: str
    code: SecretStr


class Vault(PluginSettings):
    """Secrets in every place."""

    accounts: dict[str, Account] = {{}}
    pins: list[SecretStr] = [SecretStr("{SECRET}")]
    mirror: str = "https://example.org"
    depth: int = Field(3, ge=1, description="How deep")


plugin = Plugin(settings=Vault)
'''


@pytest.fixture
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The environment of a process that sees a plugin with secrets, and one that fails."""
    site = tmp_path / "site"
    for name, code in {"vault": VAULT, "broken": "1 / 0"}.items():
        info = site / f"{name}-1.dist-info"
        info.mkdir(parents=True)
        (site / f"{name}_code.py").write_text(code, "utf-8")
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        entry = f"[mcpkit.plugins]\n{name} = {name}_code:plugin\n"
        (info / "entry_points.txt").write_text(entry, "utf-8")
    monkeypatch.syspath_prepend(site)
    yield {"MCPKIT_PLUGINS_ALLOW": "vault,broken"}
    sys.modules.pop("vault_code", None)


def test_settings_are_shown_with_their_origins_and_without_secrets(
    run: Run, vault: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "named.toml").write_text(
        f'[auth.api_keys]\n"alice@example.com" = "{KEY}-alice"\n'
        f'[plugins.vault.accounts.main]\nuser = "me"\ncode = "{SECRET}"\n'
        f'[plugins.broken]\nanything = "{SECRET}"\n'
    )
    env = vault | {
        "MCPKIT_AUTH__API_KEYS__BOB": f"{KEY}-bob",
        "MCPKIT_PLUGINS__VAULT__MIRROR": f"https://me:{SECRET}@example.org/?token={SECRET}",
        "MCPKIT_SETTINGS": "named.toml",
    }

    shown = run("settings", "show", "--json", "--set", "http.port=9", env=env)
    table = run("settings", "show", "--no-plugins", env=env)

    values = json.loads(shown.stdout)
    said = shown.stdout + shown.stderr + table.stdout + table.stderr
    assert SECRET not in said
    assert KEY not in said
    assert values["http.port"] == {"value": 9, "origin": "command line"}
    assert values["http.host"]["origin"] == "default"
    assert values['auth.api_keys."alice@example.com"']["origin"] == "named.toml"
    assert values["auth.api_keys.bob"]["origin"] == "environment MCPKIT_AUTH__API_KEYS__BOB"
    assert values["plugins.vault.accounts.main.user"] == {"value": "me", "origin": "named.toml"}
    assert values["plugins.vault.accounts.main.code"]["value"] == "**********"
    assert values["plugins.vault.mirror"]["value"].startswith("https://**********@example.org/")
    assert values["plugins.vault.depth"] == {"value": 3, "origin": "default"}
    assert values["plugins.broken.anything"]["value"] == "**********"
    assert str(tmp_path / "named.toml") in shown.stderr
    assert re.search(r"plugins\.vault\.accounts\.main\.user +\*+ +named\.toml", table.stdout)


def test_a_file_of_the_users_own_counts_in_every_folder(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    made = run("settings", "init", "--user", "--no-plugins")
    path = tmp_path / "config/mcpkit/mcpkit.toml"
    path.write_text(path.read_text().replace("#port = 8000", "port = 9"))
    shown = run("settings", "show", "--json", "--no-plugins")

    assert str(path) in made.stderr
    assert json.loads(shown.stdout)["http.port"] == {"value": 9, "origin": str(path)}
    assert run("settings", "init", "--user", "-o", "x").returncode == 2


def test_a_section_of_no_plugin_is_shown_masked_and_warned_of(run: Run) -> None:
    shown = run("settings", "show", "--json", "--set", f"plugins.wether.units={SECRET}")

    assert json.loads(shown.stdout)["plugins.wether.units"]["value"] == "**********"
    assert "Did you mean 'weather'?" in shown.stderr
    assert SECRET not in shown.stderr


def test_what_plugins_may_be_set_to_is_told(run: Run, vault: dict[str, str]) -> None:
    schema = json.loads(run("settings", "schema", env=vault).stdout)
    shown = json.loads(run("plugins", "show", "vault", "--json", env=vault).stdout)
    text = run("plugins", "show", "vault", env=vault).stdout

    sections: dict[str, Any] = schema["properties"]["plugins"]["properties"]
    assert "vault" in sections
    assert "broken" not in sections
    depth = {"name": "depth", "type": "integer", "required": False, "default": 3}
    assert shown["settings"][-1] == {**depth, "description": "How deep"}
    assert "  depth (integer, default 3): How deep" in text
    assert SECRET not in json.dumps(shown) + text


def test_a_settings_file_to_start_from_is_written_for_the_user_alone(
    run: Run, vault: dict[str, str], tmp_path: Path
) -> None:
    made, again = run("settings", "init", env=vault), run("settings", "init", env=vault)
    path = tmp_path / "mcpkit.toml"
    works = run("settings", "show", "--settings", "mcpkit.toml", env=vault)

    text = path.read_text("utf-8")
    assert made.returncode == 0
    assert (again.returncode, "exists already" in again.stderr) == (2, True)
    assert "\n[http]" in text
    assert "\n#port = 8000\n" in text
    assert "\n[plugins.vault]\n" in text
    assert "\n# How deep\n#depth = 3\n" in text
    assert "Its own settings are not known: Cannot import it: ZeroDivisionError" in text
    assert SECRET not in text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert works.returncode == 0
