"""Sessions of the 2025 protocols over streamable HTTP, as raw requests: what clients rely on."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx2
import mcp
import pytest
from mcp.client.sse import sse_client

from tests.conftest import Serve, ServerProcess, environment, start_server
from tests.contract.features import proves

pytestmark = [pytest.mark.anyio, pytest.mark.contract]

PATH = "/mcp"
ACCEPT = {"Accept": "application/json, text/event-stream"}


@pytest.fixture(scope="module")
def served(test_plugins: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with room for three sessions that may idle for two seconds."""
    settings = ("http.session_idle_timeout=2", "http.max_sessions=3", "http.retry_interval=0.2")
    assignments = [part for setting in settings for part in ("--set", setting)]
    transports = ("--transport", "streamable-http", "--transport", "sse")
    folder = tmp_path_factory.mktemp("sessions")
    arguments = ("--port", "0", *transports, *assignments)
    server = start_server(arguments, environment(test_plugins), folder)
    try:
        yield server
    finally:
        server.close()


def request(method: str, number: int = 1, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def initialize(version: str) -> dict[str, Any]:
    client = {"name": "raw", "version": "1"}
    can: dict[str, Any] = {"elicitation": {}}
    return request("initialize", protocolVersion=version, capabilities=can, clientInfo=client)


def events(text: str) -> list[dict[str, str]]:
    """The events of a stream, each with its fields."""
    found = []
    for block in text.replace("\r\n", "\n").split("\n\n"):
        lines = [line.partition(":")[::2] for line in block.splitlines() if ":" in line]
        fields = {name: value.removeprefix(" ") for name, value in lines}
        assert len(fields) == len(lines), block  # none of ours stands twice
        if fields:
            found.append(fields)
    return found


@asynccontextmanager
async def session(
    url: str, version: str = "2025-11-25", *, delete: bool = True
) -> AsyncIterator[httpx2.AsyncClient]:
    """Open a session as a client of some version does; every request is made in it."""
    async with httpx2.AsyncClient(
        base_url=url.removesuffix(PATH), headers=ACCEPT, timeout=20
    ) as http:
        opened = await http.post(PATH, json=initialize(version))
        opened.raise_for_status()
        result = answer(opened)["result"]
        assert result["protocolVersion"] == version
        http.headers["Mcp-Session-Id"] = opened.headers["mcp-session-id"]
        if version != "2025-03-26":  # which knew no such header
            http.headers["MCP-Protocol-Version"] = version
        ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        assert (await http.post(PATH, json=ready)).status_code == 202
        try:
            yield http
        finally:
            if delete:
                await http.delete(PATH)


def answer(response: httpx2.Response) -> Any:
    """The last message of a response, which is JSON or a stream."""
    is_json = response.headers["content-type"] == "application/json"
    return json.loads(response.text if is_json else events(response.text)[-1]["data"])


@pytest.mark.parametrize("version", ["2025-03-26", "2025-06-18", "2025-11-25"])
async def test_clients_of_older_versions_are_served(served: ServerProcess, version: str) -> None:
    async with session(served.url(), version) as http:
        listed = answer(await http.post(PATH, json=request("tools/list")))
        called = answer(
            await http.post(
                PATH,
                json=request("tools/call", name="conversation_echo", arguments={"text": "hei"}),
            )
        )

    assert "conversation_echo" in {tool["name"] for tool in listed["result"]["tools"]}
    assert called["result"]["content"] == [{"type": "text", "text": "hei"}]


async def test_clients_of_2024_are_served_over_sse(served: ServerProcess) -> None:
    async with (
        sse_client(served.url("sse")) as (read, write),
        mcp.ClientSession(read, write) as client,
    ):
        message = initialize("2024-11-05")["params"]
        types = mcp.types
        params = types.InitializeRequestParams.model_validate(message, by_name=False)
        result = await client.send_request(
            types.InitializeRequest(params=params), types.InitializeResult
        )

    assert result.protocol_version == "2024-11-05"


@proves("Sessions: resuming, deleting, idle time-out, limit")
async def test_a_lost_stream_is_resumed_where_it_broke(
    served: ServerProcess, era: str, transport: str
) -> None:
    call = request("tools/call", 7, name="conversation_wait", arguments={"seconds": 1})
    call["params"]["_meta"] = {"progressToken": "p"}
    async with session(served.url(), era) as http:
        seen = ""
        async with http.stream("POST", PATH, json=call) as stream:
            async for text in stream.aiter_text():
                seen += text
                if "notifications/progress" in seen:
                    break  # and the connection is lost
        first = events(seen)
        resume = {"Accept": "text/event-stream", "Last-Event-ID": first[-1]["id"]}
        async with http.stream("GET", PATH, headers=resume) as stream:
            rest = ""
            async for text in stream.aiter_text():
                rest += text
                if '"result"' in rest:
                    break

    assert first[0]["data"] == ""  # the priming event: an id before anything was said
    assert first[0]["retry"] == "200"
    messages = [json.loads(event["data"]) for event in events(rest) if event.get("data")]
    assert [message.get("method") for message in messages] == ["notifications/progress", None]
    assert messages[-1]["id"] == 7
    assert messages[-1]["result"]["structuredContent"] == {"result": "waited 1 s"}


def slow(number: int, seconds: float = 0.3) -> dict[str, Any]:
    """A call that takes long enough to become a stream."""
    return request("tools/call", number, name="conversation_wait", arguments={"seconds": seconds})


async def test_what_needs_no_stream_is_json_and_what_takes_long_is_one(
    served: ServerProcess,
) -> None:
    async with session(served.url()) as http:
        quick = await http.post(PATH, json=request("ping", 1))
        long = await http.post(PATH, json=slow(2))

    assert quick.headers["content-type"] == "application/json"
    assert quick.json() == {"jsonrpc": "2.0", "id": 1, "result": {}}
    assert long.headers["content-type"] == "text/event-stream"
    assert quick.headers["mcp-session-id"] == long.headers["mcp-session-id"]
    assert answer(long)["id"] == 2


async def test_a_resumed_stream_ends_with_the_response(served: ServerProcess) -> None:
    async with session(served.url()) as http:
        sent = await http.post(PATH, json=slow(3))
        priming, last = events(sent.text)
        resume = {"Accept": "text/event-stream"}
        with anyio.fail_after(5):
            resumed = await http.get(PATH, headers=resume | {"Last-Event-ID": priming["id"]})
            again = await http.get(PATH, headers=resume | {"Last-Event-ID": last["id"]})
            unknown = await http.get(PATH, headers=resume | {"Last-Event-ID": "none"})

    assert answer(resumed) == json.loads(last["data"])
    assert again.status_code == 405  # what makes a client stop asking
    assert (unknown.status_code, events(unknown.text)) == (200, [])


async def test_a_question_that_was_lost_is_asked_again(served: ServerProcess) -> None:
    call = request("tools/call", 11, name="conversation_greet", arguments={})
    async with session(served.url()) as http, anyio.create_task_group() as tasks:
        with anyio.fail_after(10):
            async with http.stream("POST", PATH, json=call) as stream:
                seen = await anext(stream.aiter_text())
            opening = events(seen)[0]
            resume = {"Accept": "text/event-stream", "Last-Event-ID": opening["id"]}
            async with http.stream("GET", PATH, headers=resume) as stream:
                told = ""
                async for text in stream.aiter_text():
                    told += text
                    if "elicitation/create" in told and told.endswith("\r\n\r\n"):
                        question = json.loads(events(told)[-1]["data"])
                        result = {"action": "accept", "content": {"name": "Kari"}}
                        said = {"jsonrpc": "2.0", "id": question["id"], "result": result}
                        tasks.start_soon(partial(http.post, PATH, json=said))
        messages = [json.loads(event["data"]) for event in events(told)]

    assert opening["data"] == ""
    assert [message.get("method") for message in messages] == ["elicitation/create", None]
    assert messages[-1]["result"]["content"][0]["text"] == "Hello Kari"


async def test_a_client_that_lost_its_stream_unseen_takes_it_over(served: ServerProcess) -> None:
    async with session(served.url()) as http, anyio.create_task_group() as tasks:
        lost: list[str] = []
        begun = anyio.Event()

        async def call() -> None:
            async with http.stream("POST", PATH, json=slow(4, 1)) as stream:
                async for text in stream.aiter_text():
                    lost.append(text)
                    begun.set()

        tasks.start_soon(call)
        with anyio.fail_after(5):
            await begun.wait()
            event = events("".join(lost))[0]["id"]
            headers = {"Accept": "text/event-stream", "Last-Event-ID": event}
            resumed = await http.get(PATH, headers=headers)

    assert answer(resumed)["id"] == 4
    assert '"result"' not in "".join(lost)


async def test_one_session_cannot_resume_the_stream_of_another(served: ServerProcess) -> None:
    async with session(served.url()) as one, session(served.url()) as other:
        sent = await one.post(PATH, json=slow(5))
        event_id = events(sent.text)[0]["id"]
        headers = {"Accept": "text/event-stream", "Last-Event-ID": event_id}
        stolen = await other.get(PATH, headers=headers)

    assert "waited" in sent.text
    assert stolen.text == ""


async def test_ids_are_not_used_twice_at_a_time(served: ServerProcess) -> None:
    async with session(served.url()) as http, anyio.create_task_group() as tasks:
        first: list[httpx2.Response] = []

        async def call() -> None:
            first.append(await http.post(PATH, json=slow(6)))

        tasks.start_soon(call)
        await anyio.sleep(0.1)
        second = await http.post(PATH, json=request("ping", 6))
        other = await http.post(PATH, json={**request("ping"), "id": "6"})

    assert second.status_code == 400
    assert second.json()["id"] == 6
    assert other.json()["id"] == "6"  # another id: this one is text
    assert answer(first[0])["result"]["structuredContent"] == {"result": "waited 0.3 s"}


async def test_who_deletes_a_session_ends_its_calls(served: ServerProcess) -> None:
    async with session(served.url(), delete=False) as http, anyio.create_task_group() as tasks:
        ended: list[httpx2.Response] = []

        async def call() -> None:
            ended.append(await http.post(PATH, json=slow(8, 30)))

        tasks.start_soon(call)
        await anyio.sleep(0.1)
        with anyio.fail_after(5):
            await http.delete(PATH)

    assert answer(ended[0])["error"]["message"]


async def test_a_cancelled_request_is_answered(served: ServerProcess) -> None:
    async with session(served.url()) as http, anyio.create_task_group() as tasks:
        ended: list[httpx2.Response] = []

        async def call() -> None:
            ended.append(await http.post(PATH, json=slow(9, 30)))

        tasks.start_soon(call)
        await anyio.sleep(0.1)
        cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 9}}
        with anyio.fail_after(5):
            assert (await http.post(PATH, json=cancel)).status_code == 202

    assert answer(ended[0])["error"]["code"] == -32800


async def test_there_is_one_stream_of_what_nobody_asked_for(served: ServerProcess) -> None:
    async with session(served.url(), delete=False) as http:
        listen = {"Accept": "text/event-stream"}
        async with http.stream("GET", PATH, headers=listen) as first:
            second = await http.get(PATH, headers=listen)
            wrong = await http.get(PATH, headers={"Accept": "application/json"})
            assert first.status_code == 200
            with anyio.fail_after(5):
                await http.delete(PATH)  # which ends the first one
                assert [part async for part in first.aiter_text() if part.strip()] == []

    assert second.status_code == 409
    assert wrong.status_code == 406


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_other_methods_are_told_what_there_is(served: ServerProcess, method: str) -> None:
    async with session(served.url()) as http:
        told = await http.request(method, PATH)
        modern = await http.get(PATH, headers={"MCP-Protocol-Version": "2026-07-28"})

    assert (told.status_code, told.headers["allow"]) == (405, "GET, POST, DELETE")
    assert (modern.status_code, modern.headers["allow"]) == (405, "POST")


async def test_without_a_handshake_there_is_no_session(served: ServerProcess) -> None:
    wrong = request("initialize")
    async with httpx2.AsyncClient(headers=ACCEPT) as http:
        nameless = await http.post(served.url(), json=request("tools/list"))
        unknown = await http.post(
            served.url(), json=request("ping"), headers={"Mcp-Session-Id": "x"}
        )
        refused = await http.post(served.url(), json=wrong)
        name = {"Mcp-Session-Id": refused.headers.get("mcp-session-id", "none")}
        after = await http.post(served.url(), json=request("ping"), headers=name)

    assert nameless.status_code == 400
    assert unknown.status_code == 404
    assert refused.json()["error"]["code"] == -32602
    assert after.status_code == 404, after.text


async def test_a_session_that_was_deleted_is_gone(served: ServerProcess) -> None:
    async with session(served.url(), delete=False) as http:
        deleted = await http.delete(PATH)
        after = await http.post(PATH, json=request("tools/list"))

    assert deleted.status_code == 200
    assert after.status_code == 404, after.text


async def test_an_idle_session_ends_and_a_busy_one_does_not(served: ServerProcess) -> None:
    async with session(served.url(), delete=False) as idle, session(served.url()) as busy:
        for _ in range(8):
            assert (await busy.post(PATH, json=request("ping"))).status_code == 200
            await anyio.sleep(0.5)
        gone = await idle.post(PATH, json=request("ping"))
        still = await busy.post(PATH, json=request("ping"))

    assert gone.status_code == 404
    assert still.status_code == 200


async def test_there_are_no_more_sessions_than_allowed(serve: Serve) -> None:
    server = serve("--transport", "streamable-http", "--port", "0", "--set", "http.max_sessions=1")
    listen = {"Accept": "text/event-stream"}
    async with session(server.url()) as idle, httpx2.AsyncClient(headers=ACCEPT) as http:
        async with session(server.url()) as busy, busy.stream("GET", PATH, headers=listen):
            refused = await http.post(server.url(), json=initialize("2025-11-25"))
        gone = await idle.post(PATH, json=request("ping"))
    async with session(server.url()) as http:
        again = await http.post(PATH, json=request("ping"))

    assert gone.status_code == 404  # it made room
    assert refused.status_code == 503
    assert again.status_code == 200


async def test_without_kept_events_nothing_is_resumed(serve: Serve) -> None:
    arguments = ("--transport", "streamable-http", "--port", "0")
    server = serve(*arguments, "--set", "http.resumable_events=0")
    async with session(server.url()) as http:
        sent = await http.post(PATH, json=slow(1))

    assert "id" not in events(sent.text)[-1]
    assert answer(sent)["result"]


async def test_where_all_is_json_a_long_call_is_too(serve: Serve) -> None:
    arguments = ("--transport", "streamable-http", "--port", "0")
    server = serve(*arguments, "--set", "http.json_response=true")
    call = slow(1)
    call["params"]["_meta"] = {"progressToken": "p"}
    async with session(server.url()) as http:
        sent = await http.post(PATH, json=call, headers={"Accept": "application/json"})
        with anyio.move_on_after(0.3):
            await http.post(PATH, json=slow(2, 1))  # and does not wait for the answer
        with anyio.fail_after(5):
            while (await http.post(PATH, json=request("ping", 2))).status_code == 400:
                await anyio.sleep(0.1)

    assert sent.headers["content-type"] == "application/json"
    assert sent.json()["result"]["structuredContent"] == {"result": "waited 0.3 s"}
