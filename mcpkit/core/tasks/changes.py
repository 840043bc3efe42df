"""Changes of tasks: each function returns what a record becomes, or None for no change."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import mcp_types as types

from mcpkit.core.encoding import encode
from mcpkit.core.tasks.records import TaskRecord, TaskStatus

LOST = encode({"code": types.INTERNAL_ERROR, "message": "The server that ran it is gone"})
"""The outcome of a task whose process is gone."""


def answer(record: TaskRecord, responses: Mapping[str, Any]) -> TaskRecord | None:
    """Take answers of the client over: those to questions that are still open."""
    given = {key: value for key, value in responses.items() if key in record.requests}
    if record.is_over or not given:
        return None
    open_requests = {key: value for key, value in record.requests.items() if key not in given}
    return touched(
        record,
        requests=open_requests,
        responses={**record.responses, **given},
        status="input_required" if open_requests else "working",
    )


def cancel(record: TaskRecord) -> TaskRecord | None:
    """Cancel a task, unless it is over."""
    return ended(record, "cancelled")


def give_up(record: TaskRecord) -> TaskRecord | None:
    """Fail a task whose process is gone; its outcome is `LOST`."""
    return ended(record, "failed")


def asking(record: TaskRecord, wire: Mapping[str, Any]) -> TaskRecord | None:
    """Ask the client something more."""
    return touched(record, requests={**record.requests, **wire}, status="input_required")


def ended(record: TaskRecord, status: TaskStatus) -> TaskRecord | None:
    """End a task."""
    return touched(record, status=status, requests={}, responses={})


def touched(record: TaskRecord, **changes: Any) -> TaskRecord | None:
    """Change anything of a task that is not over."""
    return None if record.is_over else replace(record, updated=time.time(), **changes)
