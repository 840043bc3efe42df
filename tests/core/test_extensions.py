"""Apps, skills and extensions as contributions: what is refused, and what clients get."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import mcp_types as types
import pytest
from mcp.shared.exceptions import MCPError

from mcpkit import Plugin, ToolError
from mcpkit.core.contributions import Call, CallNext, Extension, Method
from mcpkit.core.errors import PluginError
from mcpkit.core.skills import read_skills
from mcpkit.testing import connect

pytestmark = pytest.mark.anyio

MANIFEST = "---\nname: demo\ndescription: Shows something.\n---\nText\n"


async def failing(**plugins: Any) -> str:
    """Why plugins do not load."""
    with pytest.raises(PluginError) as caught:
        async with connect(**plugins):
            pytest.fail("it loaded")
    return caught.value.message


@pytest.mark.parametrize(
    ("page", "mime_type", "said"),
    [
        ("ui://other/page.html", None, "which is no resource of it"),
        ("https://example.org", None, "which is no resource of it"),
        ("ui://demo/page.html", "text/html", "no host would show it"),
    ],
)
async def test_a_page_that_hosts_could_not_show_is_refused(
    page: str, mime_type: str | None, said: str
) -> None:
    plugin = Plugin()

    @plugin.resource("ui://demo/page.html", mime_type=mime_type)
    def html() -> str:
        return "<p>"

    @plugin.tool(app=page)
    def tool() -> str:
        """Show it."""
        return ""

    assert said in await failing(demo=plugin)


async def test_what_a_tool_says_of_its_page_is_kept() -> None:
    plugin = Plugin()

    @plugin.resource("ui://demo/page.html")
    def html() -> str:
        return "<p>"

    @plugin.tool(app="ui://demo/page.html", meta={"ui": {"visibility": ["app"]}, "a/b": 1})
    def tool() -> str:
        """Show it."""
        return ""

    async with connect(demo=plugin) as client:
        (tool_listed,) = (await client.list_tools()).tools

    ui = {"resourceUri": "ui://demo/page.html", "visibility": ["app"]}
    assert tool_listed.meta == {"ui": ui, "a/b": 1}


def skill(folder: Path, name: str, manifest: str | bytes = MANIFEST) -> Path:
    """Write a skill, and return the folder of all."""
    path = folder / "skills" / name
    path.mkdir(parents=True)
    raw = manifest if isinstance(manifest, bytes) else manifest.encode()
    (path / "SKILL.md").write_bytes(raw)
    return folder / "skills"


def shipping(folder: Path) -> Plugin:
    plugin = Plugin()
    plugin.skills(folder)
    return plugin


@pytest.mark.parametrize(
    ("name", "manifest", "said"),
    [
        ("demo", "no frontmatter", "without name and description"),
        ("demo", "---\nname: demo\n---\n", "without name and description"),
        ("demo", "---\nname: demo\ndescription: ' '\n---\n", "without name and description"),
        ("demo", "---\n- a list\n---\n", "without name and description"),
        ("demo", "---\nname: [\n---\n", "broken YAML"),
        ("demo", "---\n!!python/object:os.x {}\n---\n", "broken YAML"),
        ("other", MANIFEST, "calls itself 'demo'"),
        ("Demo", MANIFEST, "illegal name"),
        ("de--mo", MANIFEST, "illegal name"),
        ("demo", b"---\nname: d\xe9mo\n---\n", "not UTF-8"),
    ],
)
async def test_a_broken_skill_fails_its_plugin(
    tmp_path: Path, name: str, manifest: str | bytes, said: str
) -> None:
    folder = skill(tmp_path, name, manifest)

    assert said in await failing(demo=shipping(folder))


async def test_skills_that_are_not_there_fail_their_plugin(tmp_path: Path) -> None:
    assert "does not exist" in await failing(demo=shipping(tmp_path / "none"))
    assert "holds no skill" in await failing(demo=shipping(tmp_path))


async def test_too_large_a_skill_is_refused(tmp_path: Path) -> None:
    folder = skill(tmp_path, "demo")
    for number in range(512):
        (folder / "demo" / f"{number}.txt").write_text("x", "utf-8")

    assert "too large" in await failing(demo=shipping(folder))


def test_frontmatter_is_read_as_json_would_be(tmp_path: Path) -> None:
    extra = "since: 2026-01-02\nyes: yes\nversion: 1.0\ncount: 0123\nnothing: ~\nflag: true\n"
    folder = skill(tmp_path, "demo", MANIFEST.replace("---\nText", f"{extra}---\nText"))

    (found,) = read_skills(folder, "demo")

    assert found.frontmatter == {
        "name": "demo",
        "description": "Shows something.",
        "since": "2026-01-02",
        "yes": "yes",
        "version": 1.0,
        "count": 123,
        "nothing": None,
        "flag": True,
    }


def test_hidden_files_caches_and_links_that_lead_out_stay_out(tmp_path: Path) -> None:
    folder = skill(tmp_path, "demo")
    (tmp_path / "secret.txt").write_text("secret", "utf-8")
    (folder / "demo" / "out.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "demo" / ".hidden").write_text("hidden", "utf-8")
    (folder / "demo" / "__pycache__").mkdir()
    (folder / "demo" / "__pycache__" / "x.pyc").write_bytes(b"x")
    (folder / "demo" / "picture.png").write_bytes(b"\x89PNG")

    (found,) = read_skills(folder, "demo")

    assert [file.uri.rpartition("/")[2] for file in found.files] == ["SKILL.md", "picture.png"]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_file_of_a_skill_is_read_as_it_is(tmp_path: Path, mode: Any) -> None:
    folder = skill(tmp_path, "demo")
    (folder / "demo" / "picture.png").write_bytes(b"\x89PNG")

    async with connect(demo=shipping(folder), mode=mode) as client:
        text = (await client.read_resource("skill://demo/demo/SKILL.md")).contents[0]
        picture = (await client.read_resource("skill://demo/demo/picture.png")).contents[0]
        listed = (await client.list_resources()).resources
        with pytest.raises(MCPError):
            await client.read_resource("skill://demo/demo/../../../secret.txt")

    assert text.text == MANIFEST  # type: ignore[union-attr]
    assert (picture.blob, picture.mime_type) == ("iVBORw==", "image/png")  # type: ignore[union-attr]
    assert [resource.name for resource in listed] == ["demo"]


class Params(types.RequestParams):
    what: str = "all"


class Answer(types.Result):
    reloaded: str


def extending(identifier: str = "com.example/reload", method: str = "acme/reload") -> Plugin:
    """A plugin that adds a method to the protocol."""
    plugin = Plugin()

    async def reload(ctx: Any, params: Params) -> dict[str, str]:
        if params.what == "nothing":
            raise ToolError("Name something to reload")
        if params.what == "crash":
            raise RuntimeError("the secret is 42")
        return {"reloaded": f"{params.what} by {ctx.plugin}"}

    @plugin.hookimpl
    def mcpkit_extensions() -> Iterable[Extension]:
        return [
            Extension(
                identifier=identifier,
                methods=(Method(name=method, params=Params, handler=reload),),
            )
        ]

    return plugin


class Sent(types.RequestParams):
    what: Any


async def ask(client: Any, what: Any) -> str:
    request = types.Request[Any, str](method="acme/reload", params=Sent(what=what))
    return str((await client.session.send_request(request, Answer)).reloaded)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_an_extension_adds_a_method(mode: Any) -> None:
    async with connect(demo=extending(), mode=mode) as client:
        answer = await ask(client, "all")
        errors = []
        for what in ("nothing", "crash", 7):
            with pytest.raises(MCPError) as caught:
                await ask(client, what)
            errors.append((caught.value.code, caught.value.message))

    assert answer == "all by demo"
    assert errors[0] == (types.INTERNAL_ERROR, "Name something to reload")
    assert errors[1] == (types.INTERNAL_ERROR, "Internal error in method 'acme/reload'")
    assert errors[2][0] == types.INVALID_PARAMS


async def test_middleware_sees_the_methods_of_extensions() -> None:
    seen: list[tuple[str, str, Any]] = []
    watching = Plugin()

    async def watch(call: Call, call_next: CallNext) -> Any:
        seen.append((call.kind, call.name, call.arguments))
        return await call_next(call)

    @watching.hookimpl
    def mcpkit_middleware() -> list[Any]:
        return [watch]

    async with connect(demo=extending(), watching=watching) as client:
        await ask(client, "all")

    assert seen == [("method", "acme/reload", {"what": "all"})]


@pytest.mark.parametrize(
    ("identifier", "method", "said"),
    [
        ("reload", "acme/reload", "illegal identifier"),
        ("com.example/reload", "tools/call", "which the specification has already"),
    ],
)
async def test_an_extension_that_may_not_be_is_refused(
    identifier: str, method: str, said: str
) -> None:
    assert said in await failing(demo=extending(identifier, method))


@pytest.mark.parametrize(
    ("identifier", "method", "said"),
    [
        ("com.example/reload", "other/reload", "extension 'com.example/reload' collides"),
        ("com.example/other", "acme/reload", "method 'acme/reload' collides"),
    ],
)
async def test_what_two_plugins_claim_none_gets(identifier: str, method: str, said: str) -> None:
    assert said in await failing(one=extending(), two=extending(identifier, method))


@pytest.mark.parametrize(
    ("identifier", "method"),
    [("io.modelcontextprotocol/tasks", "acme/x"), ("com.example/x", "skills/list")],
)
async def test_the_hosts_own_extensions_cannot_be_taken(identifier: str, method: str) -> None:
    assert "collides: 'mcpkit'" in await failing(demo=extending(identifier, method))
