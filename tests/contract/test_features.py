"""Every feature of the protocol, for two plugins at once, in each era, over each transport."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import mcp
import mcp_types as types
import pytest
from mcp.client.extension import advertise
from mcp.server.apps import APP_MIME_TYPE, EXTENSION_ID
from mcp.shared.exceptions import MCPError

from mcpkit.testing import FollowTasks
from tests.conftest import ServerProcess, environment, install, start_server
from tests.contract.conftest import connect_to
from tests.contract.features import (
    DECLARED,
    LEGACY,
    MATRIX,
    MODERN,
    PAGE,
    PROVEN,
    check_declared,
    proves,
    render,
)

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.contract,
    pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning"),
]

SIDES = ("left", "right")
SETTINGS = ("lists.page_size=4", 'plugins_allow=["left","right"]', "tasks.poll_interval=0.05")

Connect = Callable[..., AbstractAsyncContextManager[mcp.Client]]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the two plugins are."""
    return install("features", tmp_path_factory)


@pytest.fixture(scope="module")
def arguments(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Settings of every server here."""
    folder = tmp_path_factory.mktemp("features-state")
    given = [*SETTINGS, f"tasks.path={folder / 'tasks.sqlite'}"]
    given += [f"plugins.{side}.journal={folder / 'journal.txt'}" for side in SIDES]
    return [part for setting in given for part in ("--set", setting)]


@pytest.fixture
async def journal(arguments: list[str]) -> anyio.Path:
    """What the plugins note."""
    path = anyio.Path(arguments[-1].partition("=")[2])
    await path.unlink(missing_ok=True)
    return path


@pytest.fixture(scope="module")
def served(
    installed: Path, arguments: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    """One process that serves all network transports."""
    names = ("streamable-http", "sse", "websocket")
    transports = [part for name in names for part in ("--transport", name)]
    server = start_server(
        ("--port", "0", *transports, *arguments),
        environment(installed),
        tmp_path_factory.mktemp("served"),
    )
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def connect(
    era: str,
    transport: str,
    served: ServerProcess,
    installed: Path,
    arguments: list[str],
    request: pytest.FixtureRequest,
) -> Connect:
    """Connect the official client, with further arguments; it finds declared what is proven."""
    features = request.function.features

    @asynccontextmanager
    async def open_client(**options: Any) -> AsyncIterator[mcp.Client]:
        target = connect_to(transport, served, installed, arguments)
        mode: Any = "legacy" if era == LEGACY else "auto"
        with anyio.fail_after(30):
            async with mcp.Client(target, mode=mode, **options) as client:
                assert client.protocol_version == era
                told = client.server_capabilities.model_dump(by_alias=True, exclude_none=True)
                check_declared(features, era, told)
                yield client

    return open_client


def text_of(result: Any) -> str:
    return str(result.content[0].text)


async def pages(list_page: Callable[..., Any]) -> list[Any]:
    """Every page of a list."""
    found = [await list_page()]
    while found[-1].next_cursor:
        found.append(await list_page(cursor=found[-1].next_cursor))
    return found


async def tools_of(client: mcp.Client) -> dict[str, types.Tool]:
    return {tool.name: tool for page in await pages(client.list_tools) for tool in page.tools}


def test_every_feature_has_a_test_and_the_page_tells_them_all() -> None:
    import tests.contract.test_sessions  # noqa: F401  # proves the rest

    assert set(MATRIX) == PROVEN == set(DECLARED)
    assert render() in PAGE.read_text("utf-8"), "Run: python -m tests.contract.features"


@proves("Instructions of all plugins")
async def test_instructions_of_all_plugins_are_told(connect: Connect) -> None:
    async with connect() as client:
        assert client.instructions == "Keep left.\n\nKeep right."


@proves("Structured output, annotations, icons, `_meta`")
async def test_tools_show_and_return_all_there_is(connect: Connect) -> None:
    async with connect() as client:
        tools = await tools_of(client)
        results = [await client.call_tool(f"{side}_place", {"name": "Top"}) for side in SIDES]

    for side, result in zip(SIDES, results, strict=True):
        tool = tools[f"{side}_place"]
        assert tool.title == "Place"
        assert tool.annotations is not None
        assert tool.annotations.read_only_hint
        assert tool.icons is not None
        assert tool.icons[0].src == "https://example.org/icon.png"
        assert tool.meta == {"example.org/side": side}
        assert tool.output_schema is not None
        assert "metres" in str(tool.output_schema)
        assert result.structured_content == {"name": "Top", "height": 1.5}


@proves("JSON Schema of a tool's own, validated on call")
async def test_a_tool_may_bring_its_own_schema(connect: Connect) -> None:
    async with connect() as client:
        schema = (await tools_of(client))["left_raw"].input_schema
        good = await client.call_tool("left_raw", {"kind": "b", "size": 2})
        bad = [
            await client.call_tool("right_raw", arguments)
            for arguments in ({}, {"kind": "b"}, {"kind": "a", "x": 1}, {"kind": "a", "size": 0})
        ]

    assert schema["unevaluatedProperties"] is False
    assert schema["then"] == {"required": ["size"]}
    assert text_of(good) == "kind=b,size=2"
    assert all(result.is_error for result in bad)
    assert "'kind' is a required property" in text_of(bad[0])
    assert "'size' is a required property" in text_of(bad[1])
    assert "'x'" in text_of(bad[2])
    assert "size" in text_of(bad[3])


@proves("Pages of lists, opaque cursors")
async def test_lists_come_in_pages(connect: Connect) -> None:
    async with connect() as client:
        tools = await pages(client.list_tools)
        resources = await pages(client.list_resources)
        wrong = [
            await refused(client.list_tools(cursor=cursor))
            for cursor in ("x", "", "4", "aGVp", resources[0].next_cursor, "é", "=" * 9)
        ]

    names = [tool.name for page in tools for tool in page.tools]
    assert [len(page.tools) for page in tools] == [4] * 7 + [2]
    assert names == sorted(set(names))
    assert sum(len(page.resources) for page in resources) == 6
    assert {error.code for error in wrong} == {types.INVALID_PARAMS}


async def refused(request: Any) -> MCPError:
    with pytest.raises(MCPError) as caught:
        await request
    return caught.value


@proves("Completion by plugin and argument")
async def test_each_plugin_completes_its_own(connect: Connect) -> None:
    async with connect() as client:
        for side in SIDES:
            prompt = types.PromptReference(name=f"{side}_discuss")
            template = types.ResourceTemplateReference(uri=f"{side}://people/{{name}}")
            completed = await client.complete(prompt, {"name": "subject", "value": "x"})
            assert completed.completion.values == [f"x-{side}-subject", "discuss"]
            completed = await client.complete(template, {"name": "name", "value": "y"})
            assert completed.completion.values == [f"y-{side}-name", f"{side}://people/{{name}}"]


@proves("Log messages at the level asked for")
async def test_log_messages_arrive_at_the_level_asked_for(connect: Connect, era: str) -> None:
    logged: list[str] = []

    async def on_log(params: types.LoggingMessageNotificationParams) -> None:
        logged.append(f"{params.logger} {params.level}: {params.data}")

    async with connect(logging_callback=on_log, log_level="warning") as client:
        if era == LEGACY:
            await client.set_logging_level("warning")
        for side in SIDES:
            await client.call_tool(f"{side}_log", {})
        while len(logged) < 2:
            await anyio.sleep(0.01)

    assert logged == [f"{side} warning: {side} warning" for side in SIDES]


@proves("Progress", "Cancellation stops async handlers and tells sync ones")
@pytest.mark.parametrize(
    ("tool", "noted"), [("wait", "async stopped"), ("wait_in_thread", "sync told")]
)
async def test_a_cancelled_call_ends_whatever_it_runs_in(
    connect: Connect, journal: anyio.Path, tool: str, noted: str
) -> None:
    progress: list[tuple[float, float | None, str | None]] = []

    async def on_progress(done: float, total: float | None, message: str | None) -> None:
        progress.append((done, total, message))

    async with connect() as client, anyio.create_task_group() as tasks:
        tasks.start_soon(
            lambda: client.call_tool(f"right_{tool}", {}, progress_callback=on_progress)
        )
        await noting(journal, "right waits")
        while tool == "wait" and not progress:
            await anyio.sleep(0.01)
        tasks.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            await noting(journal, f"right {noted}")
            await client.list_tools()  # the SDK's client fails if it leaves amid an answer

    assert progress == ([(1, 2, "half")] if tool == "wait" else [])


async def noting(journal: anyio.Path, line: str) -> None:
    """Wait until the plugins have noted something."""
    with anyio.fail_after(10):
        while not await journal.exists() or line not in await journal.read_text("utf-8"):
            await anyio.sleep(0.02)


@proves("Changes published inside a call and in the background")
@pytest.mark.parametrize("where", ["inside", "behind"])
async def test_published_changes_reach_who_asked(connect: Connect, era: str, where: str) -> None:
    seen: set[str] = set()
    wanted = {"notifications/prompts/list_changed", "notifications/resources/updated"}

    async def on_message(message: Any) -> None:
        seen.add(getattr(message, "method", ""))

    async with connect(message_handler=on_message) as client:
        resources = client.server_capabilities.resources
        assert resources is not None
        assert resources.subscribe
        assert resources.list_changed
        if era == LEGACY:
            await client.subscribe_resource("right://behind")
            await client.call_tool("right_publish", {"where": where})
            while not wanted <= seen:
                await anyio.sleep(0.01)
            await client.unsubscribe_resource("right://behind")
            return
        async with client.listen(
            prompts_list_changed=True, resource_subscriptions=["right://behind"]
        ) as subscription:
            await client.call_tool("right_publish", {"where": where})
            events = {type(await anext(subscription)).__name__ for _ in range(2)}
        assert events == {"PromptsListChanged", "ResourceUpdated"}


async def on_sampling(context: Any, params: Any) -> types.CreateMessageResult:
    content = types.TextContent(text="hi")
    return types.CreateMessageResult(role="assistant", content=content, model="m")


async def on_elicitation(context: Any, params: Any) -> types.ElicitResult:
    return types.ElicitResult(action="accept", content={"name": "Kari"})


async def on_roots(context: Any) -> types.ListRootsResult:
    return types.ListRootsResult(roots=[types.Root(uri="file:///home")])


ABLE: dict[str, Any] = {
    "sampling_callback": on_sampling,
    "elicitation_callback": on_elicitation,
    "list_roots_callback": on_roots,
}


@proves("Sampling, roots and elicitation during a call")
async def test_a_call_may_ask_the_client(connect: Connect) -> None:
    async with connect(**ABLE) as client:
        answers = [
            text_of(await client.call_tool(f"{side}_{tool}", {}))
            for side in SIDES
            for tool in ("sample", "roots", "elicit")
        ]

    assert answers == ["hi", "file:///home", "Kari"] * 2


@proves("Questions by `Resolve` and `Elicit`")
async def test_resolved_questions_are_asked_in_both_eras(connect: Connect) -> None:
    async with connect(**ABLE) as client:
        answers = [text_of(await client.call_tool(f"{side}_resolve", {})) for side in SIDES]

    assert answers == ["Kari", "Kari"]


@proves("Questions between rounds, sealed request state")
async def test_rounds_carry_a_state_that_nobody_can_change(connect: Connect) -> None:
    async with connect(**ABLE) as client:
        answer = await client.call_tool("right_rounds", {})
        asked = await client.session.call_tool("right_rounds", {}, allow_input_required=True)
        assert isinstance(asked, types.InputRequiredResult)
        assert asked.request_state is not None
        responses = {"hi": await on_sampling(None, None)}
        forged = await refused(
            client.session.call_tool(
                "right_rounds", {}, input_responses=responses, request_state="v1.forged"
            )
        )
        moved = await refused(
            client.session.call_tool(
                "left_rounds", {}, input_responses=responses, request_state=asked.request_state
            )
        )

    assert text_of(answer) == "kept hi"
    assert "kept" not in asked.request_state
    assert {forged.code, moved.code} == {types.INVALID_PARAMS}


@proves("Cache hints")
async def test_lists_are_private_and_reads_as_their_component_says(connect: Connect) -> None:
    async with connect() as client:
        resources = await client.list_resources()
        tools = await client.list_tools()
        left = await client.read_resource("left://behind")
        right = await client.read_resource("right://behind")

    assert (resources.ttl_ms, resources.cache_scope) == (0, "private")
    assert (tools.ttl_ms, tools.cache_scope) == (0, "private")
    assert (left.ttl_ms, left.cache_scope) == (5000, "private")
    assert (right.ttl_ms, right.cache_scope) == (5000, "public")


@proves("Parameters in headers (`x-mcp-header`)")
async def test_a_parameter_travels_in_a_header_too(connect: Connect) -> None:
    async with connect() as client:
        await tools_of(client)  # tells the client which parameters do
        answer = await client.call_tool("left_routed", {"region": "Åland"})

    assert text_of(answer) == "Åland"


@proves("Error codes")
async def test_what_is_asked_wrongly_is_an_error_with_a_hint(connect: Connect) -> None:
    async with connect() as client:
        errors = [
            await refused(client.call_tool("left_plaice", {})),
            await refused(client.get_prompt("left_discus", {})),
            await refused(client.read_resource("left://behin")),
            await refused(client.get_prompt("left_discuss", {})),
            await refused(client.get_prompt("left_discuss", {"subject": "x", "y": "z"})),
        ]
        missing = await client.call_tool("left_place", {})

    assert [error.code for error in errors] == [types.INVALID_PARAMS] * 5
    assert "Did you mean 'left_place'?" in errors[0].message
    assert "Did you mean 'left_discuss'?" in errors[1].message
    assert "Did you mean 'left://behind'?" in errors[2].message
    assert "subject is required" in errors[3].message
    assert "y is not known" in errors[4].message
    assert missing.is_error
    assert "name" in text_of(missing)


@proves("Apps")
async def test_a_tool_shows_a_page_of_its_own(connect: Connect) -> None:
    able = advertise(EXTENSION_ID, {"mimeTypes": [APP_MIME_TYPE]})
    async with connect(extensions=[able]) as client:
        extensions = client.server_capabilities.extensions or {}
        tool = (await tools_of(client))["right_show"]
        page = (await client.read_resource("ui://right/page.html")).contents[0]
        shown = await client.call_tool("right_show", {})
    async with connect() as client:
        told = await client.call_tool("right_show", {})

    assert EXTENSION_ID in extensions
    assert tool.meta == {"ui": {"resourceUri": "ui://right/page.html"}}
    assert page.mime_type == APP_MIME_TYPE
    assert page.text == "<p>right</p>"  # type: ignore[union-attr]
    assert [text_of(shown), text_of(told)] == ["a page", "a text"]


class Listed(types.Result):
    skills: list[dict[str, Any]]
    next_cursor: str | None = None


class Folder(types.Result):
    resources: list[dict[str, Any]]


class OfUri(types.RequestParams):
    uri: str


@proves("Skills")
async def test_plugins_ship_skills(connect: Connect) -> None:
    async with connect() as client:
        request: Any = types.Request[Any, str]
        session = client.session
        listed = await session.send_request(request(method="skills/list", params=None), Listed)
        uri = "skill://right/right-skill"
        read = (await client.read_resource(f"{uri}/more/map.txt")).contents[0]
        folder = await session.send_request(
            request(method="resources/directory/read", params=OfUri(uri=uri)), Folder
        )
        unknown = await refused(
            session.send_request(
                request(method="skills/get", params=OfUri(uri=f"{uri}/none")), types.Result
            )
        )
        resources = [item for page in await pages(client.list_resources) for item in page.resources]

    assert [skill["frontmatter"]["name"] for skill in listed.skills] == [
        "left-skill",
        "right-skill",
    ]
    assert read.text == "a map to the right\n"  # type: ignore[union-attr]
    assert [child["mimeType"] for child in folder.resources] == ["text/markdown", "inode/directory"]
    assert unknown.code == types.INVALID_PARAMS
    shown = {str(item.uri): item for item in resources}
    assert shown[f"{uri}/SKILL.md"].name == "right-skill"
    assert f"{uri}/more/map.txt" not in shown


@proves("Tasks")
async def test_calls_become_tasks_that_the_client_follows(connect: Connect) -> None:
    async with connect(extensions=[FollowTasks()], **ABLE) as client:
        worked = await client.call_tool("right_work", {"seconds": 0.2})
        asked = await client.call_tool("left_ask_in_task", {})

    assert [text_of(worked), text_of(asked)] == ["right worked", "Hello Kari"]


@proves("Tools that may be tasks, for clients that follow none")
async def test_who_follows_no_tasks_waits_or_learns_why(connect: Connect) -> None:
    async with connect(**ABLE) as client:
        worked = await client.call_tool("right_work", {"seconds": 0.05})
        error = await refused(client.call_tool("left_ask_in_task", {}))

    assert text_of(worked) == "right worked"
    assert error.code == types.MISSING_REQUIRED_CLIENT_CAPABILITY
    assert "io.modelcontextprotocol/tasks" in str(error.data)


def test_the_eras_are_those_of_the_sdk() -> None:
    from mcp_types.version import LATEST_HANDSHAKE_VERSION, LATEST_MODERN_VERSION

    assert (LEGACY, MODERN) == (LATEST_HANDSHAKE_VERSION, LATEST_MODERN_VERSION)
