"""Requests on their way in and out: they are counted, and what a plugin answers can be sent."""

import json
from types import SimpleNamespace
from typing import Any

import anyio
import mcp_types as types
import pytest
from mcp.server.lowlevel import Server
from mcp.server.request_state import RequestStateBoundary
from mcp.shared.exceptions import MCPError
from mcp.shared.message import SessionMessage

from mcpkit import Plugin, PromptError, ToolError
from mcpkit.core.errors import RETRY_AFTER
from mcpkit.core.extensions import TASKS
from mcpkit.core.middleware import RESTART, WORK, Extended, Gate, install, make_writable
from mcpkit.core.settings import RequestStateSettings
from mcpkit.core.transports.messages import write_message
from mcpkit.testing import connect

pytestmark = pytest.mark.anyio

NAME = "caf\udce9.txt"
"""The name of a file, as Python reads it when its bytes are no UTF-8."""


@pytest.fixture
def plugin() -> Plugin:
    """A plugin that tells names of files."""
    plugin = Plugin()

    @plugin.tool("name")
    def name() -> str:
        """Tell the name."""
        return NAME

    @plugin.tool("refuse")
    def refuse() -> str:
        """Refuse the name."""
        raise ToolError(f"Not {NAME}")

    @plugin.prompt("ask")
    def ask() -> str:
        """Ask for another name."""
        raise PromptError(f"Not {NAME}")

    return plugin


async def test_results_that_utf8_cannot_say_are_sent_with_question_marks(plugin: Plugin) -> None:
    async with connect(files=plugin) as client:
        told = await client.call_tool("files_name", {})
        refused = await client.call_tool("files_refuse", {})
        with pytest.raises(MCPError, match=r"Not caf\?\.txt"):
            await client.get_prompt("files_ask")

    assert told.structured_content == {"result": "caf?.txt"}
    assert refused.content == [types.TextContent(text="Not caf?.txt")]


def test_notifications_that_utf8_cannot_say_are_sent_with_question_marks() -> None:
    message = types.JSONRPCNotification(jsonrpc="2.0", method="x", params={"data": NAME})

    text = write_message(SessionMessage(message))

    assert json.loads(text) == {"jsonrpc": "2.0", "method": "x", "params": {"data": "caf?.txt"}}


def arriving(method: str = "tools/call", number: Any = 1, **params: Any) -> Any:
    """A request, as the chain gets it."""
    return SimpleNamespace(method=method, request_id=number, params=params or None)


async def test_requests_in_flight_are_counted_and_named() -> None:
    gate = Gate()
    told: list[Any] = []

    async def look(ctx: Any) -> str:
        told.append((gate.in_flight, gate.names()))
        return "answered"

    async def read(ctx: Any) -> str:
        return str(await gate(arriving("resources/read", "a", uri="x" * 101), look))

    assert await gate(arriving(name="search"), read) == "answered"
    assert told == [
        (
            2,
            [
                "tools/call 'search' (request 1)",
                f"resources/read '{'x' * 100}' (request 'a')",
            ],
        )
    ]
    assert (gate.in_flight, gate.names()) == (0, [])


async def test_what_ends_by_an_error_is_not_in_flight_any_more() -> None:
    gate = Gate()

    async def fail(ctx: Any) -> None:
        raise ValueError(gate.names())

    with pytest.raises(ValueError, match=r"ping '' \(request 0\)"):
        await gate(arriving("ping", 0), fail)
    assert gate.in_flight == 0


@pytest.mark.parametrize("ctx", [arriving(number=None), arriving("subscriptions/listen")])
async def test_notifications_and_subscriptions_do_not_count(ctx: Any) -> None:
    gate = Gate()

    async def look(ctx: Any) -> int:
        return gate.in_flight

    assert await gate(ctx, look) == 0


async def answered(ctx: Any) -> str:
    return "answered"


@pytest.mark.parametrize("method", sorted(WORK))
async def test_a_closed_gate_refuses_work_and_says_when_to_come_back(method: str) -> None:
    gate = Gate()
    assert await gate(arriving(method), answered) == "answered"
    assert not gate.is_closed
    gate.close()

    with pytest.raises(MCPError) as caught:
        await gate(arriving(method), answered)

    assert gate.is_closed
    error = caught.value.error
    assert (error.code, error.data) == (503, {RETRY_AFTER: RESTART})
    assert error.message == "The server is stopping; try again in a moment"
    assert await gate(arriving(method, None), answered) == "answered"
    assert await gate(arriving("tools/list"), answered) == "answered"


async def test_a_gate_is_idle_when_it_is_closed_and_all_is_done() -> None:
    gate, release, seen = Gate(), anyio.Event(), []

    async def wait(ctx: Any) -> None:
        await release.wait()

    async def note(name: str, moment: Any) -> None:
        await moment()
        seen.append(name)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(note, "closed", gate.closed)
            tasks.start_soon(note, "idle", gate.idle)
            tasks.start_soon(gate, arriving(), wait)
            await gate(arriving("ping", 2), answered)
            with gate.holding(), gate.holding():
                await anyio.wait_all_tasks_blocked()
                before = (list(seen), gate.in_flight, gate.names()[1:])
                gate.close()
                await anyio.wait_all_tasks_blocked()
                closed = list(seen)
            await anyio.wait_all_tasks_blocked()
            held = list(seen)
            release.set()

    assert before == ([], 3, ["2 tasks"])
    assert (closed, held) == (["closed"], ["closed"])
    assert seen == ["closed", "idle"]


async def test_a_gate_that_is_closed_with_nothing_in_flight_is_idle_at_once() -> None:
    gate = Gate()
    gate.close()

    with anyio.fail_after(5):
        await gate.idle()


async def test_a_gate_is_idle_when_the_last_held_thing_ends() -> None:
    gate = Gate()
    with gate.holding():
        gate.close()

    with anyio.fail_after(5):
        await gate.idle()


@pytest.mark.parametrize(
    ("method", "extensions", "result", "told"),
    [
        ("initialize", {"a": {}, TASKS: {}}, {"x": 1}, {"a": {}}),
        ("initialize", {TASKS: {}}, {"capabilities": {"tools": {}}}, None),
        ("initialize", {}, {}, None),
        ("initialize", {"a": {}}, "no object", None),
        ("ping", {"a": {}}, {}, None),
    ],
)
async def test_extensions_but_tasks_are_told_to_clients_that_shake_hands(
    method: str, extensions: dict[str, Any], result: Any, told: Any
) -> None:
    server: Any = SimpleNamespace(extensions=extensions)

    async def answer(ctx: Any) -> Any:
        return result

    found = await Extended(server)(arriving(method), answer)

    if told is None:
        assert found == result
    else:
        assert found == {"x": 1, "capabilities": {"extensions": told}}


async def test_extensions_stand_beside_other_capabilities() -> None:
    server: Any = SimpleNamespace(extensions={"a": {"b": 1}})

    async def answer(ctx: Any) -> Any:
        return {"capabilities": {"tools": {}}}

    found = await Extended(server)(arriving("initialize"), answer)

    assert found == {"capabilities": {"tools": {}, "extensions": {"a": {"b": 1}}}}


async def test_errors_that_utf8_can_say_are_raised_as_they_are() -> None:
    error = MCPError(7, "caf\xe9", {"a": 1})

    async def fail(ctx: Any) -> None:
        raise error

    with pytest.raises(MCPError) as caught:
        await make_writable(arriving(), fail)

    assert caught.value is error


async def test_errors_that_utf8_cannot_say_keep_the_rest() -> None:
    async def fail(ctx: Any) -> None:
        raise MCPError(7, NAME, {NAME: [NAME, None, "\xe9"]})

    with pytest.raises(MCPError) as caught:
        await make_writable(arriving(), fail)

    error = caught.value.error
    assert (error.code, error.message) == (7, "caf?.txt")
    assert error.data == {"caf?.txt": ["caf?.txt", None, "\xe9"]}


def test_the_chain_counts_first_and_opens_sealed_state_last() -> None:
    server: Server[Any] = Server("any")
    gate = Gate()

    async def lists(ctx: Any, call_next: Any) -> Any:
        """Keeps lists."""

    install(server, gate, lists, RequestStateSettings())

    first, extended, third, writable, boundary = server.middleware[-5:]
    assert (first, third, writable) == (gate, lists, make_writable)
    assert isinstance(extended, Extended)
    assert isinstance(boundary, RequestStateBoundary)
