"""Health: asked in threads, seldom and for a short time; reasons are for the operator alone."""

import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2
import pytest
from starlette.applications import Starlette

from mcpkit import Plugin
from mcpkit.core import health
from mcpkit.core.assembly import build
from mcpkit.core.contributions import Health
from mcpkit.core.running import Running
from mcpkit.core.settings import Settings
from mcpkit.core.transports.guard import Guard
from mcpkit.core.transports.probes import probe_routes

pytestmark = pytest.mark.anyio

KEY = "correct-horse-battery-staple"


def plugin_with(hook: Callable[[], Any]) -> Plugin:
    plugin = Plugin()

    @plugin.tool()
    def answer() -> int:
        """Answer."""
        return 42

    def mcpkit_health() -> Health:
        return hook()  # type: ignore[no-any-return]

    plugin.hookimpl(mcpkit_health)
    return plugin


@asynccontextmanager
async def running(
    settings: dict[str, Any] | None = None, **hooks: Callable[[], Any]
) -> AsyncIterator[Running]:
    chosen = Settings.model_validate(settings or {})
    objects = {name: plugin_with(hook) for name, hook in hooks.items()}
    async with build(chosen, plugins=False, objects=objects).running() as server:
        yield server


async def test_a_hook_that_hangs_costs_nobody_but_its_plugin() -> None:
    release, calls = threading.Event(), []

    def hang() -> Health:
        calls.append(threading.current_thread())
        release.wait(20)
        return Health(message="awake")

    longest = 0.0

    async def tick() -> None:
        nonlocal longest
        while True:
            before = anyio.current_time()
            await anyio.sleep(0.01)
            longest = max(longest, anyio.current_time() - before)

    async with running(hangs=hang, well=Health) as server, anyio.create_task_group() as tasks:
        tasks.start_soon(tick)
        start = anyio.current_time()
        reports = [await server.report() for _ in range(2)]
        async with anyio.create_task_group() as together:
            for _ in range(4):
                together.start_soon(server.report)
        seconds = anyio.current_time() - start
        release.set()
        with anyio.fail_after(5):
            while not (late := await server.report())["plugins"]["hangs"]["ready"]:
                await anyio.sleep(0.01)
        tasks.cancel_scope.cancel()

    for report in reports:
        assert report["plugins"]["well"]["ready"] is True
        assert report["plugins"]["hangs"]["ready"] is False
        assert "did not answer within 0.5 s" in report["plugins"]["hangs"]["reason"]
    assert late["plugins"]["hangs"]["message"] == "awake"
    assert len(calls) == 1
    assert calls[0] is not threading.main_thread()
    assert seconds < 4
    assert longest < 0.4


async def test_an_answer_is_kept_for_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def count() -> Health:
        calls.append(1)
        return Health(data={"calls": len(calls)})

    async with running(counts=count) as server:
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(server.report)
        first = await server.report()
        monkeypatch.setattr(health, "MAX_AGE", 0.05)
        with anyio.fail_after(5):
            while (await server.report())["plugins"]["counts"]["data"] == {"calls": 1}:
                await anyio.sleep(0.02)

    assert first["plugins"]["counts"]["data"] == {"calls": 1}


async def test_plugins_are_asked_side_by_side() -> None:
    together = threading.Barrier(8)

    def meet() -> Health:
        together.wait(0.4)
        return Health()

    async with running(**{f"plugin{number}": meet for number in range(8)}) as server:
        report = await server.report()

    assert report["status"] == "ok"


def fail() -> Health:
    raise RuntimeError("password=hunter2")


def leave() -> Health:
    raise KeyboardInterrupt("password=hunter2")


class UnreadableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("password=hunter2")


def confuse() -> Health:
    raise UnreadableError


FAILING = {
    "fail": (fail, "RuntimeError; see the log"),
    "leave": (leave, "KeyboardInterrupt; see the log"),
    "confuse": (confuse, "see the log"),
    "another type": (lambda: {"ready": True}, "returned no Health"),
    "no data": (lambda: Health(data={"what": object()}), "see the log"),
    "no text": (lambda: Health(message=b"\xff"), "see the log"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("case", FAILING)
async def test_a_hook_that_fails_is_named_without_its_words(
    case: str, caplog: pytest.LogCaptureFixture
) -> None:
    hook, reason = FAILING[case]
    async with running(fails=hook) as server:
        report = await server.report()

    assert report["plugins"]["fails"]["ready"] is False
    assert reason in report["plugins"]["fails"]["reason"]
    assert "hunter2" not in str(report)
    assert report["status"] == "degraded"
    (record,) = [record for record in caplog.records if "health hook" in record.msg]
    assert record.exc_info is not None


async def test_the_terminal_of_the_operator_shows_all() -> None:
    async with running(fails=fail) as server:
        report = await server.report(in_full=True)

    assert "password=hunter2" in report["plugins"]["fails"]["reason"]


Ask = Callable[..., Any]


@asynccontextmanager
async def probing(settings: dict[str, Any], peer: str = "127.0.0.1") -> AsyncIterator[Ask]:
    """A client of the probes, behind the guard."""
    hooks = {"fails": fail, "well": lambda: Health(message="All well", data={"items": 3})}
    async with running(settings, **hooks) as server:
        app = Guard(
            Starlette(routes=probe_routes(server)), server.settings.http, server.settings.auth
        )
        transport = httpx2.ASGITransport(app=app, client=(peer, 1234))

        async def ask(host: str = "localhost:8000", **headers: str) -> Any:
            names = {name.replace("_", "-"): value for name, value in headers.items()}
            async with httpx2.AsyncClient(transport=transport) as client:
                response = await client.get(f"http://{host}/readyz", headers=names)
            return response.json()

        yield ask


STRANGERS = {
    "ready": True,
    "status": "degraded",
    "plugins": {"fails": {"ready": False}, "well": {"ready": True}},
}


async def test_with_keys_reasons_are_for_those_who_have_one() -> None:
    async with probing({"auth": {"api_keys": {"alice": KEY}}}) as ask:
        none, wrong, right = await ask(), await ask(X_API_Key=f"{KEY}x"), await ask(X_API_Key=KEY)

    assert none == STRANGERS
    assert wrong == STRANGERS
    assert right["plugins"]["fails"]["reason"] == "RuntimeError; see the log"
    assert right["plugins"]["well"]["message"] == "All well"
    assert right["plugins"]["well"]["data"] == {"items": 3}


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
async def test_without_keys_reasons_are_for_this_machine(peer: str) -> None:
    async with probing({}, peer) as ask:
        assert (await ask())["plugins"]["well"]["message"] == "All well"


@pytest.mark.parametrize(
    ("http", "peer", "asked"),
    [
        ({}, "10.1.2.3", {}),
        ({"allow_unauthenticated": True}, "10.1.2.3", {}),
        ({}, "unknown", {}),
        ({}, "127.0.0.1", {"host": "evil.com"}),
        ({}, "127.0.0.1", {"host": "localhost.evil.com"}),
        ({}, "127.0.0.1", {"X_Forwarded_For": "127.0.0.1"}),
        ({}, "127.0.0.1", {"Forwarded": "for=127.0.0.1"}),
        ({}, "127.0.0.1", {"Via": "1.1 proxy"}),
        ({"public_url": "https://mcp.example.org"}, "127.0.0.1", {}),
    ],
)
async def test_without_keys_others_learn_names_alone(
    http: dict[str, Any], peer: str, asked: dict[str, str]
) -> None:
    async with probing({"http": http}, peer) as ask:
        assert await ask(**asked) == STRANGERS


async def test_reasons_of_plugins_that_did_not_start_are_kept_back_too() -> None:
    plugin = Plugin()

    @plugin.lifespan
    @asynccontextmanager
    async def lifespan(settings: Any) -> AsyncIterator[None]:
        raise RuntimeError("password=hunter2")
        yield

    app = build(Settings(), plugins=False, objects={"broken": plugin})
    async with app.running() as server:
        report = await server.report()
        in_full = await server.report(in_full=True)

    assert report["plugins"]["broken"]["reason"] == "RuntimeError; see the log"
    assert "hunter2" not in str(report)
    assert "hunter2" in in_full["plugins"]["broken"]["reason"]


async def test_a_report_does_not_wait_for_one_slow_plugin_after_another() -> None:
    def slow() -> Health:
        time.sleep(0.2)
        return Health()

    async with running(**{f"slow{number}": slow for number in range(20)}) as server:
        start = anyio.current_time()
        await server.report()

    assert anyio.current_time() - start < 2
