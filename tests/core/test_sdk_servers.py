"""SDK servers as plugins: what a `MCPServer` does alone, it does through the host."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import anyio
import mcp_types as types
import pytest
from mcp.server.apps import Apps
from mcp.server.auth.settings import AuthSettings
from mcp.server.caching import CacheHint
from mcp.server.extension import Extension, MethodBinding
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.subscriptions import InMemorySubscriptionBus, ToolsListChanged
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import ResourceUpdated

from mcpkit import Call, CallNext, Plugin
from mcpkit.core.assembly import build
from mcpkit.core.errors import PluginContractError
from mcpkit.core.settings import Settings
from mcpkit.testing import connect
from mcpkit.testing.memory import Mode

pytestmark = pytest.mark.anyio

MODES: tuple[Mode, ...] = ("legacy", "auto")

both_eras = pytest.mark.parametrize("mode", MODES)


@pytest.fixture
def server() -> MCPServer[Any]:
    """A server with one component of each kind."""
    server: MCPServer[Any] = MCPServer("old", instructions="Old but good.")

    @server.tool()
    def double(number: int) -> int:
        """Double a number."""
        return 2 * number

    @server.tool()
    def secret() -> str:
        """Tell a secret."""
        return "LEAKED"

    @server.resource("old://all")
    def everything() -> str:
        """All there is."""
        return "everything"

    @server.resource("old://item/{name}")
    def item(name: str) -> str:
        """One item."""
        return f"item {name}"

    @server.prompt()
    def greet(name: str) -> str:
        """Greet somebody."""
        return f"Greet {name}."

    @server.completion()
    async def complete(ref: Any, argument: Any, context: Any) -> types.Completion:
        return types.Completion(values=[f"{ref.name}:{argument.value}!"])

    return server


def text_of(result: Any) -> str:
    """The text of a call, a read or a prompt."""
    if isinstance(result, types.ReadResourceResult):
        return str(getattr(result.contents[0], "text", ""))
    content = result.messages[0].content if hasattr(result, "messages") else result.content[0]
    return str(content.text)


@both_eras
async def test_an_adopted_server_answers_calls_reads_prompts_and_completions(
    server: MCPServer[Any], mode: Mode
) -> None:
    async with connect(mode=mode, old=server) as client:
        doubled = await client.call_tool("old_double", {"number": 21})
        wrong = await client.call_tool("old_double", {"number": "x"})
        read = await client.read_resource("old://all")
        one = await client.read_resource("old://item/a")
        greeting = await client.get_prompt("old_greet", {"name": "Ada"})
        reference = types.PromptReference(name="old_greet")
        completed = await client.complete(reference, {"name": "name", "value": "A"})
        instructions = client.instructions

    assert doubled.structured_content == {"result": 42}
    assert wrong.is_error
    assert (text_of(read), text_of(one)) == ("everything", "item a")
    assert text_of(greeting) == "Greet Ada."
    assert completed.completion.values == ["greet:A!"]
    assert instructions == "Old but good."


@both_eras
async def test_its_middleware_runs_around_each_kind_of_request(
    server: MCPServer[Any], mode: Mode
) -> None:
    seen: list[tuple[str, Any]] = []

    async def watch(ctx: Any, call_next: Any) -> Any:
        params = ctx.params or {}
        seen.append((ctx.method, params.get("name") or params.get("uri")))
        if params.get("name") == "secret":
            raise MCPError(403, "Forbidden")
        if params.get("name") == "double":
            ctx = replace(ctx, params={**params, "arguments": {"number": 5}})
        return await call_next(ctx)

    server.middleware.append(watch)
    async with connect(mode=mode, old=server) as client:
        with pytest.raises(MCPError) as refused:
            await client.call_tool("old_secret")
        doubled = await client.call_tool("old_double", {"number": 21})
        await client.read_resource("old://item/a")
        await client.get_prompt("old_greet", {"name": "Ada"})

    assert refused.value.code == 403
    assert doubled.structured_content == {"result": 10}
    assert {
        ("tools/call", "secret"),
        ("tools/call", "double"),
        ("resources/read", "old://item/a"),
        ("prompts/get", "greet"),
    } <= set(seen)


@both_eras
async def test_what_its_middleware_hides_or_rewords_is_so_in_the_lists(
    server: MCPServer[Any], mode: Mode
) -> None:
    hidden = {"secret"}

    async def hide(ctx: Any, call_next: Any) -> Any:
        result = await call_next(ctx)
        if ctx.method == "tools/list":
            kept = [tool for tool in result["tools"] if tool["name"] not in hidden]
            result["tools"] = [{**tool, "title": "Reworded"} for tool in kept]
        return result

    other = Plugin()

    @other.tool()
    def calm() -> str:
        """Say nothing."""
        return ""

    server.middleware.append(hide)
    async with connect(mode=mode, old=server, other=other) as client:
        first = await client.list_tools(cache_mode="refresh")
        hidden.clear()
        second = await client.list_tools(cache_mode="refresh")

    assert {tool.name: tool.title for tool in first.tools} == {
        "old_double": "Reworded",
        "other_calm": None,
    }
    assert "old_secret" in {tool.name for tool in second.tools}


async def test_middleware_that_refuses_a_list_costs_its_own_server_alone(
    server: MCPServer[Any],
) -> None:
    async def refuse(ctx: Any, call_next: Any) -> Any:
        raise MCPError(403, "Forbidden")

    other = Plugin()

    @other.tool()
    def calm() -> str:
        """Say nothing."""
        return ""

    server.middleware.append(refuse)
    async with connect(old=server, other=other) as client:
        listed = await client.list_tools()

    assert [tool.name for tool in listed.tools] == ["other_calm"]


@both_eras
@pytest.mark.parametrize("where", ["list", "middleware"])
async def test_a_list_that_hangs_or_crashes_costs_its_own_server_alone(
    server: MCPServer[Any],
    mode: Mode,
    where: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("mcpkit.core.relisting.LIMIT", 0.05)
    monkeypatch.setattr("mcpkit.core.relisting.PAUSE", 0)
    mood = "calm"

    async def misbehave() -> None:
        if mood == "hangs":
            await anyio.sleep_forever()
        if mood == "crashes":
            raise KeyError("secret")

    async def middleware(ctx: Any, call_next: Any) -> Any:
        if ctx.method == "tools/list":
            await misbehave()
        return await call_next(ctx)

    if where == "list":
        honest = server.list_tools

        async def list_tools() -> list[types.Tool]:
            await misbehave()
            return await honest()

        monkeypatch.setattr(server, "list_tools", list_tools)
    else:
        server.middleware.append(middleware)
    lists = []
    with anyio.fail_after(20):
        async with connect(mode=mode, old=server) as client:
            for mood in ("hangs", "hangs", "calm", "crashes", "crashes"):  # noqa: B007  # read above
                listed = await client.list_tools(cache_mode="refresh")
                lists.append([tool.name for tool in listed.tools])
            unknown = await client.call_tool("old_double", {"number": 21})

    warned = [item for item in caplog.records if item.name == "mcpkit.core.relisting"]
    shown = [["old_double", "old_secret"]]
    hidden = shown if where == "list" else [[]]  # what middleware would have hidden is not known
    assert lists == [*hidden * 2, *shown, *hidden * 2]
    assert unknown.structured_content == {"result": 42}
    assert [(item.levelname, bool(item.exc_info)) for item in warned] == [
        ("WARNING", False),
        ("ERROR", True),
    ]


class Reload(types.RequestParams):
    """Parameters of `acme/reload`."""

    what: str = ""


class Reloaded(types.Result):
    """What `acme/reload` returns."""

    reloaded: str


class Reloading(Extension):
    """Adds a method, and answers one tool itself."""

    identifier = "com.example/reload"

    def settings(self) -> dict[str, Any]:
        return {"fast": True}

    def methods(self) -> list[MethodBinding]:
        async def reload(ctx: Any, params: Any) -> dict[str, Any]:
            return {"reloaded": params.what}

        return [MethodBinding("acme/reload", Reload, reload)]

    async def intercept_tool_call(self, params: Any, ctx: Any, call_next: Any) -> Any:
        if params.name == "intercepted":
            return types.CallToolResult(content=[types.TextContent(text="by the extension")])
        return await call_next(ctx)


@both_eras
async def test_its_extensions_are_declared_and_answer(mode: Mode) -> None:
    server: MCPServer[Any] = MCPServer("old", extensions=[Reloading()])

    @server.tool(structured_output=False)
    def intercepted() -> str:
        """Never run."""
        return "by the tool"

    request = types.Request[Reload, str](method="acme/reload", params=Reload(what="all"))
    async with connect(mode=mode, old=server) as client:
        declared = client.server_capabilities.extensions
        called = await client.call_tool("old_intercepted")
        answer = await client.session.send_request(request, Reloaded)

    assert (declared or {})["com.example/reload"] == {"fast": True}
    assert text_of(called) == "by the extension"
    assert answer.reloaded == "all"


@both_eras
async def test_a_method_of_its_extension_has_the_time_limit_and_middleware_of_a_call(
    mode: Mode,
) -> None:
    class Waiting(Extension):
        identifier = "com.example/wait"

        def methods(self) -> list[MethodBinding]:
            async def wait(ctx: Any, params: Any) -> Any:
                await anyio.sleep_forever()

            return [MethodBinding("acme/reload", Reload, wait)]

    seen: list[tuple[str, str, str, Any]] = []
    watcher = Plugin()

    async def watch(call: Call, call_next: CallNext) -> Any:
        seen.append((call.kind, call.plugin, call.name, dict(call.arguments)))
        return await call_next(call)

    @watcher.hookimpl
    def mcpkit_middleware() -> list[Any]:
        return [watch]

    request = types.Request[Reload, str](method="acme/reload", params=Reload(what="all"))
    options: Any = {"mode": mode, "settings": {"old": {"call_timeout": 0.1}}}
    server: MCPServer[Any] = MCPServer("old", extensions=[Waiting()])
    with anyio.fail_after(10):
        async with connect(**options, old=server, watcher=watcher) as client:
            with pytest.raises(MCPError, match=r"did not finish within 0\.1 s"):
                await client.session.send_request(request, Reloaded)

    assert seen == [("method", "old", "acme/reload", {"what": "all"})]


async def test_its_pages_are_declared_as_apps() -> None:
    apps = Apps()

    @apps.tool(resource_uri="ui://old/page.html")
    def page() -> str:
        """Show a page."""
        return "shown"

    apps.add_html_resource("ui://old/page.html", "<p></p>")
    async with connect(old=MCPServer("old", extensions=[apps])) as client:
        declared = client.server_capabilities.extensions or {}
        listed = await client.list_tools()

    assert "io.modelcontextprotocol/ui" in declared
    assert (listed.tools[0].meta or {})["ui"]["resourceUri"] == "ui://old/page.html"


async def test_its_cache_hints_reach_clients() -> None:
    server: MCPServer[Any] = MCPServer(
        "old",
        cache_hints={
            "tools/list": CacheHint(ttl_ms=1234),
            "resources/read": CacheHint(ttl_ms=777, scope="public"),
        },
    )

    @server.tool()
    def nothing() -> str:
        """Do nothing."""
        return ""

    @server.resource("old://all")
    def everything() -> str:
        """All there is."""
        return "everything"

    async with connect(server={"lists": {"ttl": 60}}, old=server) as client:
        tools = await client.list_tools()
        read = await client.read_resource("old://all")
        resources = await client.list_resources()

    assert (tools.ttl_ms, tools.cache_scope) == (1234, "private")
    assert (read.ttl_ms, read.cache_scope) == (777, "public")
    assert resources.ttl_ms == 60_000


@pytest.fixture
def growing() -> tuple[MCPServer[Any], InMemorySubscriptionBus]:
    """A server that registers more while it serves, and publishes that."""
    bus = InMemorySubscriptionBus()

    @asynccontextmanager
    async def lifespan(server: MCPServer[Any]) -> AsyncIterator[str]:
        server.add_tool(lambda: "late", name="late", description="Registered in the lifespan.")
        yield "state"

    server: MCPServer[Any] = MCPServer("old", lifespan=lifespan, subscriptions=bus)

    @server.tool()
    async def grow(ctx: Context) -> str:
        """Register one of each kind."""
        server.add_tool(lambda: "later", name="later", description="Registered in a call.")
        server.resource("old://later", name="later")(lambda: "later")
        server.resource("old://later/{name}", name="each")(lambda name: f"later {name}")
        server.prompt(name="later")(lambda: "later")
        await ctx.notify_tools_changed()
        return str(ctx.request_context.lifespan_context)

    return server, bus


@both_eras
async def test_what_it_registers_later_is_listed_and_answers(
    growing: tuple[MCPServer[Any], Any], mode: Mode
) -> None:
    async with connect(mode=mode, old=growing[0]) as client:
        before = await client.list_tools(cache_mode="refresh")
        grown = await client.call_tool("old_grow")
        called = await client.call_tool("old_later")  # before any list has shown it
        read = await client.read_resource("old://later")
        one = await client.read_resource("old://later/a")
        prompt = await client.get_prompt("old_later")
        after = await client.list_tools(cache_mode="refresh")
        growing[0].remove_tool("later")
        last = await client.list_tools(cache_mode="refresh")

    assert [tool.name for tool in before.tools] == ["old_grow", "old_late"]
    assert text_of(grown) == "state"
    assert text_of(called) == "later"
    assert (text_of(read), text_of(one), text_of(prompt)) == ("later", "later a", "later")
    assert [tool.name for tool in after.tools] == ["old_grow", "old_late", "old_later"]
    assert [tool.name for tool in last.tools] == ["old_grow", "old_late"]


async def test_what_it_registers_later_takes_no_name_of_another_plugin(
    growing: tuple[MCPServer[Any], Any], caplog: pytest.LogCaptureFixture
) -> None:
    other = Plugin()

    @other.tool()
    def later() -> str:
        """Another plugin's own."""
        return "own"

    settings = {"other": {"prefix": "old"}}
    async with connect(settings=settings, old=growing[0], other=other) as client:
        await client.call_tool("old_grow")
        listed = await client.list_tools(cache_mode="refresh")
        called = await client.call_tool("old_later")

    assert [tool.name for tool in listed.tools] == ["old_grow", "old_late", "old_later"]
    assert text_of(called) == "own"
    assert "'old_later'" in caplog.text


async def test_what_it_publishes_reaches_subscribers(
    growing: tuple[MCPServer[Any], InMemorySubscriptionBus],
) -> None:
    server, bus = growing
    server.resource("old://all", name="all")(lambda: "all")
    async with connect(old=server) as client:
        wanted = {"tools_list_changed": True, "resource_subscriptions": ["old://all"]}
        async with client.listen(**wanted) as events:
            with anyio.fail_after(5):
                await client.call_tool("old_grow")
                first = await anext(events)
                await bus.publish(ResourceUpdated(uri="old://all"))
                second = await anext(events)

    assert first == ToolsListChanged()
    assert second == ResourceUpdated(uri="old://all")


@pytest.mark.filterwarnings("ignore:resources/subscribe")
async def test_what_it_publishes_reaches_sessions(
    growing: tuple[MCPServer[Any], InMemorySubscriptionBus],
) -> None:
    server, bus = growing
    server.resource("old://all", name="all")(lambda: "all")
    send, receive = anyio.create_memory_object_stream[Any](10)

    async def handle(message: Any) -> None:
        await send.send(message)

    options = {"message_handler": handle}
    with send, receive:
        async with connect(mode="legacy", client=options, old=server) as client:
            await client.subscribe_resource("old://all")
            with anyio.fail_after(5):
                await client.call_tool("old_grow")
                first = await receive.receive()
                await bus.publish(ResourceUpdated(uri="old://all"))
                second = await receive.receive()

    assert first.method == "notifications/tools/list_changed"
    assert (second.method, second.params.uri) == ("notifications/resources/updated", "old://all")


def test_a_tool_without_docstring_is_served_and_an_illegal_name_left_out_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server: MCPServer[Any] = MCPServer("old")
    server.tool(name="bare")(lambda: "bare")
    server.tool(name="not legal", description="Its name is not.")(lambda: "")
    server.tool(name="good", description="Is good.")(lambda: "good")

    app = build(Settings(strict=True), plugins=False, objects={"old": server})

    assert list(app.registry.tools) == ["old_bare", "old_good"]
    assert "'bare'" in caplog.text
    assert "'not legal'" in caplog.text


def test_a_server_that_authenticates_its_clients_is_refused_aloud() -> None:
    class Verifier:
        async def verify_token(self, token: str) -> None:
            return None

    auth = AuthSettings(issuer_url="https://issuer.example", resource_server_url=None)
    server: MCPServer[Any] = MCPServer("old", auth=auth, token_verifier=Verifier())

    app = build(Settings(), plugins=False, objects={"old": server})

    assert isinstance(app.records[0].error, PluginContractError)
    assert "auth" in app.records[0].error.message


@pytest.mark.parametrize("method", ["logging/setLevel", "resources/subscribe"])
def test_a_server_whose_own_handlers_the_host_would_pass_by_is_refused_aloud(method: str) -> None:
    server: MCPServer[Any] = MCPServer("old")
    server.streamable_http_app()

    async def answer(ctx: Any, params: Any) -> types.EmptyResult:
        return types.EmptyResult()

    server.session_manager.app.add_request_handler(method, types.RequestParams, answer)

    app = build(Settings(), plugins=False, objects={"old": server})

    assert isinstance(app.records[0].error, PluginContractError)
    assert method in app.records[0].error.message
