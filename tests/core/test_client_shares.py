"""Shares of the HTTP port: one client keeps nobody else out, whatever it asks."""

from typing import Any

import anyio
import pytest
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.transport_security import RequestBodyLimitMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from mcpkit.core.settings import HttpSettings
from mcpkit.core.transports.shares import Shares

pytestmark = pytest.mark.anyio


class Port:
    """An application behind the shares that answers when it may."""

    def __init__(self, *, most: int = 800, **http: Any) -> None:
        self.may_answer = anyio.Event()
        self.app = Shares(self.answer, HttpSettings(**http), most)

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        while (message := await receive()).get("more_body"):
            pass
        if message["type"] == "http.disconnect":
            return
        await self.may_answer.wait()
        await PlainTextResponse("answered")(scope, receive, send)

    async def ask(self, key: str, statuses: list[int], path: str = "/mcp", size: int = 0) -> None:
        """Ask with an API key and a body that comes in two parts, and note the status."""
        user = AuthenticatedUser(AccessToken(token=key, client_id=key, scopes=[]))
        scope = {"type": "http", "method": "POST", "path": path, "headers": [], "user": user}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        parts = [b"x" * (size // 2), b"x" * (size - size // 2)]

        async def receive() -> Message:
            return {"type": "http.request", "body": parts.pop(), "more_body": bool(parts)}

        await self.app(scope, receive, send)

    async def crowd(self, count: int) -> tuple[list[int], list[int]]:
        """Many requests with one key; then one with another, and a probe."""
        many: list[int] = []
        others: list[int] = []
        with anyio.fail_after(5):
            async with anyio.create_task_group() as tasks:
                for _ in range(count):
                    tasks.start_soon(self.ask, "many", many)
                await anyio.wait_all_tasks_blocked()
                tasks.start_soon(self.ask, "one", others)
                tasks.start_soon(self.ask, "many", others, "/livez")
                await anyio.wait_all_tasks_blocked()
                self.may_answer.set()
        return many, others


@pytest.mark.parametrize(
    ("port", "share"),
    [({}, 400), ({"max_connections_per_client": 10}, 10), ({"most": 100}, 75), ({"most": 1}, 1)],
    ids=["by default", "a setting", "few connections", "one connection"],
)
async def test_one_client_uses_its_share_and_others_get_in(port: Any, share: int) -> None:
    many, others = await Port(**port).crowd(share + 3)

    assert sorted(many) == [200] * share + [429] * 3
    assert others == [200, 200]


async def test_a_client_whose_requests_are_answered_may_ask_again() -> None:
    port = Port(max_connections_per_client=2)
    await port.crowd(2)

    many, _ = await port.crowd(2)

    assert many == [200, 200]


async def test_a_request_without_room_runs_nothing_behind() -> None:
    ran: list[str] = []
    port = Port(max_requests_size_per_client=1024)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await RequestBodyLimitMiddleware(noting, 4096)(scope, receive, send)

    async def noting(scope: Scope, receive: Receive, send: Send) -> None:
        ran.append(scope["path"])
        await port.answer(scope, receive, send)

    port.app = Shares(app, HttpSettings(max_requests_size_per_client=1024), 800)
    first: list[int] = []
    second: list[int] = []
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(port.ask, "one", first, "/mcp", 800)
            await anyio.wait_all_tasks_blocked()
            await port.ask("one", second, "/purge", 800)
            port.may_answer.set()

    assert (first, second, ran) == ([200], [429], ["/mcp"])


async def test_bodies_of_requests_in_flight_have_a_limit_for_each_client() -> None:
    port = Port(max_requests_size_per_client=1024)
    alone: list[int] = []
    many: list[int] = []
    other: list[int] = []

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(port.ask, "alone", alone, "/mcp", 5000)
            for size in (1000, 24, 1, 0):
                tasks.start_soon(port.ask, "many", many, "/mcp", size)
                await anyio.wait_all_tasks_blocked()
            tasks.start_soon(port.ask, "other", other, "/mcp", 1024)
            await anyio.wait_all_tasks_blocked()
            assert many == [429]
            port.may_answer.set()
    await port.ask("many", many, size=1024)

    assert (alone, many, other) == ([200], [429, 200, 200, 200, 200], [200])
