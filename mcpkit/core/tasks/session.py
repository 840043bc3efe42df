"""The session that a tool has while it runs as a task: its client is asked through the task.

There is no request any more on which something could be sent. What the SDK's session would send as
a request becomes an input request of the task; progress becomes its status message.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import mcp_types as types
from mcp.server.session import ServerSession
from pydantic import BaseModel

from mcpkit.core.input_requests import check_declared

logger = logging.getLogger(__name__)

Ask = Callable[[Any], Awaitable[Any]]
"""Puts a request to the client and returns its answer, as JSON."""

Tell = Callable[[str], Awaitable[None]]
"""Tells how the task goes on."""


class TaskSession(ServerSession):
    """The SDK's session, without a connection.

    Args:
        session: Of the request that made the task: what its client can do.
        ask: Puts a request to the client.
        tell: Tells how the task goes on.
    """

    def __init__(self, session: ServerSession, ask: Ask, tell: Tell) -> None:
        # What the base class keeps of a connection is overridden below, all of it.
        self._made_by = session
        self._ask = ask
        self._tell = tell

    @property
    def client_params(self) -> types.InitializeRequestParams | None:
        """What the client said of itself."""
        return self._made_by.client_params

    @property
    def client_capabilities(self) -> types.ClientCapabilities | None:
        """What the client can do."""
        return self._made_by.client_capabilities

    @property
    def can_send_request(self) -> bool:
        """A task can always ask."""
        return True

    @property
    def protocol_version(self) -> str:
        """Of the request that made the task."""
        return self._made_by.protocol_version

    def check_client_capability(self, capability: types.ClientCapabilities) -> bool:
        """Whether the client can do something."""
        return self._made_by.check_client_capability(capability)

    async def send_request(
        self, request: Any, result_type: type[Any], *args: Any, **kwargs: Any
    ) -> Any:
        """Ask the client, and ask again when its answer is not of the right shape.

        Raises:
            MCPError: The client did not declare that it can be asked this.
        """
        check_declared([request], self._made_by)
        while True:
            answer = await self._ask(request)
            try:
                return _validated(result_type, answer)
            except ValueError:
                logger.info("The answer to %s does not fit: asking again", request.method)

    async def report_progress(
        self, progress: float, total: float | None = None, message: str | None = None
    ) -> None:
        """Show progress as the status message of the task."""
        done = f"{progress:g}" if total is None else f"{progress:g} of {total:g}"
        await self._tell(f"{message} ({done})" if message else done)

    async def send_notification(self, notification: Any, *args: Any, **kwargs: Any) -> None:
        """Drop a notification: nobody listens."""

    async def send_log_message(self, *args: Any, **kwargs: Any) -> None:
        """Drop a log message: nobody listens."""

    async def send_progress_notification(
        self,
        progress_token: types.ProgressToken,
        progress: float,
        total: float | None = None,
        message: str | None = None,
        related_request_id: str | None = None,
    ) -> None:
        """Show progress as the status message of the task."""
        await self.report_progress(progress, total, message)


def _validated(result_type: type[Any], answer: Any) -> Any:
    if isinstance(answer, BaseModel):
        answer = answer.model_dump(by_alias=True, mode="json", exclude_none=True)
    return result_type.model_validate(answer, by_name=False)
