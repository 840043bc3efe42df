"""A start that finds catalogues imports no plugin; the first call does, once."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import anyio
import httpx2
import mcp
import mcp_types as types
import pytest
from mcp.shared.exceptions import MCPError

from tests.conftest import Run, Serve

pytestmark = [pytest.mark.anyio, pytest.mark.contract]

CODE = """
    import os, sys
    from contextlib import asynccontextmanager
    from pathlib import Path
    from typing import Annotated
    from pydantic import Field
    from mcp.server.caching import CacheHint
    from mcp_types import ToolAnnotations, Icon
    from mcpkit import Context, Plugin, PluginSettings

    def note(line):
        with open(os.environ["JOURNAL"], "a") as file:
            file.write(line + "\\n")

    note("import NAME")

    class Settings(PluginSettings):
        size: int = 1

    plugin = Plugin(settings=Settings, instructions="Use NAME.")

    @plugin.lifespan
    @asynccontextmanager
    async def lifespan(settings):
        note("open NAME")
        yield settings.size
        note("close NAME")

    @plugin.tool(annotations=ToolAnnotations(read_only_hint=True), meta={"a/b": 1}, timeout=7)
    async def grow(by: Annotated[int, Field(description="How much", ge=0)], ctx: Context) -> int:
        'Grow.'
        return ctx.state + by

    @plugin.tool(task="optional")
    def work() -> str:
        'Work.'
        return "worked"

    @plugin.resource("NAME://things/{thing}", cache=CacheHint(ttl_ms=10, scope="private"))
    def thing(thing: str) -> str:
        'A thing.'
        return thing

    @plugin.resource("NAME://all")
    def everything() -> str:
        'All.'
        return "all"

    @plugin.prompt()
    def ask(what: str) -> str:
        'Ask.'
        return what

    @plugin.completion()
    def complete(ref, argument, context):
        return [argument.value + "!"]
"""


class Site:
    """A folder of installed plugins, with a cache and a journal of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "site"
        self.cache = folder / "cache"
        self.journal = folder / "journal.txt"
        self.names: list[str] = []
        self.folder.mkdir()
        for name in ("one", "two"):
            self.install(name)

    def install(self, name: str, version: str = "1.0", more: str = "") -> None:
        """Install a plugin as pip does: a module, metadata, and a record of the files."""
        self.change(name, more)
        self.names = sorted({*self.names, name})
        info = self.folder / f"mcpkit_plugin_{name}.dist-info"
        info.mkdir(exist_ok=True)
        head = f"Metadata-Version: 2.1\nName: mcpkit-plugin-{name}\nVersion: {version}\n"
        (info / "METADATA").write_text(head, "utf-8")
        entry = f"[mcpkit.plugins]\n{name} = {name}_module:plugin\n"
        (info / "entry_points.txt").write_text(entry, "utf-8")
        (info / "RECORD").write_text(f"{name}_module.py,sha256={hash(more)},1\n", "utf-8")

    def change(self, name: str, more: str) -> None:
        """Change the module behind the record's back."""
        code = dedent(CODE).replace("NAME", name) + dedent(more)
        (self.folder / f"{name}_module.py").write_text(code, "utf-8")

    @property
    def env(self) -> dict[str, str]:
        """The environment in which they are installed."""
        return {
            "PYTHONPATH": os.pathsep.join([str(self.folder), *sys.path[:1]]),
            "XDG_CACHE_HOME": str(self.cache),
            "JOURNAL": str(self.journal),
            "PYTHONDONTWRITEBYTECODE": "1",
            "MCPKIT_PLUGINS_ALLOW": ",".join(self.names),
        }

    @property
    def files(self) -> list[Path]:
        """The catalogues that were written."""
        return sorted((self.cache / "mcpkit" / "catalogues").glob("*/*.json"))

    def file(self, name: str) -> Path:
        """The one catalogue of a plugin."""
        (found,) = (path for path in self.files if path.parent.name.startswith(f"{name}-"))
        return found

    def noted(self) -> list[str]:
        """What has happened since this was asked last."""
        lines = self.journal.read_text("utf-8").splitlines() if self.journal.exists() else []
        self.journal.unlink(missing_ok=True)
        return lines


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Two plugins, of which nothing is written down yet."""
    return Site(tmp_path)


@pytest.fixture
def start(serve: Serve, site: Site) -> Callable[..., Any]:
    """Start a server of these plugins alone."""

    def start_one(*arguments: str) -> Any:
        return serve("-t", "streamable-http", "--port", "0", *arguments, env=site.env)

    return start_one


async def listed(client: mcp.Client) -> Any:
    """Everything that clients can list, and what the server says of itself."""
    results = [
        await client.list_tools(),
        await client.list_resources(),
        await client.list_resource_templates(),
        await client.list_prompts(),
    ]
    return [result.model_dump() for result in results], client.instructions


async def all_listed(url: str) -> list[Any]:
    """What clients of both eras can list, and what the server can do for them."""
    found = []
    for mode in ("auto", "legacy"):
        async with mcp.Client(url, mode=mode) as client:  # type: ignore[arg-type]
            found += [await listed(client), client.server_capabilities]
    return found


async def test_a_second_start_lists_the_same_and_imports_nothing(start: Any, site: Site) -> None:
    first = start()
    before = await all_listed(first.url())
    first.stop()
    assert site.noted()[:2] == ["import one", "import two"]
    second = start()
    after = await all_listed(second.url())
    async with httpx2.AsyncClient() as http:
        ready = (await http.get(second.url().replace("/mcp", "/readyz"))).json()
    second.stop()

    assert after == before
    assert site.noted() == []
    assert [ready["plugins"][name]["status"] for name in ("one", "two")] == ["asleep"] * 2
    assert ready["status"] == "ok"
    assert [path.stat().st_mode & 0o77 for path in site.files] == [0, 0]


META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


def raw_lists(url: str, version: str) -> list[str]:
    """Every page of every list, as it is sent to a client of one version."""
    headers = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": version}
    pages: list[str] = []
    with httpx2.Client(headers=headers) as http:

        def post(method: str, **params: Any) -> httpx2.Response:
            body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
            answer = http.post(url, json=body, headers={"Mcp-Method": method})
            answer.raise_for_status()
            return answer

        modern = {"_meta": META} if version == "2026-07-28" else {}
        if not modern:
            hello = {"protocolVersion": version, "capabilities": {}}
            opened = post("initialize", **hello, clientInfo={"name": "raw", "version": "1"})
            http.headers["Mcp-Session-Id"] = opened.headers["mcp-session-id"]
        for method in ("tools/list", "resources/list", "resources/templates/list", "prompts/list"):
            cursor: dict[str, Any] = {}
            while cursor is not None:
                sent = post(method, **modern, **cursor).text
                pages.append(sent.rpartition("data: ")[2].strip())  # it is a stream if it was slow
                following = json.loads(pages[-1])["result"].get("nextCursor")
                cursor = {"cursor": following} if following else None  # type: ignore[assignment]
    return pages


async def test_lists_are_the_same_to_the_byte_from_catalogues_and_from_plugins(
    start: Any, site: Site
) -> None:
    versions = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"]
    found = []
    for mode in ("eager=true", "eager=false", "eager=false"):  # the second one writes, or reads
        server = start("--set", mode, "--set", "lists.page_size=3")
        found.append({version: raw_lists(server.url(), version) for version in versions})
        server.stop()
        imported = site.noted() != []

    assert found[0] == found[1] == found[2]
    assert not imported
    assert all(len(pages) == 5 for pages in found[0].values())


async def use(client: mcp.Client, plugin: str) -> Any:
    """Ask a plugin for something, in the way that has its name."""
    match plugin:
        case "tool":
            return (await client.call_tool("tool_grow", {"by": 2})).structured_content
        case "resource":
            return (await client.read_resource("resource://all")).contents[0].text  # type: ignore[union-attr]
        case "template":
            return (await client.read_resource("template://things/x")).contents[0].text  # type: ignore[union-attr]
        case "prompt":
            return (await client.get_prompt("prompt_ask", {"what": "x"})).messages[0].content.text  # type: ignore[union-attr]
        case "argument":
            ref: Any = types.PromptReference(name="argument_ask")
            return (await client.complete(ref, {"name": "what", "value": "x"})).completion.values
    ref = types.ResourceTemplateReference(uri="variable://things/{thing}")
    return (await client.complete(ref, {"name": "thing", "value": "x"})).completion.values


async def test_the_first_use_wakes_one_plugin_once(start: Any, site: Site) -> None:
    expected = {
        "tool": {"result": 5},
        "resource": "all",
        "template": "x",
        "prompt": "x",
        "argument": ["x!"],
        "variable": ["x!"],
    }
    for name in expected:
        site.install(name)
    options = ("--set", "plugins.tool.size=3")
    start(*options).url()
    site.noted()
    server = start(*options)
    answers: dict[str, list[Any]] = {name: [] for name in expected}
    noted = {}

    async with mcp.Client(server.url()) as client:

        async def ask(name: str) -> None:
            answers[name].append(await use(client, name))

        for name in expected:
            async with anyio.create_task_group() as tasks:
                for _ in range(8):
                    tasks.start_soon(ask, name)
            noted[name] = site.noted()
    assert server.stop() == 0

    assert answers == {name: [answer] * 8 for name, answer in expected.items()}
    assert noted == {name: [f"import {name}", f"open {name}"] for name in expected}
    assert sorted(site.noted()) == sorted(f"close {name}" for name in expected)


async def test_what_has_changed_is_read_anew(site: Site, run: Run) -> None:
    def imported(*arguments: str) -> list[str]:
        assert run("tools", "list", *arguments, env=site.env).returncode == 0
        return [line for line in site.noted() if line.startswith("import")]

    both = ["import one", "import two"]
    assert imported() == both
    assert imported() == []
    assert imported("--set", "plugins.one.size=2") == ["import one"]
    site.install("two", "1.1")
    assert imported() == ["import two"]
    site.install("two", "1.1", "\nnote('anew')\n")
    assert imported() == ["import two"]
    assert imported("--eager") == both


@pytest.mark.parametrize("options", [["--eager"], ["--set", "eager=true"], ["--strict"]])
def test_an_eager_or_strict_server_imports_all(site: Site, run: Run, options: list[str]) -> None:
    run("tools", "list", env=site.env)
    site.noted()

    assert run("serve", *options, env=site.env).returncode == 0
    assert site.noted()[:2] == ["import one", "import two"]


def aside(path: Path) -> None:
    """Leave a link in place of a file."""
    path.rename(path.with_suffix(".aside"))
    path.symlink_to(path.with_suffix(".aside"))


def replaced(old: str, new: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")


SPOILS: dict[str, Callable[[Path], object]] = {
    "short": lambda path: path.write_text("{", "utf-8"),
    "deep": lambda path: path.write_text("[" * 100_000, "utf-8"),
    "binary": lambda path: path.write_bytes(b"\xff\x00"),
    "shared": lambda path: (replaced("Grow.", "")(path), path.chmod(0o666)),
    "foreign": lambda path: path.write_text(
        json.dumps({**json.loads(path.read_text("utf-8")), "key": "x"}), "utf-8"
    ),
    "unknown": replaced('"inputSchema"', '"inputScheme"'),
    "illegal": replaced("illegal_grow", "o ne"),
    "pipe": lambda path: (path.unlink(), os.mkfifo(path)),
    "link": aside,
}
"""Ways to spoil a file, by the name of the plugin of which it is."""


async def test_a_spoilt_catalogue_is_not_believed(start: Any, site: Site) -> None:
    for name in SPOILS:
        site.install(name)
    start().url()
    site.noted()
    for name, spoil in SPOILS.items():
        spoil(site.file(name))
    server = start()
    async with mcp.Client(server.url()) as client:
        tools = [tool.name for tool in (await client.list_tools()).tools]
        grown = {
            name: (await client.call_tool(f"{name}_grow", {"by": 1})).structured_content
            for name in SPOILS
        }

    assert tools == [f"{name}_{tool}" for name in site.names for tool in ("grow", "work")]
    assert grown == {name: {"result": 2} for name in SPOILS}
    imported = {line.removeprefix("import ") for line in site.noted() if "import" in line}
    assert imported == {*SPOILS}


async def test_a_catalogue_folder_that_others_can_write_is_not_used(start: Any, site: Site) -> None:
    start().url()
    folder = site.cache / "mcpkit" / "catalogues"
    folder.chmod(0o777)
    site.noted()
    server = start("--set", "plugins.one.size=5")
    server.url()

    server.wait_for(f"WARNING.*{folder} is not used: others can write it")
    assert site.noted()[:2] == ["import one", "import two"]
    assert len(site.files) == 2


async def test_an_import_that_disagrees_mends_the_lists(start: Any, site: Site) -> None:
    start().url()
    site.change("one", "@plugin.tool()\ndef added() -> int:\n    'Added.'\n    return 1\n")
    server = start()
    async with mcp.Client(server.url()) as client:
        before = len((await client.list_tools()).tools)
        async with client.listen(tools_list_changed=True) as changes:
            await client.call_tool("one_grow", {"by": 1})
            with anyio.fail_after(5):
                await anext(changes)
        after = {tool.name for tool in (await client.list_tools()).tools}

    assert before == 4
    assert "one_added" in after
    server.wait_for("offers something else than its catalogue said")


FAILURES = {
    "raising": ("raise RuntimeError('gone')\n", "RuntimeError: gone", True),
    "exiting": ("raise SystemExit(3)\n", "sys.exit", True),
    "broken": ("plugin._lifespan = lambda settings: 1 / 0\n", "ZeroDivisionError", True),
    "between": (
        "@plugin.hookimpl\ndef mcpkit_middleware():\n    return [print]\n",
        "the start",
        False,
    ),
}
"""What a plugin has come to hold, what is said of it, and whether it is still listed."""


async def test_a_plugin_that_cannot_start_costs_itself_alone(start: Any, site: Site) -> None:
    for name in FAILURES:
        site.install(name)
    start().url()
    for name, (more, _, _) in FAILURES.items():
        site.change(name, more)
    server = start()
    async with mcp.Client(server.url()) as client:
        for name, (_, _, listed) in FAILURES.items():
            with pytest.raises(MCPError, match=f"{name!r} could not be started"):
                await client.call_tool(f"{name}_grow", {"by": 1})
            again = f"{name!r} could not be started; it is tried again in . s"
            with pytest.raises(MCPError, match=again if listed else "Unknown tool"):
                await client.call_tool(f"{name}_grow", {"by": 1})
        other = await client.call_tool("two_grow", {"by": 1})
        tools = [tool.name for tool in (await client.list_tools()).tools]
    async with httpx2.AsyncClient() as http:
        ready = (await http.get(server.url().replace("/mcp", "/readyz"))).json()

    assert other.structured_content == {"result": 2}
    listed_names = [name for name in site.names if name != "between"]
    assert tools == [f"{name}_{tool}" for name in listed_names for tool in ("grow", "work")]
    for name, (_, said, _) in FAILURES.items():
        assert ready["plugins"][name]["status"] == "failed"
        server.wait_for(f"{name}.*{said}")


async def test_catalogues_are_listed_and_cleared(start: Any, site: Site, run: Run) -> None:
    start().url()
    listed = run("catalogue", "list", "--json", env=site.env)
    cleared = run("catalogue", "clear", env=site.env)
    again = run("catalogue", "list", env=site.env)

    assert len(json.loads(listed.stdout)) == 2
    assert "Deleted 2 catalogues" in cleared.stderr
    assert again.stdout == ""


async def test_a_cache_that_cannot_be_written_stops_nothing(start: Any, site: Site) -> None:
    site.cache.write_text("in the way", "utf-8")
    for _ in range(2):
        async with mcp.Client(start().url()) as client:
            assert len((await client.list_tools()).tools) == 4

    assert site.noted().count("import one") == 2
