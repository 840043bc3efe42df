"""Discovery, loading and validation: each bad plugin costs itself alone, and says why."""

import json
import random
import sys
from typing import Any

import pytest
from mcp.server.mcpserver import MCPServer

from mcpkit import Plugin, PluginSettings
from mcpkit.core.app import App
from mcpkit.core.assembly import build
from mcpkit.core.discovery import discover, select
from mcpkit.core.errors import (
    PluginContractError,
    PluginError,
    PluginImportError,
    PluginSettingsError,
    SettingsError,
)
from mcpkit.core.settings import Settings
from mcpkit.core.settings.origins import Origin
from mcpkit.core.status import PluginRecord, Stage, Status

GOOD = """
    from mcpkit import Plugin
    plugin = Plugin()

    @plugin.tool()
    def answer() -> int:
        "Answer."
        return 42
"""


def record_of(app: App, name: str) -> PluginRecord:
    return next(record for record in app.records if record.name == name)


def build_with(**settings: Any) -> App:
    return build(Settings.model_validate(settings))


def test_an_installed_plugin_is_recorded_with_where_it_comes_from(install: Any) -> None:
    install("alpha", GOOD, version="2.1")

    record = record_of(build_with(), "alpha")

    assert record.status is Status.LOADED
    assert (record.distribution, record.version) == ("mcpkit-plugin-alpha", "2.1")
    assert record.entry_point == "mcpkit_plugin_alpha_code:plugin"
    assert record.editable is False
    assert record.location
    assert record.import_seconds is not None
    assert record.to_json()["components"] == {"tools": ["alpha_answer"]}


def test_discovery_imports_nothing(install: Any) -> None:
    install("alpha", "raise RuntimeError")

    names = [record.name for record in discover()]

    assert "alpha" in names
    assert names == sorted(names)
    assert "mcpkit_plugin_alpha_code" not in sys.modules


BAD: dict[str, tuple[str, str, type[PluginError], Stage, str]] = {
    "raises": ("1 / 0", "{module}:plugin", PluginImportError, Stage.IMPORT, "ZeroDivisionError"),
    "exits": (
        "import sys; sys.exit(7)",
        "{module}:plugin",
        PluginImportError,
        Stage.IMPORT,
        "sys.exit(7)",
    ),
    "syntax": ("def (", "{module}:plugin", PluginImportError, Stage.IMPORT, "SyntaxError"),
    "nowhere": (GOOD, "no_such_module:x", PluginImportError, Stage.IMPORT, "no_such_module"),
    "nothing": (GOOD, "{module}:absent", PluginImportError, Stage.IMPORT, "absent"),
    "klass": (
        "class plugin: pass",
        "{module}:plugin",
        PluginContractError,
        Stage.REGISTER,
        "is the class 'plugin'",
    ),
    "function": (
        "def plugin(): pass",
        "{module}:plugin",
        PluginContractError,
        Stage.REGISTER,
        "is the function 'plugin'",
    ),
    "number": (
        "plugin = 42",
        "{module}:plugin",
        PluginContractError,
        Stage.REGISTER,
        "implements no hook",
    ),
    "misspelt": (
        "from mcpkit import hookimpl\n@hookimpl\ndef mcpkit_component(): return []",
        "{module}",
        PluginContractError,
        Stage.REGISTER,
        "Did you mean 'mcpkit_components'?",
    ),
    "unmarked": (
        "def mcpkit_components(): return []",
        "{module}",
        PluginContractError,
        Stage.REGISTER,
        "not marked",
    ),
    "hidden": (
        (
            "import functools\nfrom mcpkit import hookimpl\n"
            "@functools.lru_cache\n@hookimpl\ndef mcpkit_components(): return []"
        ),
        "{module}",
        PluginContractError,
        Stage.REGISTER,
        "hides the mark",
    ),
    "coroutine": (
        "from mcpkit import hookimpl\n@hookimpl\nasync def mcpkit_components(): return []",
        "{module}",
        PluginContractError,
        Stage.REGISTER,
        "is async",
    ),
    "keyword": (
        "from mcpkit import hookimpl\n@hookimpl\ndef mcpkit_lifespan(*, settings): return None",
        "{module}",
        PluginContractError,
        Stage.REGISTER,
        "keyword only",
    ),
    "argument": (
        "from mcpkit import hookimpl\n@hookimpl\ndef mcpkit_components(server): return []",
        "{module}",
        PluginContractError,
        Stage.REGISTER,
        "server",
    ),
    "hook_raises": (
        "from mcpkit import hookimpl\n@hookimpl\ndef mcpkit_components(): 1 / 0",
        "{module}",
        PluginContractError,
        Stage.VALIDATE,
        "raised ZeroDivisionError",
    ),
    "hook_returns": (
        "from mcpkit import hookimpl\n@hookimpl\ndef mcpkit_components(): return [1]",
        "{module}",
        PluginContractError,
        Stage.VALIDATE,
        "no declaration",
    ),
    "undescribed": (
        "from mcpkit import Plugin\nplugin = Plugin()\n@plugin.tool()\ndef mute() -> int: return 1",
        "{module}:plugin",
        PluginContractError,
        Stage.VALIDATE,
        "'mute' has no description",
    ),
    "illegal": (
        (
            "from mcpkit import Plugin\nplugin = Plugin()\n"
            "@plugin.tool('né!')\ndef f() -> int:\n  'F'\n  return 1"
        ),
        "{module}:plugin",
        PluginContractError,
        Stage.VALIDATE,
        "letters, digits",
    ),
    "twice": (
        (
            "from mcpkit import Plugin\nplugin = Plugin()\n"
            "for _ in range(2):\n  @plugin.tool()\n  def f() -> int:\n    'F'\n    return 1"
        ),
        "{module}:plugin",
        PluginContractError,
        Stage.VALIDATE,
        "'twice_f' twice",
    ),
    "untyped": (
        (
            "from mcpkit import Plugin\nplugin = Plugin()\nclass Odd: pass\n"
            "@plugin.tool()\ndef f(x: Odd) -> int:\n  'F'\n  return 1"
        ),
        "{module}:plugin",
        PluginContractError,
        Stage.VALIDATE,
        "'f' is not usable",
    ),
    "mismatch": (
        (
            "from mcpkit import Plugin\nplugin = Plugin()\n"
            "@plugin.resource('x://{a}')\ndef f(b: str) -> str:\n  'F'\n  return b"
        ),
        "{module}:plugin",
        PluginContractError,
        Stage.VALIDATE,
        "has the variables ['a']",
    ),
    "reserved": (
        (
            "from mcpkit import Plugin, PluginSettings\n"
            "class S(PluginSettings):\n  enabled: bool = True\nplugin = Plugin(settings=S)"
        ),
        "{module}:plugin",
        PluginContractError,
        Stage.SETTINGS,
        "'enabled'",
    ),
    "bad_model": (
        "from mcpkit import Plugin\nplugin = Plugin(settings=dict)",
        "{module}:plugin",
        PluginContractError,
        Stage.SETTINGS,
        "not a pydantic model",
    ),
    "bare": (
        "from mcpkit import Plugin\nplugin = Plugin()\n@plugin.resource\ndef f() -> int:\n  'F'",
        "{module}:plugin",
        PluginImportError,
        Stage.IMPORT,
        "A resource needs a URI",
    ),
    "transport": (
        (
            "from mcpkit import hookimpl\nfrom mcpkit.core.contributions import Transport\n"
            "@hookimpl\ndef mcpkit_transports(): return [Transport(name='stdio', description='x')]"
        ),
        "{module}",
        PluginContractError,
        Stage.COMPOSE,
        "transport 'stdio' collides",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_plugin_fails_alone_and_says_why(install: Any, name: str) -> None:
    code, entry, error, stage, said = BAD[name]
    install(name, code, entry=entry)
    install("alpha", GOOD)

    app = build_with()

    record = record_of(app, name)
    assert record.status is Status.FAILED
    assert record.stage is stage
    assert type(record.error) is error
    assert said in record.error.message
    assert record.error.hint
    assert record.label == f"{name!r} (mcpkit-plugin-{name.replace('_', '-')} 1.0)"
    assert "alpha_answer" in app.registry.tools
    assert not any(tool.plugin == name for tool in app.registry.tools.values())


@pytest.mark.parametrize("setting", [{"strict": True}, {"plugins": {"raises": {"strict": True}}}])
def test_a_strict_plugin_that_fails_stops_everything(install: Any, setting: Any) -> None:
    install("raises", "1 / 0")

    with pytest.raises(PluginError, match="it is strict") as caught:
        build_with(**setting)

    assert "'raises' (mcpkit-plugin-raises 1.0)" in caught.value.message


def test_what_an_import_prints_stays_off_stdout(
    install: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    install("loud", "print('hello')\n" + "from mcpkit import Plugin; plugin = Plugin()")

    build_with()

    captured = capsys.readouterr()
    assert captured.out == ""
    assert "hello" in captured.err


def test_a_disabled_plugin_is_never_imported(install: Any) -> None:
    install("raises", "1 / 0")

    record = record_of(build_with(plugins={"raises": {"enabled": False}}), "raises")

    assert record.status is Status.DISABLED
    assert record.reason == "plugins.raises.enabled is false"
    assert "mcpkit_plugin_raises_code" not in sys.modules


def test_with_an_allow_list_nothing_else_is_imported(install: Any) -> None:
    install("alpha", GOOD)
    install("raises", "1 / 0")

    app = build_with(plugins_allow=["alpha"])

    assert list(app.registry.tools) == ["alpha_answer"]
    assert record_of(app, "raises").status is Status.DISABLED
    assert "mcpkit_plugin_raises_code" not in sys.modules


def test_an_allowed_plugin_that_is_missing_is_fatal(install: Any) -> None:
    install("alpha", GOOD)

    with pytest.raises(SettingsError, match="Did you mean 'alpha'"):
        build_with(plugins_allow=["alpa"])


def test_a_section_of_no_plugin_is_fatal(install: Any) -> None:
    install("alpha", GOOD)

    with pytest.raises(SettingsError, match=r"plugins\.alhpa.*Did you mean 'alpha'"):
        build_with(plugins={"alhpa": {"units": "x"}})


def test_no_plugins_imports_none_and_minds_no_section(install: Any) -> None:
    install("raises", "1 / 0")

    app = build(Settings.model_validate({"plugins": {"raises": {}}}), plugins=False)

    assert app.records == ()
    assert "mcpkit_plugin_raises_code" not in sys.modules


def test_two_distributions_of_one_name_are_both_refused_and_named(install: Any) -> None:
    install("alpha", GOOD, distribution="first-alpha")
    install("alpha", GOOD, distribution="second-alpha")

    records = [record for record in build_with().records if record.name == "alpha"]

    assert [record.status for record in records] == [Status.FAILED, Status.FAILED]
    assert records[0].error is not None
    assert "second-alpha" in records[0].error.message


def test_an_illegal_plugin_name_is_refused(install: Any) -> None:
    install("Al-pha", GOOD, distribution="alpha-dist")

    record = record_of(build_with(), "Al-pha")

    assert record.stage is Stage.DISCOVER
    assert record.error is not None
    assert "illegal" in record.error.message


def test_broken_metadata_costs_its_own_plugin(install: Any) -> None:
    install("broken", GOOD, metadata=False)
    install("alpha", GOOD)

    app = build_with()

    assert record_of(app, "broken").status is Status.FAILED
    assert "alpha_answer" in app.registry.tools


def test_colliding_tools_are_refused_whoever_comes_first() -> None:
    def one(name: str) -> Plugin:
        plugin = Plugin()

        @plugin.tool(name)
        def run() -> int:
            """Run."""
            return 1

        return plugin

    objects = {"a": one("b_c"), "a_b": one("c"), "other": one("x")}

    app = build(Settings(), plugins=False, objects=objects)

    assert list(app.registry.tools) == ["other_x"]
    for name, rival in (("a", "a_b"), ("a_b", "a")):
        record = record_of(app, name)
        assert record.stage is Stage.COMPOSE
        assert record.error is not None
        assert f"{rival!r} claims that name too" in record.error.message
    assert "plugins.a.prefix" in (record_of(app, "a").error or SettingsError("")).hint  # type: ignore[operator]


def test_a_prefix_resolves_a_collision_and_may_be_empty() -> None:
    plugin = Plugin()

    @plugin.tool()
    def run() -> int:
        """Run."""
        return 1

    @plugin.tool()
    def mine_walk() -> int:
        """Walk."""
        return 1

    def names(prefix: str | None) -> list[str]:
        settings = Settings.model_validate({"plugins": {"mine": {"prefix": prefix}}})
        return list(build(settings, plugins=False, objects={"mine": plugin}).registry.tools)

    assert names(None) == ["mine_run", "mine_walk"]
    assert names("our") == ["our_mine_walk", "our_run"]
    assert names("") == ["mine_walk", "run"]


@pytest.mark.slow
def test_fifty_shuffled_load_orders_give_one_catalogue(
    install: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = ["alpha", "beta", "gamma", "delta"]
    for name in good:
        install(name, GOOD)
    install("raises", "1 / 0")
    catalogues = set()
    rng = random.Random(7)

    import importlib_metadata

    found = list(importlib_metadata.entry_points(group="mcpkit.plugins"))
    for _ in range(50):
        rng.shuffle(found)
        monkeypatch.setattr(importlib_metadata, "entry_points", lambda group: list(found))
        app = build_with(plugins_allow=[*good, "raises"])
        lists = [app.registry.tools, app.registry.resources, app.registry.prompts]
        catalogues.add(json.dumps([[dict(c.definition) for c in m.values()] for m in lists]))

    assert len(catalogues) == 1
    assert "alpha_answer" in catalogues.pop()


class Strict(PluginSettings):
    units: str = "metric"
    limit: int = 3


def fail_settings(values: dict[str, Any], origin: Origin) -> PluginError:
    settings = Settings.model_validate({"plugins": {"mine": values}})
    objects = {"mine": Plugin(settings=Strict)}
    app = build(settings, plugins=False, objects=objects, origins=lambda key: [origin])
    error = record_of(app, "mine").error
    assert isinstance(error, PluginSettingsError)
    return error


def test_a_misspelt_setting_names_its_source_and_the_nearest_one() -> None:
    error = fail_settings(
        {"unit": "x"}, Origin(source="environment", name="MCPKIT_PLUGINS__MINE__UNIT")
    )

    assert error.message == (
        "plugins.mine.unit (from environment MCPKIT_PLUGINS__MINE__UNIT) is no setting of it. "
        "Did you mean 'units'?"
    )


class Keyed(PluginSettings):
    api_key: str


def test_a_required_setting_that_is_missing_is_named_in_the_hint() -> None:
    objects = {"mine": Plugin(settings=Keyed)}

    error = record_of(build(Settings(), plugins=False, objects=objects), "mine").error

    assert error is not None
    assert error.message == "plugins.mine.api_key is required"
    assert error.hint is not None
    assert error.hint.startswith("Set plugins.mine.api_key; `mcpkit settings init`")


@pytest.mark.parametrize(("name", "first"), [("migne", "Change"), ("other", "Install")])
def test_a_section_of_no_plugin_is_rather_misspelt_if_one_is_near(name: str, first: str) -> None:
    origin = Origin(source="command line")
    settings = Settings.model_validate({"plugins": {name: {"units": "x"}}})

    with pytest.raises(SettingsError) as refused:
        select(
            [PluginRecord(name="mine")],
            settings.plugins,
            allow=None,
            origins=lambda key: [origin],
        )

    assert (refused.value.hint or "").startswith(first)
    assert f"mcpkit-plugin-{name}" in (refused.value.hint or "")


def test_a_wrong_value_is_named_and_never_shown() -> None:
    error = fail_settings(
        {"limit": "hunter2"}, Origin(source="file", name="mcpkit.toml", path="/etc/mcpkit.toml")
    )

    assert "plugins.mine.limit (from mcpkit.toml) must be an integer" in error.message
    assert "hunter2" not in error.message


def test_settings_for_a_plugin_that_takes_none_are_an_error() -> None:
    settings = Settings.model_validate({"plugins": {"mine": {"units": "x"}}})

    app = build(settings, plugins=False, objects={"mine": Plugin()})

    error = record_of(app, "mine").error
    assert isinstance(error, PluginSettingsError)
    assert "takes no settings" in error.message


def test_an_sdk_server_is_a_plugin_as_it_is() -> None:
    server: MCPServer[Any] = MCPServer("old", instructions="Old but good.")

    @server.tool()
    def double(number: int) -> int:
        """Double a number."""
        return 2 * number

    app = build(Settings(), plugins=False, objects={"old": server})

    assert list(app.registry.tools) == ["old_double"]
    assert app.records[0].catalogue.instructions == "Old but good."


HINTS: dict[str, tuple[str, str, int | None, str]] = {
    "own": ("x = 1\n1 / 0", "{module}:plugin", 2, "Correct line 2 of"),
    "chained": (
        "def f(): 1 / 0\ntry:\n  f()\nexcept ValueError: pass",
        "{module}:plugin",
        1,
        "Correct line 1 of",
    ),
    "exiting": ("import sys\nsys.exit(7)", "{module}:plugin", 2, "Correct line 2 of"),
    "unparsable": ("\ndef (", "{module}:plugin", 2, "Correct line 2 of"),
    "incomplete": (GOOD, "no_such_module:x", None, "Reinstall mcpkit-plugin-incomplete"),
    "attributeless": (GOOD, "{module}:absent", None, "Correct the entry point"),
    "needy": ("import no_such_library", "{module}", 1, "Install the package of the module 'no_s"),
    "outdated": ("from json import no_such_name", "{module}", 1, "package of 'json'"),
    "mute": (
        "class Mute(Exception):\n  def __str__(self): raise RuntimeError\nraise Mute",
        "{module}",
        3,
        "Correct line 3 of",
    ),
    "hooked": (
        "from mcpkit import hookimpl\n@hookimpl\ndef mcpkit_components():\n  1 / 0",
        "{module}",
        4,
        "",
    ),
}


@pytest.mark.parametrize("name", HINTS)
def test_a_failure_names_its_line_and_what_helps(install: Any, name: str) -> None:
    code, entry, line, hint = HINTS[name]
    install(name, code, entry=entry)

    record = record_of(build_with(), name)

    assert record.error is not None
    assert hint in (record.error.hint or "")
    module = f"mcpkit_plugin_{name}_code.py"
    where = None if record.where is None else record.where.rpartition("/")[2]
    assert where == (None if line is None else f"{module}:{line}")
