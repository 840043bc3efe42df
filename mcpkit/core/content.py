"""Content of results for clients of old versions, which lack some kinds: these become text.

2024-11-05 has no audio, and versions before 2025-06-18 have no links to resources; the SDK fails
a result that its version does not have.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

import mcp_types as types

ResultT = TypeVar("ResultT")

LACKING: dict[str, tuple[type[Any], ...]] = {
    "2024-11-05": (types.AudioContent, types.ResourceLink),
    "2025-03-26": (types.ResourceLink,),
}
"""Kinds of content that a version does not have."""


def fitted(result: ResultT, version: str) -> ResultT:
    """The result of a call or prompt with text in place of what a version lacks."""
    lacking = LACKING.get(version)
    if lacking is None:
        return result
    if isinstance(result, types.CallToolResult):
        return result.model_copy(update={"content": _fitted(result.content, lacking)})
    if isinstance(result, types.GetPromptResult):
        messages = [
            message.model_copy(update={"content": _fitted([message.content], lacking)[0]})
            for message in result.messages
        ]
        return result.model_copy(update={"messages": messages})
    return result


def _fitted(content: Iterable[Any], lacking: tuple[type[Any], ...]) -> list[Any]:
    return [_text(item) if isinstance(item, lacking) else item for item in content]


def _text(item: types.AudioContent | types.ResourceLink) -> types.TextContent:
    if isinstance(item, types.AudioContent):
        text = f"[{item.mime_type}: the protocol of this client has no audio]"
    else:
        text = f"{item.title or item.name}: {item.uri}"
        if item.description:
            text += f"\n{item.description}"
    return types.TextContent(text=text, annotations=item.annotations)
