"""The official client of servers with tasks, as far as it does not know them itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2
import mcp
import mcp_types as types
import pytest
from mcp.client.extension import advertise
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from tests.conftest import ServerProcess

TASKS = advertise("io.modelcontextprotocol/tasks")


class OfTask(types.RequestParams):
    task_id: str
    input_responses: dict[str, Any] | None = None


class TaskRequest(types.Request[OfTask, str]):
    name_param = "taskId"


class Task(types.Result):
    task_id: str = ""
    status: str = ""
    status_message: str | None = None
    input_requests: dict[str, Any] | None = None
    result: dict[str, Any] | None = None
    error: types.ErrorData | None = None
    ttl_ms: int = 0


async def _unasked(context: Any, params: Any) -> Any:
    raise AssertionError("the test answers by itself")


@asynccontextmanager
async def connected(server: ServerProcess, key: str | None = None) -> AsyncIterator[mcp.Client]:
    headers = {"X-API-Key": key} if key else {}
    url = server.url()  # waits for the start, which has a limit of its own
    with anyio.fail_after(60):
        async with (
            httpx2.AsyncClient(headers=headers, timeout=20) as http,
            mcp.Client(
                streamable_http_client(url, http_client=http),
                extensions=[TASKS],
                elicitation_callback=_unasked,  # declares that it can be asked
                sampling_callback=_unasked,
            ) as client,
        ):
            yield client


async def begin(client: mcp.Client, tool: str, **arguments: Any) -> str:
    """Call a tool that becomes a task, and return its id."""
    params = types.CallToolRequestParams(name=tool, arguments=arguments)
    request = types.Request[Any, str](method="tools/call", params=params)
    return (await client.session.send_request(request, Task)).task_id


async def ask(client: mcp.Client, method: str, task_id: str, **more: Any) -> Task:
    params = OfTask(task_id=task_id, **more)
    return await client.session.send_request(TaskRequest(method=method, params=params), Task)


async def until(client: mcp.Client, task_id: str, *statuses: str) -> Task:
    while (task := await ask(client, "tasks/get", task_id)).status not in statuses:
        await anyio.sleep(0.05)
    return task


def text_of(result: Any) -> str:
    return str(result.content[0].text)


async def refused(request: Any) -> MCPError:
    with pytest.raises(MCPError) as caught:
        await request
    return caught.value
