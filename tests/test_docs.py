"""The documentation: complete, and its examples run."""

import importlib
import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import httpx2
import mcp_types as types
import pytest
from pydantic import BaseModel

from mcpkit import Plugin, ToolError
from mcpkit.cli.main import cli
from mcpkit.core.hooks import hook_names
from mcpkit.core.settings import PluginSection, Settings
from mcpkit.testing import connect
from tests.conftest import BUNDLED, ROOT, Run

README = (ROOT / "README.md").read_text("utf-8")
DOCS = sorted((ROOT / "docs").glob("*.md"))


def blocks(text: str, language: str) -> list[str]:
    """The fenced examples of one language."""
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def commands(group: click.Group, prefix: str) -> Iterator[str]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group) and command.commands:
            yield from commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}"


@pytest.mark.parametrize("command", list(commands(cli, "mcpkit")))
def test_every_command_is_documented(command: str) -> None:
    assert f"`{command}" in (ROOT / "docs/commands.md").read_text("utf-8")


@pytest.mark.parametrize("hook", hook_names())
def test_every_hook_is_documented(hook: str) -> None:
    assert f"`{hook}(" in (ROOT / "docs/hooks.md").read_text("utf-8")


def setting_rows(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Beginnings and ends of the rows that the settings page must have."""
    for name, field in model.model_fields.items():
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from setting_rows(annotation, f"{prefix}{name}.")
        elif f"{prefix}{name}" != "plugins":
            variable = "MCPKIT_" + f"{prefix}{name}".replace(".", "__").upper()
            yield f"| `{prefix}{name}` |…| {field.description} | `{variable}` |"


ROWS = [*setting_rows(Settings), *setting_rows(PluginSection, "plugins.<name>.")]


@pytest.mark.parametrize("row", ROWS)
def test_every_setting_is_documented_as_it_is(row: str) -> None:
    start, end = row.split("…")
    page = (ROOT / "docs/settings.md").read_text("utf-8").splitlines()

    assert any(line.startswith(start) and line.endswith(end) for line in page), row


def test_links_lead_somewhere() -> None:
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS):
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("page", [ROOT / "README.md", *DOCS], ids=lambda path: path.name)
def test_examples_parse(page: Path) -> None:
    text = page.read_text("utf-8")

    for block in blocks(text, "python"):
        compile(block, page.name, "exec", flags=0x2000)  # top-level await is allowed
    for block in blocks(text, "json"):
        json.loads(block)
    for block in blocks(text, "toml"):
        tomllib.loads(block)


def test_the_settings_of_the_readme_are_settings() -> None:
    for block in blocks(README, "toml"):
        content = tomllib.loads(block)
        if "project" not in content:
            Settings.model_validate(content)


def plugin_of(code: str, name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Import an example as a module, as an entry point would."""
    (folder / f"{name}.py").write_text(code, "utf-8")
    monkeypatch.syspath_prepend(str(folder))
    return importlib.import_module(name).plugin


@pytest.mark.anyio
async def test_the_plugin_of_the_readme_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (code,) = [block for block in blocks(README, "python") if "plugin = Plugin()" in block]
    plugin = plugin_of(code, "readme_plugin", tmp_path, monkeypatch)

    async with connect(clock=plugin) as client:
        result = await client.call_tool("clock_now", {"timezone": "Europe/Oslo"})

    text = result.content[0].text  # type: ignore[union-attr]
    assert re.match(r'"\d{4}-\d\d-\d\dT.*\+0[12]:00"', text)


@pytest.mark.anyio
async def test_the_plugin_of_the_plugins_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (ROOT / "docs/plugins.md").read_text("utf-8")
    (code,) = [block for block in blocks(page, "python") if "plugin = Plugin(" in block]
    plugin = plugin_of(code, "plugins_page", tmp_path, monkeypatch)

    async with connect(greeter=plugin, settings={"greeter": {"salutation": "Hei"}}) as client:
        greeted = await client.call_tool("greeter_greet", {"name": "Kari"})
        person = await client.read_resource("greeter://people/Ola")

    assert greeted.structured_content == {"text": "Hei Kari", "number": 1}
    assert '"Ola"' in person.contents[0].text  # type: ignore[union-attr]


@pytest.mark.anyio
async def test_the_request_of_the_plugins_page_is_limited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (ROOT / "docs/plugins.md").read_text("utf-8")
    (code,) = [block for block in blocks(page, "python") if "await fetch(" in block]
    (tmp_path / "prices_example.py").write_text(code, "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    prices = importlib.import_module("prices_example").prices

    def answer(request: httpx2.Request) -> httpx2.Response:
        size = 10 if request.url.params["product"] == "tea" else 2_000_000
        return httpx2.Response(200, json="x" * size)

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as http:
        tea = await prices(http, "tea")
        with pytest.raises(ToolError, match="larger than"):
            await prices(http, "gold")

    assert tea == b'"xxxxxxxxxx"'


@pytest.mark.anyio
async def test_the_server_that_was_ported_from_fastmcp_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (ROOT / "docs/from-fastmcp.md").read_text("utf-8")
    (code,) = [block for block in blocks(page, "python") if "plugin = Plugin(" in block]
    plugin = plugin_of(code, "ported_page", tmp_path, monkeypatch)

    async with connect(notes=plugin, settings={"notes": {"most": 1}}) as client:
        note = {"title": "Tea", "text": "Green"}
        added = await client.call_tool("notes_add", note)
        again = await client.call_tool("notes_add", note)
        more = await client.call_tool("notes_add", note | {"title": "Milk"})
        read = await client.read_resource("notes://Tea")
        prompt = await client.get_prompt("notes_review", {"title": "Tea"})

    assert added.structured_content == note
    assert "choose another" in str(again.content)
    assert "no more are kept" in str(more.content)
    assert read.contents[0].text == "Green"  # type: ignore[union-attr]
    assert "notes://Tea" in str(prompt.messages)


PROTOCOL = blocks((ROOT / "docs/protocol.md").read_text("utf-8"), "python")


def accept(**content: Any) -> Any:
    """A client's callback that gives one answer to every question."""

    async def answer(context: Any, params: Any) -> types.ElicitResult:
        return types.ElicitResult(action="accept", content=content)

    return answer


async def call(client: Any, tool: str, **arguments: Any) -> str:
    return str((await client.call_tool(f"it_{tool}", arguments)).content[0].text)


async def books(client: Any) -> None:
    assert await call(client, "book", city="Oslo") == "Kari goes to Oslo"


async def counts(client: Any) -> None:
    assert await call(client, "count", to=3) == "3"
    assert await call(client, "grind", rounds=3) == "3"


async def measures(client: Any) -> None:
    async with client.listen(resource_subscriptions=["sensor://reading"]) as changes:
        await anext(changes)
    assert int((await client.read_resource("sensor://reading")).contents[0].text) > 0


async def finds(client: Any) -> None:
    assert "'number' is a required" in await call(client, "find", by="number")
    assert await call(client, "find", by="name") == "found by name"
    assert await call(client, "query", region="x") == "x"
    assert (await client.read_resource("catalogue://all")).ttl_ms == 60_000


async def shows(client: Any) -> None:
    assert await call(client, "time") == "twelve o'clock, at noon"


async def renders(client: Any) -> None:
    assert await call(client, "render", frames=2) == "published"


async def reloads(client: Any) -> None:
    class Reloaded(types.Result):
        reloaded: str

    class Params(types.RequestParams):
        what: str

    request = types.Request[Any, str](method="acme/reload", params=Params(what="all"))
    result = await client.session.send_request(request, Reloaded)
    assert result.reloaded == "all"
    assert client.server_capabilities.extensions == {"com.example/reload": {"fast": True}}


USES = [
    (books, {"elicitation_callback": accept(name="Kari")}),
    (counts, {}),
    (measures, {}),
    (finds, {}),
    (shows, {}),
    (renders, {"elicitation_callback": accept(go_on=True)}),
    (reloads, {}),
]


@pytest.mark.anyio
@pytest.mark.parametrize("number", range(len(PROTOCOL)))
async def test_the_plugins_of_the_protocol_page_run(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use, options = USES[number]
    plugin = plugin_of(PROTOCOL[number], f"protocol_page_{number}", tmp_path, monkeypatch)

    async with connect(it=plugin, client=options) as client:
        await use(client)


@pytest.mark.anyio
async def test_the_skill_of_the_protocol_page_is_one(tmp_path: Path) -> None:
    page = (ROOT / "docs/protocol.md").read_text("utf-8")
    (manifest,) = [block for block in blocks(page, "text") if block.startswith("---")]
    (tmp_path / "packing").mkdir()
    (tmp_path / "packing" / "SKILL.md").write_text(manifest, "utf-8")
    plugin = Plugin()
    plugin.skills(tmp_path)

    async with connect(trips=plugin) as client:
        read = await client.read_resource("skill://trips/packing/SKILL.md")

    assert read.contents[0].text == manifest  # type: ignore[union-attr]


def readme_commands() -> list[str]:
    lines = [line for block in blocks(README, "console") for line in block.splitlines()]
    return [
        line.removeprefix("$ ").split("  #")[0].strip()
        for line in lines
        if line.startswith("$ mcpkit ")
    ]


@pytest.mark.slow
@pytest.mark.parametrize("line", [line for line in readme_commands() if " serve" not in line])
def test_commands_of_the_readme_run(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    for variable in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    if line.endswith(" trust"):
        (tmp_path / "mcpkit.toml").touch()
    result = run(*shlex.split(line)[1:], env=BUNDLED)

    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("line", [line for line in readme_commands() if " serve" in line])
def test_serve_commands_of_the_readme_have_options_that_exist(line: str) -> None:
    _, _, *arguments = shlex.split(line)

    serve = cli.get_command(click.Context(cli), "serve")
    with serve.make_context("serve", arguments) as context:
        assert context.params is not None
