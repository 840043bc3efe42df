"""Sessions of the 2025 protocols in this process: what goes to which stream, and when it ends."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest
from anyio.abc import TaskGroup
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel
from starlette.types import ASGIApp, Message

from mcpkit import Context, Plugin
from mcpkit.core.assembly import build
from mcpkit.core.errors import RETRY_AFTER
from mcpkit.core.settings import Settings
from mcpkit.core.transports import responses, streamable_http

pytestmark = pytest.mark.anyio

PRIMED, OLDER, BATCHES = "2025-11-25", "2025-06-18", "2025-03-26"
JSON = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
EVENTS = {"accept": "text/event-stream"}
READY = {"jsonrpc": "2.0", "method": "notifications/initialized"}


@dataclass(slots=True, eq=False)
class Exchange:
    """One request, and what has been answered to it so far."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    done: anyio.Event = field(default_factory=anyio.Event)
    _gone: anyio.Event = field(default_factory=anyio.Event)
    _changed: anyio.Event = field(default_factory=anyio.Event)

    async def run(self, app: ASGIApp, scope: dict[str, Any], body: bytes) -> None:
        """Make the request."""
        messages: list[Message] = [{"type": "http.request", "body": body}]

        async def receive() -> Message:
            if messages:
                return messages.pop()
            await self._gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.status = message["status"]
                pairs = message["headers"]
                self.headers = {name.decode(): value.decode() for name, value in pairs}
            else:
                self.body += message["body"].decode()
                if not message.get("more_body"):
                    self._gone.set()
            self._changed.set()
            self._changed = anyio.Event()

        await app(scope, receive, send)
        self.done.set()

    def leave(self) -> None:
        """Close the connection."""
        self._gone.set()

    async def until(self, text: str) -> None:
        """Wait until something stands in the body."""
        while text not in self.body:
            await self._changed.wait()

    @property
    def events(self) -> list[dict[str, str]]:
        """The events of a stream, each with its fields."""
        blocks = [block.splitlines() for block in self.body.split("\r\n\r\n") if block]
        found = [dict(line.partition(": ")[::2] for line in block) for block in blocks]
        assert list(map(len, found)) == list(map(len, blocks)), "a field stands there twice"
        return found

    @property
    def told(self) -> list[Any]:
        """The messages of the response, which is JSON or a stream."""
        if self.headers["content-type"] == "application/json":
            return [json.loads(self.body)]
        return [json.loads(event["data"]) for event in self.events if event.get("data")]

    @property
    def answer(self) -> Any:
        """The last message."""
        return self.told[-1]


class Client:
    """A client with one session."""

    def __init__(self, app: ASGIApp, tasks: TaskGroup) -> None:
        self.session: dict[str, str] = {}
        self.user: AuthenticatedUser | None = None
        self._app = app
        self._tasks = tasks

    def start(self, method: str, message: Any = None, **fields: str) -> Exchange:
        """Make a request, and do not wait for its end."""
        exchange = Exchange()
        kinds = JSON if method == "POST" else EVENTS
        named = {name.replace("_", "-"): value for name, value in fields.items()}
        headers = {**kinds, **self.session, **named}.items()
        scope: dict[str, Any]
        pairs = [(name.encode(), value.encode()) for name, value in headers]
        scope = {"type": "http", "method": method, "path": "/mcp", "headers": pairs}
        scope |= {} if self.user is None else {"user": self.user}
        body = b"" if message is None else json.dumps(message).encode()
        self._tasks.start_soon(exchange.run, self._app, scope, body)
        return exchange

    async def ask(self, method: str, message: Any = None, **fields: str) -> Exchange:
        """Make a request, and wait for its end."""
        exchange = self.start(method, message, **fields)
        await exchange.done.wait()
        return exchange

    async def shake_hands(self, version: str) -> Exchange:
        """Open a session."""
        info = {"name": "raw", "version": "1"}
        can: dict[str, Any] = {"elicitation": {}}
        params = {"protocolVersion": version, "capabilities": can, "clientInfo": info}
        opened = await self.ask("POST", request("initialize", 0, **params))
        self.session = {
            "mcp-session-id": opened.headers["mcp-session-id"],
            "mcp-protocol-version": version,
        }
        assert (await self.ask("POST", READY)).status == 202
        return opened


def request(method: str, number: Any = 1, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def call(name: str, number: Any = 1, **arguments: Any) -> dict[str, Any]:
    meta = {"progressToken": f"token {number}"}
    return request("tools/call", number, name=f"own_{name}", arguments=arguments, _meta=meta)


def cancel(number: Any) -> dict[str, Any]:
    return {
        "jsonrpc": "2.0",
        "method": "notifications/cancelled",
        "params": {"requestId": number},
    }


class Presence(BaseModel):
    """What a client says of itself."""

    note: str = ""


class Doors:
    """Lets the tools of a plugin go on."""

    def __init__(self) -> None:
        self.opened = anyio.Event()
        self.waiting = 0


def plugin(doors: Doors) -> Plugin:
    own = Plugin()

    @own.tool()
    async def say(text: str) -> str:
        """Say it."""
        return text

    @own.tool()
    async def work(ctx: Context, text: str = "worked") -> str:
        """Tell that it has begun, and wait."""
        await ctx.report_progress(1, 3)
        doors.waiting += 1
        await doors.opened.wait()
        await ctx.report_progress(2, 3)
        return text

    @own.tool()
    async def hang(more: str = "") -> str:
        """Wait in silence."""
        doors.waiting += 1
        await doors.opened.wait()
        return "hung"

    @own.tool()
    async def change(ctx: Context) -> str:
        """Tell that the lists have changed, which belongs to no request."""
        await ctx.session.send_tool_list_changed()
        return "changed"

    @own.tool()
    async def part(ctx: Context) -> str:
        """Let the client come back for the rest."""
        await ctx.report_progress(1, 3)
        await ctx.close_sse_stream()
        await doors.opened.wait()
        return "resumed"

    @own.tool()
    async def hush(ctx: Context) -> str:
        """Close the stream of what belongs to no request."""
        await ctx.close_standalone_sse_stream()
        return "hushed"

    @own.tool()
    async def refuse() -> str:
        """Refuse for now."""
        raise MCPError(429, "Later", {RETRY_AFTER: 2.5})

    @own.tool()
    async def poke(ctx: Context) -> str:
        """Ask whether the client is there."""
        answer = await ctx.elicit("Are you there?", Presence)
        return answer.action

    @own.tool()
    async def look(ctx: Context) -> list[str]:
        """Look at the request over HTTP: who asks, and for which messages."""
        request: Any = ctx.request_context.request
        return [request.headers["x-own"], (await request.body()).decode()]

    return own


@dataclass(slots=True)
class Place:
    """A server, and a client of it."""

    client: Client
    doors: Doors
    opened: Exchange
    another: Callable[[], Client]

    async def wait_for(self, count: int) -> None:
        """Wait until so many tools wait."""
        while self.doors.waiting < count:
            await anyio.lowlevel.checkpoint()


@asynccontextmanager
async def serving(
    version: str = PRIMED, *, calls: dict[str, Any] | None = None, **http: Any
) -> AsyncIterator[Place]:
    doors = Doors()
    settings = Settings.model_validate({"http": http, "calls": calls or {}})
    app = build(settings, plugins=False, objects={"own": plugin(doors)})
    with anyio.fail_after(5):
        async with (
            app.running() as running,
            streamable_http.open_routes(running) as routes,
            anyio.create_task_group() as tasks,
        ):
            client = Client(routes[0].app, tasks)  # type: ignore[attr-defined]
            opened = await client.shake_hands(version)
            yield Place(client, doors, opened, lambda: Client(client._app, tasks))
            doors.opened.set()
            tasks.cancel_scope.cancel()


async def test_a_request_is_answered_in_its_session() -> None:
    async with serving() as place:
        said = await place.client.ask("POST", call("say", text="a"))
        other = place.another()
        await other.shake_hands(PRIMED)

    name = place.opened.headers["mcp-session-id"]
    assert len(bytes.fromhex(name)) == 16
    assert other.session["mcp-session-id"] != name
    assert (said.status, said.headers["mcp-session-id"]) == (200, name)
    assert said.answer["id"] == 1
    assert said.answer["result"]["content"][0]["text"] == "a"


async def test_what_is_no_request_is_taken_without_an_answer() -> None:
    async with serving() as place:
        taken = await place.client.ask("POST", READY)
        response = {"jsonrpc": "2.0", "id": 99, "result": {}}
        answered = await place.client.ask("POST", response)

    for exchange in (taken, answered):
        assert (exchange.status, exchange.body) == (202, "")
        assert exchange.headers["mcp-session-id"] == place.opened.headers["mcp-session-id"]


@pytest.mark.parametrize(
    ("version", "settings", "primed"),
    [
        (PRIMED, {"retry_interval": 1.5}, True),
        (OLDER, {}, False),
        (PRIMED, {"resumable_events": 1}, True),
        (PRIMED, {"resumable_events": 0}, False),
    ],
)
async def test_a_stream_begins_with_an_id_where_its_client_can_resume(
    version: str, settings: dict[str, Any], primed: bool
) -> None:
    async with serving(version, **settings) as place:
        place.doors.opened.set()
        worked = await place.client.ask("POST", call("work", 7))

    assert worked.headers["content-type"] == "text/event-stream"
    assert worked.headers["mcp-session-id"] == place.opened.headers["mcp-session-id"]
    first = worked.events[0]
    assert (first["data"] == "") is primed
    retry = round(settings.get("retry_interval", 1) * 1000)
    assert first.get("retry") == (str(retry) if primed else None)
    assert ("id" in worked.events[-1]) is (settings.get("resumable_events") != 0)
    assert [message.get("method") for message in worked.told] == [
        *(["notifications/progress"] * 2), None,
    ]  # fmt: skip
    assert worked.answer["result"]["content"][0]["text"] == "worked"


async def test_where_all_is_json_nothing_is_told_before_the_answer() -> None:
    async with serving(json_response=True) as place:
        place.doors.opened.set()
        worked = await place.client.ask("POST", call("work", 7), accept="application/json")

    assert worked.headers["content-type"] == "application/json"
    assert worked.answer["result"]["content"][0]["text"] == "worked"


async def test_an_id_is_not_used_twice_at_a_time() -> None:
    async with serving() as place:
        first = place.client.start("POST", call("hang", 6))
        await place.wait_for(1)
        again = await place.client.ask("POST", request("ping", 6))
        text = await place.client.ask("POST", request("ping", "6"))
        place.doors.opened.set()
        await first.done.wait()
        later = await place.client.ask("POST", request("ping", 6))

    assert (again.status, again.answer["id"]) == (400, 6)
    assert again.answer["error"]["code"] == -32600
    assert text.answer == {"jsonrpc": "2.0", "id": "6", "result": {}}
    assert later.answer["result"] == {}


async def test_requests_in_flight_are_limited_by_number() -> None:
    async with serving(calls={"limit_per_connection": 2}) as place:
        running = [place.client.start("POST", call("hang", number)) for number in (1, 2)]
        await place.wait_for(2)
        refused = await place.client.ask("POST", request("ping", 3))
        place.doors.opened.set()
        for exchange in running:
            await exchange.done.wait()
        later = [await place.client.ask("POST", request("ping", number)) for number in range(5)]

    assert refused.status == 429
    assert refused.headers["retry-after"] == "1"
    assert (refused.answer["id"], refused.answer["error"]["code"]) == (3, 429)
    assert [exchange.status for exchange in later] == [200] * 5


async def test_requests_in_flight_are_limited_by_size() -> None:
    async with serving(max_requests_size_per_client=2048) as place:
        first = place.client.start("POST", call("hang", 1, more="x" * 1500))
        await place.wait_for(1)
        refused = await place.client.ask("POST", call("say", 2, text="x" * 1500))
        small = await place.client.ask("POST", request("ping", 3))
        place.doors.opened.set()
        await first.done.wait()
        later = await place.client.ask("POST", call("say", 2, text="x" * 1500))

    assert (refused.status, small.status, later.status) == (429, 200, 200)


async def test_what_belongs_to_no_request_goes_to_the_stream_that_listens() -> None:
    async with serving() as place:
        listening = place.client.start("GET")
        changed = await place.client.ask("POST", call("change"))
        await listening.until("list_changed")
        second = await place.client.ask("GET")
        listening.leave()
        await listening.done.wait()
        third = place.client.start("GET")
        await place.client.ask("POST", call("change"))
        await third.until("list_changed")

    assert changed.told[0]["id"] == 1
    assert listening.headers["mcp-session-id"] == place.opened.headers["mcp-session-id"]
    assert [message["method"] for message in listening.told] == ["notifications/tools/list_changed"]
    assert (second.status, second.answer["error"]["code"]) == (409, -32600)
    assert second.answer["error"]["message"] == "This session has a stream already"
    assert len(third.told) == 1


async def test_what_nobody_heard_is_resumed_from_the_last_event() -> None:
    async with serving() as place:
        listening = place.client.start("GET")
        await place.client.ask("POST", call("change"))
        await listening.until("list_changed")
        listening.leave()
        await listening.done.wait()
        for _ in range(2):
            await place.client.ask("POST", call("change"))
        resumed = place.client.start("GET", last_event_id=listening.events[-1]["id"])
        await resumed.until("list_changed")
        await place.client.ask("POST", call("change"))
        while len(resumed.told) < 3:
            await anyio.lowlevel.checkpoint()

    assert resumed.headers["mcp-session-id"] == place.opened.headers["mcp-session-id"]
    assert len({event["id"] for event in resumed.events} | {listening.events[0]["id"]}) == 4


async def test_the_stream_of_a_request_is_resumed_while_it_runs_and_after() -> None:
    async with serving() as place:
        working = place.client.start("POST", call("work", 7))
        await working.until("notifications/progress")
        working.leave()
        place.client.start("POST", call("work", 8))
        await place.wait_for(2)
        opening, progress = working.events
        resumed = place.client.start("GET", last_event_id=opening["id"])
        await resumed.until("notifications/progress")
        place.doors.opened.set()
        await resumed.done.wait()
        after = await place.client.ask("GET", last_event_id=progress["id"])
        last = await place.client.ask("GET", last_event_id=resumed.events[-1]["id"])
        unknown = await place.client.ask("GET", last_event_id="unknown")

    tokens = {m["params"]["progressToken"] for m in resumed.told if "method" in m}
    assert tokens == {"token 7"}
    assert [message.get("id") for message in resumed.told] == [None, None, 7]
    assert [message.get("id") for message in after.told] == [None, 7]
    assert (last.status, last.body, last.headers["allow"]) == (405, "", "POST, DELETE")
    assert last.headers["mcp-session-id"] == place.opened.headers["mcp-session-id"]
    assert (unknown.status, unknown.body) == (200, "")


async def test_without_kept_events_nothing_is_resumed() -> None:
    async with serving(resumable_events=0) as place:
        unknown = await place.client.ask("GET", last_event_id="1")

    assert (unknown.status, unknown.body) == (200, "")


async def test_a_tool_may_let_its_client_come_back_for_the_rest() -> None:
    async with serving() as place:
        begun = await place.client.ask("POST", call("part", 7))
        resumed = place.client.start("GET", last_event_id=begun.events[-1]["id"])
        place.doors.opened.set()
        await resumed.done.wait()
        listening = place.client.start("GET")
        await place.client.ask("POST", call("hush"))
        await listening.done.wait()

    assert [message.get("id") for message in begun.told] == [None]
    assert [message.get("id") for message in resumed.told] == [7]
    assert listening.status == 200


async def test_a_client_that_cannot_resume_keeps_its_streams() -> None:
    async with serving(OLDER) as place:
        place.doors.opened.set()
        whole = await place.client.ask("POST", call("part", 7))
        listening = place.client.start("GET")
        await place.client.ask("POST", call("hush"))
        await place.client.ask("POST", call("change"))
        await listening.until("list_changed")
    async with serving(BATCHES) as place:
        place.doors.opened.set()
        batch = await place.client.ask("POST", [call("part", 7)])

    for exchange in (whole, batch):
        assert [message.get("id") for message in exchange.told] == [None, 7]


async def test_a_tool_that_refuses_for_now_has_the_status_that_says_so() -> None:
    async with serving() as place:
        refused = await place.client.ask("POST", call("refuse", 7))

    assert (refused.status, refused.headers["retry-after"]) == (429, "3")
    assert refused.answer["error"]["code"] == 429


async def test_a_client_is_asked_something_only_where_a_stream_can_carry_it() -> None:
    async with serving() as place:
        poked = place.client.start("POST", call("poke", 7))
        await poked.until("elicitation/create")
        result = {"action": "decline"}
        asked = poked.told[-1]
        await place.client.ask("POST", {"jsonrpc": "2.0", "id": asked["id"], "result": result})
        await poked.done.wait()
    async with serving(json_response=True) as place:
        refused = await place.client.ask("POST", call("poke", 7))
    async with serving(BATCHES, json_response=True) as place:
        batch = await place.client.ask("POST", [call("poke", 7)])

    assert poked.answer["result"]["content"][0]["text"] == "decline"
    for answer in (refused.answer, *batch.answer):
        assert "error" in answer or answer["result"]["isError"]


async def test_a_session_belongs_to_the_user_who_opened_it() -> None:
    def user(name: str) -> AuthenticatedUser:
        return AuthenticatedUser(AccessToken(token=name, client_id=name, scopes=[]))

    async with serving() as place:
        kari = place.another()
        kari.user = user("kari")
        await kari.shake_hands(PRIMED)
        own = await kari.ask("POST", request("ping"))
        kari.user = user("ola")
        stolen = await kari.ask("POST", request("ping"))
        kari.user = None
        nobodys = await kari.ask("POST", request("ping"))

    assert [own.status, stolen.status, nobodys.status] == [200, 404, 404]


async def test_an_idle_session_ends_to_make_room() -> None:
    async with serving(max_sessions=1) as place:
        other = place.another()
        await other.shake_hands(PRIMED)
        evicted = await place.client.ask("POST", request("ping"))
        still = await other.ask("POST", request("ping"))

    assert (evicted.status, still.status) == (404, 200)


async def test_what_the_sessions_of_a_client_keep_counts_together() -> None:
    async with serving(resumable_size_per_client=4096) as place:
        place.doors.opened.set()
        large = call("work", 1, text="x" * 1200)
        other = place.another()
        await other.shake_hands(PRIMED)
        worked = [await client.ask("POST", large) for client in (place.client, other)]
        ids = [exchange.events[0]["id"] for exchange in worked]
        first = await place.client.ask("GET", last_event_id=ids[0])
        second = await other.ask("GET", last_event_id=ids[1])

    assert len(first.told) == 3
    assert second.body == ""


async def test_a_request_that_is_cancelled_is_answered() -> None:
    async with serving() as place:
        hanging = place.client.start("POST", call("hang", 9))
        await place.wait_for(1)
        cancelled = await place.client.ask("POST", cancel(9))
        await hanging.done.wait()
        again = await place.client.ask("POST", request("ping", 9))

    assert cancelled.status == 202
    assert hanging.answer == {
        "jsonrpc": "2.0",
        "id": 9,
        "error": {"code": -32800, "message": "The request was cancelled"},
    }
    assert again.status == 200


async def test_who_deletes_a_session_ends_its_requests_and_streams() -> None:
    async with serving() as place:
        hanging = place.client.start("POST", call("hang", "x"))
        working = place.client.start("POST", call("work", 2))
        listening = place.client.start("GET")
        await place.wait_for(2)
        deleted = await place.client.ask("DELETE")
        for exchange in (hanging, working, listening):
            await exchange.done.wait()
        after = [await place.client.ask("POST", request("ping")), await place.client.ask("GET")]
        new = place.another()
        await new.shake_hands(PRIMED)

    assert (deleted.status, deleted.body) == (200, "")
    for exchange, number in ((hanging, "x"), (working, 2)):
        assert exchange.answer["id"] == number
        assert exchange.answer["error"]["code"] == -32000
    assert listening.told == []
    assert [exchange.status for exchange in after] == [404, 404]


async def test_requests_that_had_not_begun_when_their_session_ended_are_answered() -> None:
    async with serving() as place:
        listening = place.client.start("GET")
        posted = [place.client.start("POST", call("hang", number)) for number in (1, 2, 3)]
        deleted = place.client.start("DELETE")
        for exchange in (*posted, deleted, listening):
            await exchange.done.wait()

    async with serving(BATCHES) as place:
        batch = place.client.start("POST", [call("hang", number) for number in (1, 2, 3)])
        place.client.start("DELETE")
        await batch.done.wait()

    assert sorted(answer["id"] for answer in batch.answer) == [1, 2, 3]
    errors = [exchange.answer["error"] for exchange in posted]
    assert [exchange.answer["id"] for exchange in posted] == [1, 2, 3]
    assert errors[1:] == [{"code": -32000, "message": "The session has ended"}] * 2
    assert listening.status == 200


async def test_tools_see_the_request_over_http() -> None:
    one, two, other = call("look", 1), call("look", 2), call("say", 3, text="a")
    async with serving(BATCHES) as place:
        single = await place.client.ask("POST", one, x_own="me")
        batch = await place.client.ask("POST", [other, two], x_own="you")

    assert single.answer["result"]["structuredContent"] == {"result": ["me", json.dumps(one)]}
    found = {answer["id"]: answer["result"] for answer in batch.answer}
    assert found[2]["structuredContent"] == {"result": ["you", json.dumps([other, two])]}


async def test_a_batch_that_takes_long_becomes_a_stream_and_may_be_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(responses, "ALONE", 0.001)
    async with serving(BATCHES) as place:
        hanging = place.client.start("POST", [call("hang", 1), call("say", 2, text="a")])
        while hanging.headers.get("content-type") != "text/event-stream":
            await anyio.lowlevel.checkpoint()
        hanging.leave()
        await hanging.done.wait()
        still = await place.client.ask("POST", request("ping", 9))

    assert still.status == 200


class Clock:
    """The clock of the event loop, which tests put forward."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        loop = asyncio.get_running_loop()
        now, self.ahead = loop.time, 0.0
        monkeypatch.setattr(loop, "time", lambda: now() + self.ahead)

    async def put_forward(self, seconds: float) -> None:
        """Let time pass, and all happen that is due then."""
        self.ahead += seconds
        await anyio.wait_all_tasks_blocked()


async def test_a_session_that_nobody_uses_ends_and_one_that_is_used_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with serving(session_idle_timeout=1) as place:
        clock = Clock(monkeypatch)
        used = place.another()
        await used.shake_hands(PRIMED)
        hanging = used.start("POST", call("hang"))
        await place.wait_for(1)
        statuses = []
        for seconds in (0.6, 0.6, 1.1):
            await clock.put_forward(seconds)
            statuses.append((await place.client.ask("POST", request("ping"))).status)
        still = await used.ask("POST", request("ping", 2))
        place.doors.opened.set()
        await hanging.done.wait()

    assert statuses == [200, 200, 404]
    assert still.status == 200
    assert hanging.answer["result"]["content"][0]["text"] == "hung"


async def test_events_of_a_session_that_has_ended_are_not_kept() -> None:
    async with serving(resumable_size_per_client=4096) as place:
        for _ in range(12):
            other = place.another()
            await other.shake_hands(PRIMED)
            place.doors.opened.set()
            await other.ask("POST", call("work"))
            assert (await other.ask("DELETE")).status == 200
        worked = await place.client.ask("POST", call("work"))
        resumed = await place.client.ask("GET", last_event_id=worked.events[0]["id"])

    assert [message.get("id") for message in resumed.told] == [None, None, 1]


async def test_a_request_that_takes_long_becomes_a_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(responses, "ALONE", 0.001)
    async with serving() as place:
        hanging = place.client.start("POST", call("hang", 1))
        await hanging.until("id: ")
        hanging.leave()
        await hanging.done.wait()
        place.doors.opened.set()
        opening = hanging.events[0]["id"]
        while (resumed := await place.client.ask("GET", last_event_id=opening)).body == "":
            await anyio.lowlevel.checkpoint()

    assert resumed.answer["result"]["content"][0]["text"] == "hung"


MIXED = [READY, call("say", 1, text="a"), {"jsonrpc": "2.0", "id": None, "method": "ping"}]


async def test_a_batch_is_answered_together() -> None:
    async with serving(BATCHES) as place:
        mixed = await place.client.ask("POST", [*MIXED, request("ping", 1), request("ping", 2)])
        silent = await place.client.ask("POST", [READY, READY])
        later = await place.client.ask("POST", [request("ping", 1)])

    answers = mixed.answer
    assert mixed.headers["mcp-session-id"] == place.opened.headers["mcp-session-id"]
    assert [one["id"] for one in answers if "result" in one] in ([1, 2], [2, 1])
    assert sorted(str(one["id"]) for one in answers if "error" in one) == ["1", "None"]
    assert (silent.status, silent.body) == (202, "")
    assert silent.headers["mcp-session-id"] == place.opened.headers["mcp-session-id"]
    assert later.answer == [{"jsonrpc": "2.0", "id": 1, "result": {}}]


async def test_a_batch_can_cancel_and_its_requests_are_limited_by_number() -> None:
    async with serving(BATCHES, calls={"limit_per_connection": 2}) as place:
        hanging = place.client.start("POST", call("hang", 1))
        await place.wait_for(1)
        several = await place.client.ask("POST", [request("ping", 2), call("say", 3, text="a")])
        await place.client.ask("POST", [cancel(1)])
        await hanging.done.wait()
        free = await place.client.ask("POST", [request("ping", 2), request("ping", 3)])

    codes = {one["id"]: one.get("error", {}).get("code") for one in several.answer}
    assert codes in ({2: None, 3: 429}, {2: 429, 3: None})
    assert hanging.answer["error"]["code"] == -32800
    assert ["result" in one for one in free.answer] == [True, True]


async def test_a_batch_that_tells_something_is_a_stream_unless_all_is_json() -> None:
    batch = [call("work", 1), call("work", 2)]
    async with serving(BATCHES) as place:
        place.doors.opened.set()
        streamed = await place.client.ask("POST", batch)
    async with serving(BATCHES, json_response=True) as place:
        place.doors.opened.set()
        whole = await place.client.ask("POST", batch)

    assert sorted(one["id"] for one in streamed.told if "id" in one) == [1, 2]
    assert len([one for one in streamed.told if "method" in one]) == 4
    assert sorted(one["id"] for one in whole.answer) == [1, 2]


async def test_requests_of_a_batch_share_its_size() -> None:
    batch = [request("ping", number, more="x" * 800) for number in range(4)]
    async with serving(BATCHES, max_requests_size_per_client=4096) as place:
        answered = [await place.client.ask("POST", batch) for _ in range(2)]

    for exchange in answered:
        assert [("result" in one) for one in exchange.answer] == [True] * 4
