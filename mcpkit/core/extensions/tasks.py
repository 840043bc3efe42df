"""The methods by which clients follow tasks (SEP-2663), and when a call becomes one."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.mcpserver import require_client_extension
from mcp.shared.exceptions import MCPError
from mcp.shared.inbound import MCP_METHOD_HEADER, MCP_NAME_HEADER, decode_header_value
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import Field
from pydantic_core import from_json

from mcpkit.core.components import Component
from mcpkit.core.contributions import Extension, Method
from mcpkit.core.encoding import ENCODED_MEMBERS, encode
from mcpkit.core.errors import TaskStoreError, UnavailableError, UnreadableTaskError
from mcpkit.core.extensions import TASKS
from mcpkit.core.suggestions import quoted
from mcpkit.core.tasks.changes import answer, cancel
from mcpkit.core.tasks.failover import LONGEST_PAUSE
from mcpkit.core.tasks.records import TaskRecord, TaskStatus
from mcpkit.core.tasks.running import Tasks

ResultT = TypeVar("ResultT")

OUTCOMES: Mapping[TaskStatus, str] = {"completed": "result", "failed": "error"}
"""Members of the answer that hold the outcome, by final status."""


class TaskParams(types.RequestParams):
    """Parameters of a request about one task."""

    task_id: str


class TaskUpdateParams(TaskParams):
    """Answers to what a task asks, by the keys of its `inputRequests`."""

    input_responses: dict[str, dict[str, Any]] = Field(default_factory=dict)


def can_follow(request: ServerRequestContext[Any, Any]) -> bool:
    """Tell if the client of a request follows tasks, as it says with each request."""
    if request.protocol_version not in MODERN_PROTOCOL_VERSIONS:
        return False
    capabilities = request.session.client_capabilities
    return TASKS in ((capabilities and capabilities.extensions) or {})


def becomes_task(component: Component, request: ServerRequestContext[Any, Any]) -> bool:
    """Decide if a call of a tool may become a task.

    Raises:
        MCPError: It must, and the client does not follow tasks (-32021).
    """
    if component.task == "forbidden":
        return False
    if can_follow(request):
        return True
    if component.task == "required":
        _require(request)
    return False


def tasks_extension(components: Iterable[Component], tasks: Tasks) -> Extension | None:
    """The extension that serves tasks; None when no tool may become one."""
    if all(component.task == "forbidden" for component in components):
        return None
    answers = _Answers(tasks)
    return Extension(
        identifier=TASKS,
        methods=(
            Method(name="tasks/get", params=TaskParams, handler=answers.get),
            Method(name="tasks/update", params=TaskUpdateParams, handler=answers.update),
            Method(name="tasks/cancel", params=TaskParams, handler=answers.cancel),
        ),
    )


@dataclass(frozen=True, slots=True)
class _Answers:
    tasks: Tasks

    async def get(self, ctx: Any, params: TaskParams) -> dict[str, Any]:
        """Answer `tasks/get`."""
        record = await self._own(ctx, params)
        answered = {"resultType": "complete", **_described(record, self.tasks)}
        if record.status == "input_required":
            answered["inputRequests"] = record.requests
        elif record.status in OUTCOMES:
            outcome = await _available(self.tasks.store.outcome(record.id))
            if outcome is None:  # it has been removed just now
                raise _unknown(record.id)
            await self._add(ctx.request_context, answered, OUTCOMES[record.status], outcome)
        return answered

    async def update(self, ctx: Any, params: TaskUpdateParams) -> dict[str, Any]:
        """Answer `tasks/update`: take what the client answers; what nobody asked is ignored."""
        record = await self._own(ctx, params)
        most = self.tasks.settings.largest_result

        def take(old: TaskRecord) -> TaskRecord | None:
            new = answer(old, params.input_responses)
            if new is not None and len(encode(new.responses)) > most:
                raise MCPError(types.INVALID_PARAMS, f"The answers have more than {most} bytes")
            return new

        await _available(self.tasks.change(record.id, take))
        return {"resultType": "complete"}

    async def cancel(self, ctx: Any, params: TaskParams) -> dict[str, Any]:
        """Answer `tasks/cancel`; a task that is over stays as it is."""
        record = await self._own(ctx, params)
        await _available(self.tasks.change(record.id, cancel))
        return {"resultType": "complete"}

    async def _own(self, ctx: Any, params: TaskParams) -> TaskRecord:
        """Look up a task of this client; somebody else's is as unknown as one that never was."""
        request = ctx.request_context
        _require(request)
        _check_header(request, params.task_id)
        owner = self.tasks.owners.of(request)
        try:
            record = await _available(self.tasks.get(params.task_id))
        except UnreadableTaskError as exc:
            if exc.owner != owner:
                raise _unknown(params.task_id) from exc
            raise MCPError(types.INTERNAL_ERROR, exc.message) from exc
        if record is None or record.owner != owner:
            raise _unknown(params.task_id)
        return record

    async def _add(
        self,
        request: ServerRequestContext[Any, Any],
        answered: dict[str, Any],
        name: str,
        outcome: bytes,
    ) -> None:
        """Add an outcome: as JSON if the transport takes that, else parsed in a thread."""
        scope = getattr(request.request, "scope", {})
        if ENCODED_MEMBERS in scope:
            scope[ENCODED_MEMBERS][name] = outcome
        else:
            answered[name] = await self.tasks.threads.run(partial(from_json, outcome))


async def _available(operation: Awaitable[ResultT]) -> ResultT:
    """Wait for the task store.

    Raises:
        UnavailableError: It cannot be used at the moment.
        UnreadableTaskError: This task cannot be read, now or later.
    """
    try:
        return await operation
    except UnreadableTaskError:
        raise
    except TaskStoreError as exc:
        told = "This task cannot be read or changed now; try again in a moment"
        raise UnavailableError(told, retry_after=LONGEST_PAUSE) from exc


def _unknown(task_id: str) -> MCPError:
    return MCPError(types.INVALID_PARAMS, f"Unknown task {quoted(task_id)}")


def created(outcome: Any, tasks: Tasks) -> Any:
    """The result of a call: which task it has become, or what it returned if it became none."""
    if not isinstance(outcome, TaskRecord):
        return outcome
    return {"resultType": "task", **_described(outcome, tasks)}


def _described(record: TaskRecord, tasks: Tasks) -> dict[str, Any]:
    described: dict[str, Any] = {
        "taskId": record.id,
        "status": record.status,
        "createdAt": _iso(record.created),
        "lastUpdatedAt": _iso(record.updated),
        "ttlMs": round(record.ttl * 1000),
        "pollIntervalMs": round(tasks.settings.poll_interval * 1000),
    }
    return described | ({"statusMessage": record.message} if record.message else {})


def _iso(seconds: float) -> str:
    return (
        datetime.fromtimestamp(seconds, UTC)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )


def _require(request: ServerRequestContext[Any, Any]) -> None:
    if request.protocol_version not in MODERN_PROTOCOL_VERSIONS:
        raise MCPError(
            types.MISSING_REQUIRED_CLIENT_CAPABILITY,
            "This needs a client of protocol 2026-07-28 that follows tasks",
            {"requiredCapabilities": {"extensions": {TASKS: {}}}},
        )
    require_client_extension(request, TASKS)


def _check_header(request: ServerRequestContext[Any, Any], task_id: str) -> None:
    """Over HTTP, the header by which proxies route must name the task (SEP-2243, SEP-2663)."""
    headers = getattr(request.request, "headers", None) or {}
    if MCP_METHOD_HEADER not in headers:
        return  # a transport without routing headers
    if decode_header_value(headers.get(MCP_NAME_HEADER)) != task_id:
        raise MCPError(
            types.HEADER_MISMATCH, f"The {MCP_NAME_HEADER} header does not name the task"
        )
