"""Wire: records of the protocol as they are sent, which is how lists keep them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


def wired(definition: BaseModel) -> dict[str, Any]:
    """What a client sees of a tool, resource, resource template or prompt."""
    return definition.model_dump(by_alias=True, mode="json", exclude_none=True)
