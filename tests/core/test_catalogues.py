"""The files of catalogues: which are read, which are not, and which are kept."""

import json
import logging
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from mcp.server.caching import CacheHint
from pydantic import BaseModel

from mcpkit.core import catalogues
from mcpkit.core.catalogues import KEPT, Catalogues, user_catalogues
from mcpkit.core.components import Catalogue, Completer, Component, ComponentKind
from mcpkit.core.contributions import Transport
from mcpkit.core.environment_reads import EVERYTHING, EnvironmentReads
from mcpkit.core.manifest_records import asleep, outline
from mcpkit.core.settings import PluginSection
from mcpkit.core.status import PluginRecord
from mcpkit.core.wire import unchanged_in
from mcpkit.core.written import describe, restore

SECTION = PluginSection()


def component(kind: ComponentKind, exposed: str, **changes: Any) -> Component:
    identity = {"resource": "uri", "resource_template": "uriTemplate"}.get(kind, "name")
    definition: dict[str, Any] = {"name": exposed, identity: exposed}
    if kind == "tool":
        definition["inputSchema"] = {"type": "object", "properties": {"a": {"type": "string"}}}
    definition = changes.pop("definition", definition)
    own = exposed.removeprefix("weather_")
    fields = {"kind": kind, "plugin": "weather", "name": own, "exposed": exposed, "run": asleep}
    return Component(**{**fields, "definition": definition, **changes})


FULL = Catalogue(
    components=(
        component("tool", "weather_now", timeout=1.5, task="optional"),
        component("tool", "weather_sun", takes_context=False),
        component("resource", "weather://now", cache=CacheHint(7, "public"), listed=False),
        component("resource_template", "weather://in/{city}/{day}"),
        component("prompt", "weather_ask"),
    ),
    completer=Completer(plugin="weather", run=asleep),
    instructions="Ask for the weather.",
)


def installed(catalogue: Catalogue = FULL, **changes: Any) -> PluginRecord:
    """The record of a plugin that is installed, and was loaded."""
    return replace(
        PluginRecord(
            name="weather",
            distribution="mcpkit-plugin-weather",
            version="1.0",
            entry_point="weather:plugin",
            location="/site",
            installed="digest",
            catalogue=catalogue,
        ),
        **changes,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "catalogues"


@pytest.fixture
def kept(folder: Path) -> Catalogues:
    return Catalogues(folder)


def exposed(catalogue: Catalogue | None) -> list[str]:
    return [] if catalogue is None else [item.exposed for item in catalogue.components]


def test_what_is_written_is_read(kept: Catalogues) -> None:
    kept.write(installed(), SECTION)
    read = kept.read(installed(Catalogue()), SECTION)

    assert read is not None
    assert (read.instructions, read.completer) == (FULL.instructions, FULL.completer)
    for written, found in zip(FULL.components, read.components, strict=True):
        assert found.is_asleep
        versions = frozenset(unchanged_in(written.kind, written.definition))
        match = found.match if written.kind == "resource_template" else None
        assert found == replace(written, is_asleep=True, match=match, unchanged_in=versions)
    assert any(found.unchanged_in for found in read.components)
    matches = read.components[3].match
    assert matches is not None
    assert (matches("weather://in/oslo"), matches("weather://of/oslo")) == ({}, None)


def test_what_else_a_plugin_contributes_is_told_by_name(kept: Catalogues) -> None:
    async def passing(call: Any, call_next: Any) -> Any:
        """A middleware."""

    transport = Transport(name="pigeon", description="Slow.")
    more = Catalogue(middleware=(passing,), transports=(transport,))
    plain, rich = describe(Catalogue()), describe(more)

    assert (plain.changes_lists, plain.transports) == (False, ())
    assert (plain.key, plain.must_start, plain.completes) == ("", False, False)
    assert (rich.changes_lists, rich.transports) == (True, ("pigeon",))
    assert restore(plain, "weather").completer is None


@pytest.mark.parametrize("wrong", [{}, {"input_schema": {"type": "object"}}])
def test_a_definition_of_another_shape_is_not_restored(wrong: dict[str, Any]) -> None:
    (row,) = describe(Catalogue(components=(FULL.components[0],))).components
    spoilt = row.model_copy(update={"definition": {"name": row.exposed, **wrong}})

    with pytest.raises(ValueError, match="inputSchema"):
        restore(describe(Catalogue()).model_copy(update={"components": (spoilt,)}), "weather")


def test_parameters_in_headers_are_read_with_their_schema(kept: Catalogues) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "x-mcp-header": "A"}}}
    tool = component(
        "tool",
        "weather_now",
        definition={"name": "weather_now", "inputSchema": schema},
        header_schema=schema,
    )
    kept.write(installed(Catalogue(components=(tool,))), SECTION)

    (found,) = kept.read(installed(), SECTION).components
    assert found.header_schema == schema


def test_a_plugin_that_must_start_is_not_listed_from_its_file(kept: Catalogues) -> None:
    kept.write(installed(must_start=True), SECTION)

    assert kept.read(installed(), SECTION) is None
    written = kept.read_written(installed(), SECTION)
    assert written is not None
    assert written.must_start
    outlined = outline(written, "weather")
    assert outlined.instructions == "Ask for the weather."
    for given, found in zip(FULL.components, outlined.components, strict=True):
        assert (found.kind, found.plugin, found.name) == (given.kind, "weather", given.name)
        assert (found.exposed, found.definition) == (given.exposed, given.definition)
        assert (found.listed, found.is_asleep, found.run) == (given.listed, True, asleep)


@pytest.mark.parametrize(
    ("kind", "listed", "told"),
    [
        ("tool", "a.b", "'a.b' is no legal name"),
        ("prompt", "a.b", "'a.b' is no legal name"),
        ("tool", "x" * 65, "is no legal name"),
        ("tool", "other", "'weather_now' is listed as 'other'"),
        ("resource", "other", "'weather_now' is listed as 'other'"),
        ("resource_template", None, "'weather_now' is listed as None"),
    ],
)
def test_what_is_not_listed_under_its_own_legal_name_is_no_manifest(
    kind: Any, listed: Any, told: str
) -> None:
    name = "weather_now" if "listed" in told else listed
    item = component(kind, name)
    identity = {"resource": "uri", "resource_template": "uriTemplate"}.get(kind, "name")
    wrong = replace(item, definition={**item.definition, identity: listed})
    written = describe(Catalogue(components=(item,)))
    (row,) = written.components
    spoilt = row.model_copy(update={"definition": dict(wrong.definition)})

    with pytest.raises(ValueError, match=told):
        outline(written.model_copy(update={"components": (spoilt,)}), "weather")


class Takes(BaseModel):
    city: str = "Oslo"


def test_what_may_be_set_is_written(kept: Catalogues) -> None:
    kept.write(installed(settings_model=Takes), SECTION)
    kept.write(installed(name="other"), SECTION)

    assert kept.read_written(installed(), SECTION).settings == ("city",)
    other = kept.read_written(installed(name="other"), SECTION)
    assert other is not None
    assert other.settings == ()


@pytest.mark.parametrize(
    "change",
    [
        {"name": "weathers"},
        {"distribution": "mcpkit-plugin-weather2"},
        {"version": "1.0.1"},
        {"entry_point": "weather:other"},
        {"location": "/other"},
        {"installed": "digest2"},
        {"installed": None},
        {"editable": True},
    ],
)
def test_nothing_is_read_for_another_plugin_or_another_state_of_it(
    kept: Catalogues, change: dict[str, Any]
) -> None:
    kept.write(installed(), SECTION)

    assert kept.read(installed(**change), SECTION) is None


@pytest.mark.parametrize("change", [{"prefix": "w"}, {"own": 1}, {"timeout": 3}])
def test_nothing_is_read_for_other_settings(kept: Catalogues, change: dict[str, Any]) -> None:
    kept.write(installed(), SECTION)

    assert kept.read(installed(), PluginSection.model_validate(change)) is None


@pytest.mark.parametrize("change", [{"installed": None}, {"editable": True}])
def test_nothing_is_written_of_a_plugin_that_may_change(
    kept: Catalogues, folder: Path, change: dict[str, Any]
) -> None:
    kept.write(installed(**change), SECTION)

    assert not folder.exists()


def test_the_order_of_settings_makes_no_difference(kept: Catalogues) -> None:
    kept.write(installed(), PluginSection.model_validate({"a": 1, "b": {"c": 1, "d": 2}}))
    read = kept.read(installed(), PluginSection.model_validate({"b": {"d": 2, "c": 1}, "a": 1}))

    assert read is not None


def test_settings_that_are_no_json_are_told_apart_by_their_text(kept: Catalogues) -> None:
    odd, other = (
        PluginSection.model_validate({"own": [float("nan"), b"\xff", Takes, day]})
        for day in (date(2026, 1, 2), date(2026, 1, 3))
    )
    kept.write(installed(), odd)

    assert kept.read(installed(), odd) is not None
    assert kept.read(installed(), other) is None


def reading(*names: str) -> dict[str, Any]:
    """What a plugin read of the environment as it is now."""
    return {"environment": EnvironmentReads.of(names, os.environ)}


def test_variables_that_a_plugin_read_belong_to_it(
    kept: Catalogues, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CITY", "Oslo")
    kept.write(installed(**reading("CITY")), SECTION)

    assert kept.read(installed(), SECTION) is not None
    monkeypatch.setenv("CITY", "Bergen")
    assert kept.read(installed(), SECTION) is None
    monkeypatch.delenv("CITY")
    assert kept.read(installed(), SECTION) is None
    monkeypatch.setenv("CITY", "Oslo")
    assert kept.read(installed(), SECTION) is not None


def test_each_environment_has_its_file(kept: Catalogues, monkeypatch: pytest.MonkeyPatch) -> None:
    for city in ("Oslo", "Bergen"):
        monkeypatch.setenv("CITY", city)
        only = Catalogue(components=(component("prompt", f"weather_{city}"),))
        kept.write(installed(only, **reading("CITY")), SECTION)

    assert len(kept.files()) == 2
    for city in ("Bergen", "Oslo"):
        monkeypatch.setenv("CITY", city)
        assert exposed(kept.read(installed(), SECTION)) == [f"weather_{city}"]


def test_a_plugin_that_reads_other_variables_now_has_one_file(
    kept: Catalogues, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CITY", "Oslo")
    kept.write(installed(**reading("CITY")), SECTION)
    kept.write(installed(**reading("HOME")), SECTION)
    kept.write(installed(**reading(EVERYTHING)), SECTION)

    (file,) = kept.files()
    assert json.loads(file.read_text("utf-8"))["environment"] == [EVERYTHING]


def test_the_newest_files_of_a_plugin_are_kept(kept: Catalogues) -> None:
    sections = [PluginSection.model_validate({"own": number}) for number in range(KEPT + 2)]
    for number, section in enumerate(sections):
        known = set(kept.files())
        kept.write(installed(), section)
        (file,) = set(kept.files()) - known
        os.utime(file, (number, number))
    kept.write(installed(name="other"), SECTION)

    found = [kept.read(installed(), section) is not None for section in sections]
    assert found == [False, False, *[True] * KEPT]
    assert len(kept.files()) == KEPT + 1


def test_a_plugin_in_two_places_has_files_in_both(kept: Catalogues) -> None:
    sections = [PluginSection.model_validate({"own": number}) for number in range(KEPT)]
    for section in sections:
        for place in ("/one", "/two"):
            kept.write(installed(location=place), section)

    assert len(kept.files()) == 2 * KEPT
    assert len({file.parent for file in kept.files()}) == 2


def test_a_file_that_says_the_same_is_not_written_again(kept: Catalogues) -> None:
    kept.write(installed(), SECTION)
    (file,) = kept.files()
    os.utime(file, (7, 7))

    kept.write(installed(), SECTION)
    same = file.stat().st_mtime
    kept.write(installed(Catalogue()), SECTION)

    assert same == 7
    assert file.stat().st_mtime > 7
    assert exposed(kept.read(installed(), SECTION)) == []


def test_files_and_folders_are_for_the_user_alone(kept: Catalogues, folder: Path) -> None:
    kept.write(installed(), SECTION)

    (file,) = kept.files()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, file.parent)] == [0o700] * 2


def test_all_files_can_be_cleared(kept: Catalogues, folder: Path) -> None:
    assert (kept.files(), kept.clear()) == ([], 0)
    kept.write(installed(name="b"), SECTION)
    kept.write(installed(name="a"), SECTION)
    (folder / "more").mkdir()
    (folder / "more" / "other.json").touch()

    assert [file.parent.name[0] for file in kept.files()] == ["a", "b"]
    assert kept.clear() == 2
    assert kept.files() == []
    assert (folder / "more" / "other.json").exists()


def test_a_folder_that_others_can_write_is_not_used_and_that_is_told_once(
    kept: Catalogues, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept.write(installed(), SECTION)
    folder.chmod(0o777)

    read = [kept.read(installed(), SECTION) for _ in range(2)]
    kept.write(installed(name="other"), SECTION)

    assert read == [None, None]
    assert len(kept.files()) == 1
    (entry,) = caplog.records
    assert entry.levelno == logging.WARNING
    assert entry.getMessage() == f"The catalogue folder {folder} is not used: others can write it"
    folder.chmod(0o755)
    assert kept.read(installed(), SECTION) is not None


def garble(file: Path, **changes: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text("utf-8")), **changes}), "utf-8")


def rename_tool(file: Path) -> None:
    content = json.loads(file.read_text("utf-8"))
    content["components"][0]["exposed"] = "weather_rain"
    file.write_text(json.dumps(content), "utf-8")


def make_illegal(file: Path) -> None:
    content = json.loads(file.read_text("utf-8"))
    content["components"][4]["exposed"] = content["components"][4]["definition"]["name"] = "a b"
    file.write_text(json.dumps(content), "utf-8")


def lead_elsewhere(file: Path) -> None:
    file.rename(file.with_name("real"))
    file.symlink_to("real")


SPOILT: dict[str, Callable[[Path], object]] = {
    "empty": lambda file: file.write_bytes(b""),
    "list": lambda file: file.write_bytes(b"[]"),
    "deep": lambda file: file.write_bytes(b"[" * 100_000),
    "latin": lambda file: file.write_bytes(b'{"key": "\xff"}'),
    "more": lambda file: garble(file, more=1),
    "less": lambda file: garble(file, completes=None),
    "shape": lambda file: garble(file, components=[{"kind": "tool"}]),
    "name": rename_tool,
    "illegal": make_illegal,
    "mode": lambda file: file.chmod(0o666),
    "link": lead_elsewhere,
}


@pytest.mark.parametrize("how", SPOILT)
def test_a_file_that_is_unusable_is_told_and_not_read(
    kept: Catalogues, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    kept.write(installed(), SECTION)
    SPOILT[how](kept.files()[0])

    assert kept.read(installed(), SECTION) is None
    (entry,) = caplog.records
    assert entry.levelno == logging.WARNING
    told = f"The catalogue of plugin {installed().label} is unusable: "
    assert entry.getMessage().startswith(told)
    assert entry.getMessage() not in {told, f"{told}None"}


def test_a_file_for_something_else_is_passed_over(
    kept: Catalogues, caplog: pytest.LogCaptureFixture
) -> None:
    kept.write(installed(), SECTION)
    (file,) = kept.files()
    content = file.read_bytes()
    start, ending = file.name.partition("-")[0], ".catalogue.json"
    key = json.loads(content)["key"]
    file.unlink()
    file.with_name(f"{start}-0{ending}").write_bytes(content.replace(key.encode(), b"other"))
    file.with_name(f"{start}-1{ending}.tmp").write_bytes(b"garbage")
    file.with_name(f"{start[:-1]}-2{ending}").write_bytes(b"garbage")
    file.with_name(f"{start}-3{ending}").write_bytes(content)

    assert kept.read(installed(), SECTION) is not None
    assert not caplog.records


@pytest.mark.parametrize(("most", "fits"), [(0, True), (-1, False)])
def test_a_file_of_one_byte_over_the_limit_is_not_read(
    kept: Catalogues, most: int, fits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.write(installed(), SECTION)
    monkeypatch.setattr(catalogues, "MAX_BYTES", kept.files()[0].stat().st_size + most)

    assert (kept.read(installed(), SECTION) is not None) is fits


def test_a_folder_that_cannot_be_made_is_only_logged(
    kept: Catalogues, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    folder.parent.write_text("a file")

    kept.write(installed(), SECTION)

    (entry,) = caplog.records
    assert entry.levelno == logging.INFO
    assert entry.getMessage().startswith(
        f"Cannot write the catalogue of plugin {installed().label}: "
    )


def test_catalogues_are_in_the_users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    assert user_catalogues().folder == tmp_path / "mcpkit" / "catalogues"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    assert user_catalogues() is None
