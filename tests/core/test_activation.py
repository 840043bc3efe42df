"""Plugins that are listed and not there yet: imported at their first call, each on its own."""

import importlib
import os
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any

import anyio
import mcp
import mcp_types as types
import pytest
from anyio.abc import TaskGroup
from mcp.shared.exceptions import MCPError

from mcpkit.core.app import App
from mcpkit.core.assembly import build
from mcpkit.core.catalogues import Catalogues
from mcpkit.core.settings import Settings
from mcpkit.core.status import PluginRecord, Status

pytestmark = pytest.mark.anyio

CODE = """
    import os, threading, time
    from contextlib import asynccontextmanager
    from pathlib import Path
    from mcpkit import Context, Plugin, ToolError

    HERE = Path(__file__).parent

    def note(line):
        with (HERE / "journal").open("a") as journal:
            journal.write(line + "\\n")

    def wait_for(name):
        "Block this thread until the test makes a file."
        end = time.monotonic() + 30
        while not (HERE / name).exists() and time.monotonic() < end:
            time.sleep(0.01)

    note("import NAME")
    plugin = Plugin()

    @plugin.tool()
    async def run() -> str:
        "Run."
        return "NAME ran"
"""


HOG = """
    from anyio import to_thread

    def sleep_on():
        note("sleeping")
        wait_for("awake")

    @plugin.tool()
    async def sleep() -> str:
        "Block a thread of those that all share."
        await to_thread.run_sync(sleep_on)
        return "slept"
"""


class Site:
    """Installed plugins of which catalogues are written, in this process."""

    def __init__(self, folder: Path, install: Any) -> None:
        self.folder = folder / "site"
        self.catalogues = Catalogues(folder / "cache")
        self.names: list[str] = []
        self._install = install

    def install(self, name: str, more: str = "") -> None:
        """Install a plugin, and let its catalogue be written."""
        self.names.append(name)
        self._install(name, recorded=True)
        self.change(name, more)

    def change(self, name: str, more: str = "") -> None:
        """Change the code behind the back of the record of installed files."""
        code = dedent(CODE).replace("NAME", name) + dedent(more)
        self.module(name).write_text(code, "utf-8")
        self.forget()

    def module(self, name: str) -> Path:
        return self.folder / f"mcpkit_plugin_{name}_code.py"

    def forget(self) -> None:
        """Let the modules be imported anew, and begin the journal anew."""
        for name in self.names:
            sys.modules.pop(self.module(name).stem, None)
        (self.folder / "journal").unlink(missing_ok=True)

    def make(self, name: str) -> None:
        """Make a file that plugins wait for, or look for."""
        (self.folder / name).touch()

    @property
    def journal(self) -> list[str]:
        """What the plugins did."""
        path = self.folder / "journal"
        return path.read_text("utf-8").splitlines() if path.exists() else []

    async def has_noted(self, line: str, times: int = 1) -> None:
        """Wait until the plugins have done something."""
        with anyio.fail_after(10):
            while self.journal.count(line) < times:
                await anyio.sleep(0.01)

    def build(self, **settings: Any) -> App:
        """Build an app of these plugins."""
        given = Settings.model_validate({"plugins_allow": self.names, **settings})
        return build(given, catalogues=self.catalogues)

    def build_inactive(self, **settings: Any) -> App:
        """Write the catalogues, and build an app from them."""
        self.build(**settings)
        self.forget()
        app = self.build(**settings)
        assert {record.status for record in app.offered} == {Status.ASLEEP}
        return app


@pytest.fixture
def site(tmp_path: Path, install: Any) -> Iterator[Site]:
    bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    yield Site(tmp_path, install)
    sys.dont_write_bytecode = bytecode


def record_of(app: App, name: str) -> PluginRecord:
    return next(record for record in app.records if record.name == name)


@asynccontextmanager
async def connected(app: App) -> AsyncIterator[mcp.Client]:
    async with app.running() as running, mcp.Client(running.server) as client:
        yield client


async def run(client: mcp.Client, name: str) -> str:
    result = await client.call_tool(f"{name}_run", {})
    return str(result.content[0].text)  # type: ignore[union-attr]


async def run_at_last(client: mcp.Client, name: str) -> str:
    """Call until the plugin is tried again, and succeeds."""
    with anyio.fail_after(20):
        while True:
            try:
                return await run(client, name)
            except MCPError:
                await anyio.sleep(0.05)  # the pause before the next attempt is a second or two


async def tools(client: mcp.Client) -> list[str]:
    return [tool.name for tool in (await client.list_tools(cache_mode="bypass")).tools]


async def use_up_threads(site: Site, client: mcp.Client, tasks: TaskGroup) -> None:
    """Let the plugin `hog` block more threads than anyio gives by default, which is 40."""
    for _ in range(60):
        tasks.start_soon(client.call_tool, "hog_sleep", {})
    await site.has_noted("sleeping", 40)


async def test_threads_that_others_use_up_do_not_delay_a_first_call(site: Site) -> None:
    site.install("hog", HOG)
    site.install("calm")

    async with connected(site.build_inactive()) as client, anyio.create_task_group() as tasks:
        await use_up_threads(site, client, tasks)
        with anyio.fail_after(10):
            answer = await run(client, "calm")
        site.make("awake")

    assert answer == "calm ran"


async def test_sync_code_that_the_sdk_runs_finds_a_thread_when_others_use_many(site: Site) -> None:
    asking = """
    from typing import Annotated
    from pydantic import BaseModel
    from mcp.server.mcpserver import Resolve

    class Who(BaseModel):
        name: str

    def who() -> Who:
        return Who(name="somebody")

    @plugin.tool()
    def greet(person: Annotated[Who, Resolve(who)]) -> str:
        "Greet."
        return person.name
    """
    site.install("hog", HOG)
    site.install("asking", asking)

    async with connected(site.build_inactive()) as client, anyio.create_task_group() as tasks:
        await use_up_threads(site, client, tasks)
        with anyio.fail_after(10):
            answer = await client.call_tool("asking_greet", {})
        site.make("awake")

    assert answer.content[0].text == "somebody"  # type: ignore[union-attr]


async def test_a_slow_import_holds_up_no_other_plugin(site: Site) -> None:
    site.install("quick")
    site.install("slow")
    app = site.build_inactive()
    site.change("slow", "wait_for('ready')")

    async with connected(app) as client, anyio.create_task_group() as tasks:
        answers: list[str] = []

        async def ask() -> None:
            answers.append(await run(client, "slow"))

        for _ in range(3):
            tasks.start_soon(ask)
        await site.has_noted("import slow")
        with anyio.fail_after(10):
            quick = await run(client, "quick")
        assert answers == []
        site.make("ready")

    assert quick == "quick ran"
    assert answers == ["slow ran"] * 3
    assert site.journal == ["import slow", "import quick"]


async def test_an_import_that_failed_is_tried_again_and_stays_listed(site: Site) -> None:
    site.install("later")
    app = site.build_inactive()
    site.change("later", "if not (HERE / 'up').exists(): raise OSError('database is down')")

    async with connected(app) as client:
        with pytest.raises(
            MCPError, match="'later' could not be started; it is tried again in 1 s"
        ):
            await run(client, "later")
        for _ in range(20):
            with pytest.raises(MCPError, match="tried again"):
                await run(client, "later")
        meanwhile = site.journal, await tools(client), record_of(app, "later").status
        site.make("up")
        answer = await run_at_last(client, "later")

    assert meanwhile == (["import later"], ["later_run"], Status.FAILED)
    assert answer == "later ran"
    assert site.journal == ["import later"] * 2
    assert (record_of(app, "later").status, record_of(app, "later").error) == (Status.LOADED, None)


async def test_the_reason_of_a_failure_is_told_to_the_operator_alone(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.install("later")
    app = site.build_inactive()
    site.change("later", "raise OSError('password hunter2 refused')")

    async with connected(app) as client:
        with pytest.raises(MCPError) as caught:
            await run(client, "later")

    assert "hunter2" not in str(caught.value.error)
    assert "OSError: password hunter2 refused" in caplog.text


async def test_a_lifespan_that_failed_is_tried_again_without_a_second_import(site: Site) -> None:
    lifespan = """
    @plugin.lifespan
    @asynccontextmanager
    async def lifespan(settings):
        note("open")
        if (HERE / "down").exists():
            raise OSError("database is down")
        yield "connected"

    @plugin.tool()
    async def state(ctx: Context) -> str:
        "Tell the state."
        return ctx.state
    """
    site.install("later", lifespan)
    app = site.build_inactive()
    site.make("down")

    async with connected(app) as client:
        with pytest.raises(MCPError, match="tried again"):
            await run(client, "later")
        (site.folder / "down").unlink()
        await run_at_last(client, "later")
        state = await client.call_tool("later_state", {})

    assert site.journal == ["import later", "open", "open"]
    assert state.content[0].text == "connected"  # type: ignore[union-attr]


async def test_an_import_that_ends_too_late_is_taken_at_the_next_attempt(site: Site) -> None:
    site.install("slow")
    app = site.build_inactive(lifespan={"startup_timeout": 0.2})
    site.change("slow", "wait_for('ready')")

    async with connected(app) as client:
        with pytest.raises(MCPError, match="tried again in 1 s"):
            await run(client, "slow")
        reason = record_of(app, "slow").error
        site.make("ready")
        answer = await run_at_last(client, "slow")

    assert "did not finish within 0.2 s" in str(reason)
    assert answer == "slow ran"
    assert site.journal == ["import slow"]


async def test_a_call_waits_for_its_plugin_no_longer_than_it_may_take(site: Site) -> None:
    site.install("slow")
    app = site.build_inactive(plugins={"slow": {"call_timeout": 0.2}})
    site.change("slow", "wait_for('ready')")

    async with connected(app) as client:
        with pytest.raises(MCPError, match="'slow' is still starting"):
            await run(client, "slow")
        site.make("ready")
        answer = await run_at_last(client, "slow")

    assert answer == "slow ran"
    assert site.journal == ["import slow"]


async def test_a_call_that_is_cancelled_leaves_the_activation_whole(site: Site) -> None:
    site.install("slow")
    app = site.build_inactive()
    site.change("slow", "wait_for('ready')")

    async with connected(app) as client:
        with anyio.move_on_after(0.2) as scope:
            await run(client, "slow")
        site.make("ready")
        answer = await run_at_last(client, "slow")

    assert scope.cancelled_caught
    assert answer == "slow ran"
    assert site.journal == ["import slow"]


async def test_a_server_stops_while_a_plugin_is_being_imported(site: Site) -> None:
    site.install("slow")
    app = site.build_inactive()
    site.change("slow", "wait_for('ready')")

    with anyio.fail_after(10):
        async with connected(app) as client:
            with anyio.move_on_after(0.2):
                await run(client, "slow")
    site.make("ready")

    assert record_of(app, "slow").status is Status.ASLEEP


THIEF = """
    @plugin.tool()
    def b_run() -> str:
        "Take it."
        return "taken"

    @plugin.lifespan
    @asynccontextmanager
    async def lifespan(settings):
        note("open")
        yield
        note("close")
"""


async def test_a_plugin_that_turns_out_to_claim_a_name_of_another_one_takes_nothing(
    site: Site,
) -> None:
    site.install("a")
    site.install("a_b")
    app = site.build_inactive()
    site.change("a", THIEF)

    async with connected(app) as client:
        with pytest.raises(MCPError, match="could not be started"):
            await run(client, "a")
        answer = await run(client, "a_b")
        listed = await tools(client)

    assert answer == "a_b ran"
    assert listed == ["a_b_run", "a_run"]
    assert site.journal == ["import a", "open", "close", "import a_b"]
    assert "'a_b' claims that name too" in str(record_of(app, "a").error)


MORE = """
    if os.environ.get("SITE_MORE"):
        @plugin.tool()
        async def more() -> str:
            "Do more."
            return "more"
"""


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [("SITE_MORE", None, "yes"), ("SITE_MORE", "yes", None), ("SITE_MORE", "yes", "indeed")],
)
async def test_what_a_plugin_reads_of_the_environment_belongs_to_its_catalogue(
    site: Site, monkeypatch: pytest.MonkeyPatch, name: str, before: Any, after: Any
) -> None:
    def set_to(value: str | None) -> None:
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)

    site.install("odd", MORE)
    set_to(before)
    site.build_inactive()
    set_to(after)
    app = site.build()

    assert site.journal == ["import odd"]
    assert ("odd_more" in app.registry.tools) == bool(after)
    site.forget()
    set_to(before)
    again = site.build()
    assert site.journal == []
    assert ("odd_more" in again.registry.tools) == bool(before)


async def test_what_a_plugin_does_not_read_changes_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.install("odd", MORE)
    site.build_inactive()
    monkeypatch.setenv("SITE_OTHER", "changed")
    site.build_inactive()

    assert site.journal == []


@pytest.mark.parametrize(
    "read",
    [
        "os.getenv('SITE_X')",
        "'SITE_X' in os.environ",
        "os.environ.setdefault('SITE_X', 'its own')",
        "os.environb.get(b'SITE_X')",
        "os.path.expandvars('$SITE_X')",
        "dict(os.environ)",
        "[name for name in os.environ if name.startswith('SITE_')]",
        "plugin.hookimpl(mcpkit_instructions)",
        "importlib.import_module('captured').environ.get('SITE_X')",
    ],
)
async def test_every_way_to_read_a_variable_is_noticed(
    site: Site, monkeypatch: pytest.MonkeyPatch, read: str
) -> None:
    monkeypatch.setenv("SITE_X", "")
    monkeypatch.delenv("SITE_X")  # and again at the end: a plugin may set what it reads
    (site.folder / "captured.py").write_text("from os import environ\n", "utf-8")
    importlib.import_module("captured")  # before the plugin is
    site.install(
        "odd",
        f"""
    import importlib
    def mcpkit_instructions(settings):
        return os.environ.get("SITE_X", "")
    {read}
    """,
    )
    site.build()
    monkeypatch.delenv("SITE_X", raising=False)
    site.forget()
    site.build()
    assert site.journal == []
    monkeypatch.setenv("SITE_X", "set")
    site.build()

    assert site.journal == ["import odd"]
    sys.modules.pop("captured")


async def test_reads_of_other_threads_are_not_those_of_the_plugin(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = threading.Event()

    def read() -> None:
        while not ended.wait(0.001):
            os.environ.get("SITE_ELSEWHERE")
            dict(os.environ)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        site.install("odd", "time.sleep(0.1)")
        site.build_inactive()
        monkeypatch.setenv("SITE_ELSEWHERE", "changed")
        site.build_inactive()
    finally:
        ended.set()
        thread.join()

    assert site.journal == []


async def test_an_unknown_name_under_a_prefix_activates_its_plugin_once(site: Site) -> None:
    site.install("odd")
    site.install("other")
    app = site.build_inactive()
    more = "@plugin.tool()\nasync def new() -> str:\n    'New.'\n    return 'new'"
    site.change("odd", more)

    async with connected(app) as client:
        with pytest.raises(MCPError, match="Unknown tool 'od_new'"):
            await client.call_tool("od_new", {})
        assert site.journal == []
        answer = await client.call_tool("odd_new", {})
        for number in range(50):
            with pytest.raises(MCPError, match="Unknown tool"):
                await client.call_tool(f"odd_new_{number}", {})

    assert answer.content[0].text == "new"  # type: ignore[union-attr]
    assert site.journal == ["import odd"]


async def test_plugins_that_may_own_an_unknown_name_are_activated_side_by_side(site: Site) -> None:
    site.install("odd")
    site.install("odd_two")
    app = site.build_inactive()
    new = "@plugin.tool()\nasync def new() -> str:\n    'New.'\n    return 'new'\n"
    site.change("odd", "(HERE / 'one').touch()\nwait_for('two')\n")
    site.change("odd_two", f"(HERE / 'two').touch()\nwait_for('one')\n{new}")

    async with connected(app) as client:
        with anyio.fail_after(5):
            answer = await client.call_tool("odd_two_new", {})

    assert answer.content[0].text == "new"  # type: ignore[union-attr]
    assert sorted(site.journal) == ["import odd", "import odd_two"]


KINDS = """
    @plugin.resource("odd://pages/{page}")
    def page(page: str) -> str:
        "A page."
        return page

    @plugin.resource("odd://{more}/{page}")
    def other(more: str, page: str) -> str:
        "A page."
        return page

    @plugin.prompt()
    def ask(what: str) -> str:
        "Ask."
        return what

    @plugin.completion()
    def complete(ref, argument, context):
        return ["completed"]
"""

ASKING = {
    "resource": lambda client: client.read_resource("odd://pages/one"),
    "prompt": lambda client: client.get_prompt("odd_ask", {"what": "one"}),
    "completion of a prompt": lambda client: client.complete(
        types.PromptReference(name="odd_ask"), {"name": "what", "value": "x"}
    ),
    "completion of a template": lambda client: client.complete(
        types.ResourceTemplateReference(uri="odd://pages/{page}"), {"name": "page", "value": "x"}
    ),
}


@pytest.mark.parametrize("what", ASKING)
async def test_every_kind_of_unknown_name_activates_its_plugin(site: Site, what: str) -> None:
    site.install("all", KINDS.replace("odd:", "all:"))  # so that the server answers for all kinds
    site.install("odd")
    app = site.build_inactive()
    site.change("odd", KINDS)

    async with connected(app) as client:
        answer = await ASKING[what](client)

    assert "one" in answer.model_dump_json() or "completed" in answer.model_dump_json()
    assert site.journal == ["import odd"]


async def test_unknown_names_do_not_begin_attempts_one_after_the_other(site: Site) -> None:
    site.install("odd")
    app = site.build_inactive()
    site.change("odd", "raise OSError('down')")

    async with connected(app) as client, anyio.create_task_group() as tasks:

        async def ask(number: int) -> None:
            with pytest.raises(MCPError, match="Unknown tool"):
                await client.call_tool(f"odd_new_{number}", {})

        for number in range(100):
            tasks.start_soon(ask, number)

    assert site.journal == ["import odd"]
    assert record_of(app, "odd").status is Status.FAILED
