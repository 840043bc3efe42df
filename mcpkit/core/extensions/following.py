"""Following tasks: an extension of the official client, so that calls return when tasks end."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any, Literal

import anyio
import mcp_types as types
from mcp.client.context import ClientRequestContext
from mcp.client.extension import ClaimContext, ClientExtension, ResultClaim
from mcp.client.session import ClientSession
from mcp.shared.exceptions import MCPError
from pydantic import TypeAdapter

from mcpkit.core.errors import UnavailableError
from mcpkit.core.extensions import TASKS
from mcpkit.core.extensions.tasks import TaskParams, TaskUpdateParams

SHORTEST_PAUSE = 0.01
"""Seconds between two looks at least, whatever the server says."""

_INPUT_REQUEST: TypeAdapter[Any] = TypeAdapter(types.InputRequest)


class CreatedTask(types.Result):
    """The result of a call that has become a task."""

    result_type: Literal["task"] = "task"
    task_id: str
    status: str
    poll_interval_ms: int = 1000


class _Task(types.Result):
    status: str
    status_message: str | None = None
    poll_interval_ms: int = 1000
    input_requests: dict[str, Any] | None = None
    result: dict[str, Any] | None = None
    error: types.ErrorData | None = None


class _Get(types.Request[TaskParams, Literal["tasks/get"]]):
    method: Literal["tasks/get"] = "tasks/get"
    params: TaskParams
    name_param = "taskId"


class _Update(types.Request[TaskUpdateParams, Literal["tasks/update"]]):
    method: Literal["tasks/update"] = "tasks/update"
    params: TaskUpdateParams
    name_param = "taskId"


class _Cancel(types.Request[TaskParams, Literal["tasks/cancel"]]):
    method: Literal["tasks/cancel"] = "tasks/cancel"
    params: TaskParams
    name_param = "taskId"


class FollowTasks(ClientExtension):
    """Pass it to `mcp.Client(extensions=[FollowTasks()])`: `call_tool` then waits for tasks.

    What a task asks is answered by the client's own callbacks; a call that is cancelled cancels
    its task.
    """

    identifier = TASKS

    def claims(self) -> Sequence[ResultClaim[Any]]:
        """The result of a call that has become a task."""
        return [ResultClaim(result_type="task", model=CreatedTask, resolve=_follow)]


async def _follow(created: CreatedTask, context: ClaimContext) -> types.CallToolResult:
    """Look again and again until the task is over."""
    session, answered = context.session, set[str]()
    params = TaskParams(task_id=created.task_id)
    try:
        while True:
            task = await _look(session, params)
            asked = {
                key: request
                for key, request in (task.input_requests or {}).items()
                if key not in answered
            }
            if task.status == "input_required" and asked:
                answered |= asked.keys()
                await _answer(session, created.task_id, asked)
            elif task.status not in {"working", "input_required"}:
                return _outcome(task)
            else:
                await anyio.sleep(max(task.poll_interval_ms / 1000, SHORTEST_PAUSE))
    except anyio.get_cancelled_exc_class():
        # Nothing that goes wrong with it may take the place of the cancellation.
        with anyio.move_on_after(1, shield=True), contextlib.suppress(Exception):
            await session.send_request(_Cancel(params=params), types.Result)
        raise


async def _look(session: ClientSession, params: TaskParams) -> _Task:
    """Look a task up; while its server cannot tell, which passes, count it as working."""
    try:
        return await session.send_request(_Get(params=params), _Task)
    except MCPError as exc:
        if exc.code != UnavailableError.code:
            raise
        return _Task(status="working")


async def _answer(session: ClientSession, task_id: str, requests: dict[str, Any]) -> None:
    answers: dict[str, dict[str, Any]] = {}
    for key, raw in requests.items():
        request = _INPUT_REQUEST.validate_python(raw, by_name=False)
        context = ClientRequestContext(session=session, request_id=key)
        answer = await session.dispatch_input_request(context, request)
        if isinstance(answer, types.ErrorData):
            raise MCPError.from_error_data(answer)
        answers[key] = answer.model_dump(by_alias=True, mode="json", exclude_none=True)
    params = TaskUpdateParams(task_id=task_id, input_responses=answers)
    await session.send_request(_Update(params=params), types.Result)


def _outcome(task: _Task) -> types.CallToolResult:
    if task.status == "completed" and task.result is not None:
        return types.CallToolResult.model_validate(task.result, by_name=False)
    if task.error is not None:
        raise MCPError.from_error_data(task.error)
    raise MCPError(types.INTERNAL_ERROR, f"The task was {task.status}")
