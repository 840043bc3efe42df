"""Sampling: asking the model of the client in the middle of a call.

In: messages for it. Out: what it answered, or a `ToolError` that says why it cannot be asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp.shared.message import ServerMessageMetadata

from mcpkit.core.errors import ToolError
from mcpkit.core.suggestions import shortened

LONGEST_REASON = 300
"""Characters of a client's reason for not sampling that its error repeats."""

Messages = str | Sequence[str | types.SamplingMessage]
"""One text of the user, or a conversation; texts in it are the user's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """What the client's model answered.

    Attributes:
        text: Its text; empty if it answered with an image or sound.
        result: The whole answer, with `content`, `model` and `stop_reason`.
    """

    text: str
    result: types.CreateMessageResult


async def sample(
    request: ServerRequestContext[Any, Any], messages: Messages, options: dict[str, Any]
) -> Sampled:
    """Ask the model of the client, and wait for its answer.

    Args:
        request: The request that is being answered.
        messages: For the model.
        options: Other parameters of `sampling/createMessage`.

    Raises:
        ToolError: The client offers no model, cannot be asked now, or refused.
    """
    session = request.session
    if not session.check_client_capability(
        types.ClientCapabilities(sampling=types.SamplingCapability())
    ):
        raise ToolError("This needs a client that offers its model (sampling)")
    if not session.can_send_request:
        raise ToolError(
            "The client's model cannot be asked in the middle of this call: that needs a session "
            "of protocol 2025-11-25 or a task"
        )
    given = [messages] if isinstance(messages, str) else messages
    params = types.CreateMessageRequestParams(messages=[*map(_message, given)], **options)
    try:
        result = await session.send_request(
            types.CreateMessageRequest(params=params),
            types.CreateMessageResult,
            metadata=ServerMessageMetadata(related_request_id=request.request_id),
        )
    except MCPError as exc:
        reason = shortened(exc.message, LONGEST_REASON)
        raise ToolError(f"The client did not ask its model: {reason}") from exc
    except ValueError as exc:
        raise ToolError("The answer of the client's model cannot be read") from exc
    text = result.content.text if isinstance(result.content, types.TextContent) else ""
    return Sampled(text=text, result=result)


def _message(given: str | types.SamplingMessage) -> types.SamplingMessage:
    if isinstance(given, types.SamplingMessage):
        return given
    return types.SamplingMessage(role="user", content=types.TextContent(text=given))
