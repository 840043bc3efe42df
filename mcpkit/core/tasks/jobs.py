"""A job: one call of a tool that may become a task, from its first line to its outcome.

The arguments are checked and `Resolve(...)` questions are asked within the request; the task begins
where the tool's own code begins, and is kept before that runs.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any

import anyio
import mcp_types as types
from mcp.server.session import ServerSession
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel

from mcpkit.core.encoding import encode
from mcpkit.core.handlers import body_begins
from mcpkit.core.settings import TaskSettings
from mcpkit.core.tasks.changes import asking, ended, touched
from mcpkit.core.tasks.records import Change, TaskRecord, TaskStatus, TaskStore
from mcpkit.core.tasks.session import TaskSession
from mcpkit.core.threads import WorkerThreads

logger = logging.getLogger(__name__)

STOPPED = "The server stopped before it was done"

MAX_MESSAGE = 1000
"""Most characters of a status message."""

TELL = 0.5
"""Seconds between two status messages that are written; the ones between them are skipped."""

Run = Callable[[ServerSession, Mapping[str, Any]], Awaitable[Any]]
"""Runs the tool, to its wire result: with a session of its own, and with `inputResponses` and
`requestState` when it comes back from a round of questions."""


class Job:
    """One call of a tool that may become a task.

    Args:
        tool: Exposed name of the tool.
        owner: Who calls.
        worker: This process.
        store: Keeps the task.
        settings: How long it is kept, and how large its outcome may be.
        threads: Where its outcome is encoded.

    Attributes:
        record: The task as it was when last seen, once it has begun.
        result: What the call returned.
        error: What it raised.
        decided: Set when it has become a task, or is over.
        scope: Cancels it.
        answered: Set when the client may have answered a question.
        waiting: How many questions it waits for.
    """

    def __init__(
        self,
        tool: str,
        owner: str,
        *,
        worker: str,
        store: TaskStore,
        settings: TaskSettings,
        threads: WorkerThreads,
    ) -> None:
        self.owner = owner
        self.record: TaskRecord | None = None
        self.result: Any = None
        self.error: Exception | None = None
        self.decided = anyio.Event()
        self.scope = anyio.CancelScope()
        self.answered = anyio.Event()
        self.waiting = 0
        self._tool = tool
        self._worker = worker
        self._store = store
        self._settings = settings
        self._threads = threads
        self._asked = 0
        self._message: str | None = None
        self._told = -TELL

    async def run(self, session: ServerSession, run: Run, begun: Callable[[Job], None]) -> None:
        """Run the call to its end; the outcome is not kept yet.

        Args:
            session: Of the request.
            run: Runs the tool.
            begun: Told when the call has become a task.
        """

        async def begin() -> None:
            if self.record is not None:
                return
            with anyio.CancelScope(shield=True):  # else nobody would know what the store keeps
                self.record = await self._begin()
            begun(self)
            self.decided.set()

        async def ask(request: Any) -> Any:
            return (await self._ask({"": request}))[""]

        body_begins.set(begin)
        own = TaskSession(session, ask, self._tell)
        try:
            self.result = await run(own, {})
            while self.record and isinstance(self.result, types.InputRequiredResult):
                answers = await self._ask(self.result.input_requests or {})
                given = {"inputResponses": answers, "requestState": self.result.request_state}
                self.result = await run(own, given)
        except Exception as exc:  # noqa: BLE001  # plugin code: it is the outcome
            self.error = exc

    async def finish(self) -> None:
        """Keep the outcome of the task, unless it is over already."""
        status, outcome = await self._threads.run(self._outcome)
        await self.change(lambda record: ended(record, status), outcome)

    async def change(self, change: Change, outcome: bytes | None = None) -> None:
        """Change the task, and tell its newest status message with it."""
        if self.record is None:
            return
        message = self._message

        def told(record: TaskRecord) -> TaskRecord | None:
            changed = change(record)
            return None if changed is None else replace(changed, message=message)

        self._told = anyio.current_time()
        record = await self._store.change(self.record.id, told, outcome)
        self.record = record or self.record

    async def tell_rest(self) -> None:
        """Write the newest status message, if it was skipped."""
        is_new = self.record is not None and self.record.message != self._message
        if is_new and anyio.current_time() - self._told >= TELL:
            await self.change(touched)

    async def _begin(self) -> TaskRecord:
        now = time.time()
        record = TaskRecord(
            id=secrets.token_urlsafe(32),
            owner=self.owner,
            tool=self._tool,
            worker=self._worker,
            created=now,
            updated=now,
            ttl=self._settings.ttl,
        )
        await self._store.put(record)
        return record

    async def _tell(self, message: str) -> None:
        self._message = message[:MAX_MESSAGE]
        await self.tell_rest()

    async def _ask(self, requests: Mapping[str, Any]) -> dict[str, Any]:
        """Put questions to the client at once, and return the answers as JSON by the same keys."""
        keys: dict[str, str] = {}
        for name in requests:
            self._asked += 1
            keys[f"input-{self._asked}"] = name
        wire = {key: _wire(requests[name]) for key, name in keys.items()}
        answers: dict[str, Any] = {}
        self.waiting += 1
        try:
            await self.change(lambda record: asking(record, wire))
            while len(answers) < len(keys):
                if self.answered.is_set():
                    self.answered = anyio.Event()
                answered = self.answered
                answers |= await self._take(keys.keys() - answers.keys())
                if len(answers) < len(keys):
                    await answered.wait()
        finally:
            self.waiting -= 1
        return {keys[key]: answer for key, answer in answers.items()}

    async def _take(self, keys: AbstractSet[str]) -> dict[str, Any]:
        """Take answers that have come, out of the store."""
        taken: dict[str, Any] = {}

        def take(record: TaskRecord) -> TaskRecord | None:
            taken.clear()  # the store may try again
            taken.update({key: record.responses[key] for key in keys & record.responses.keys()})
            left = {key: value for key, value in record.responses.items() if key not in taken}
            return replace(record, responses=left) if taken else None

        await self.change(take)
        return taken

    def _outcome(self) -> tuple[TaskStatus, bytes]:
        """The final status, and the outcome as JSON; in a thread, as it may be large."""
        if isinstance(self.error, MCPError):
            error = encode(_wire(self.error.error))
            if len(error) <= self._settings.largest_result:
                return "failed", error
            return "failed", _failure("The error of the task is too large to be kept")
        if self.error is not None:
            logger.error("Task of tool %r crashed", self._tool, exc_info=self.error)
            return "failed", _failure("Internal error in the task")
        if self.result is None or isinstance(self.result, types.InputRequiredResult):
            return "failed", _failure(STOPPED)
        try:
            result = encode(_wire(self.result))
        except (TypeError, ValueError):  # plugin code: a middleware may return anything
            logger.exception("The result of tool %r is no JSON", self._tool)
            return "failed", _failure("Internal error in the task")
        return "completed", self._limited(result)

    def _limited(self, result: bytes) -> bytes:
        """The result, or one that says that it is too large."""
        most = self._settings.largest_result
        if len(result) <= most:
            return result
        logger.warning("A result of tool %r has %d bytes: it is not kept", self._tool, len(result))
        text = (
            f"The result of tool {self._tool!r} has {len(result)} bytes, and a task may keep {most}"
            ". Ask for less at once."
        )
        said = types.CallToolResult(content=[types.TextContent(text=text)], is_error=True)
        return encode(_wire(said))


def _failure(message: str) -> bytes:
    return encode({"code": types.INTERNAL_ERROR, "message": message})


def _wire(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(by_alias=True, mode="json", exclude_none=True)
    return value
