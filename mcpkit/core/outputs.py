"""Outputs: what the function of a tool returned becomes the result of the call.

The return type is the schema, and the SDK checks it; or the tool brings a JSON Schema of its own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import mcp_types as types
from mcp.server.mcpserver.tools import Tool
from pydantic import ValidationError
from pydantic_core import to_json, to_jsonable_python

from mcpkit.core.declarations import ToolDeclaration
from mcpkit.core.deferred import deferred
from mcpkit.core.errors import OutputError, PluginContractError, reason_of
from mcpkit.core.threads import WorkerThreads
from mcpkit.core.wording import describe_errors

output_checker = deferred("mcpkit.core.schemas:output_checker")

NOT_FINITE = ("NaN", "Infinity")
"""Numbers that JSON does not have, as Python writes them."""

PROBLEMS = 10
"""Most problems with a result that one error tells."""

Finish = Callable[[Any], Awaitable[Any]]
"""Makes the result of a call; raises `OutputError` for what the schema forbids."""


def is_structured(declaration: ToolDeclaration) -> bool | None:
    """Whether the SDK derives an output schema from the return type; None if the type decides.

    Raises:
        PluginContractError: The tool has an output schema of its own, and wants none.
    """
    if declaration.output_schema is None:
        return declaration.structured_output
    if declaration.structured_output is False:
        raise PluginContractError(
            f"Its tool {declaration.name!r} has an output schema, but no structured output",
            hint="Pass output_schema= or structured_output=False, not both",
        )
    return False


def build_output(declaration: ToolDeclaration, tool: Tool, threads: WorkerThreads) -> Finish:
    """Make what turns the function's return value into a result.

    Args:
        declaration: What the plugin wrote.
        tool: The SDK's tool.
        threads: Where results are checked against a schema of the tool's own.

    Raises:
        PluginContractError: That schema cannot be used.
    """
    convert = tool.fn_metadata.convert_result
    if declaration.output_schema is None:
        has_numbers = "'number'" in repr(tool.output_schema)

        async def finish(returned: Any) -> Any:
            result = _converted(convert, returned)
            if has_numbers and _loses_numbers(result):
                check = output_checker(declaration.name, tool.output_schema)
                await threads.run(partial(check, _as_sent(result.structured_content)))
            return result

        return finish
    check = output_checker(declaration.name, declaration.output_schema)

    def checked(returned: Any) -> Any:
        result = _converted(convert, returned)
        if isinstance(result, types.InputRequiredResult) or result.is_error:
            return result
        if not isinstance(returned, types.CallToolResult):
            structured = to_jsonable_python(returned, by_alias=True)
            result = result.model_copy(update={"structured_content": structured})
        if not isinstance(result.structured_content, dict):
            raise OutputError("It returned no object, which its output schema asks for")
        check(_as_sent(result.structured_content))
        return result

    async def finish_in_thread(returned: Any) -> Any:
        return await threads.run(partial(checked, returned))

    return finish_in_thread


def _converted(convert: Callable[[Any], Any], returned: Any) -> Any:
    """The result of a call; it is the SDK's work, which runs code of the plugin.

    Raises:
        OutputError: What was returned does not fit the return type, or cannot be sent.
    """
    try:
        return convert(returned)
    except ValidationError as exc:
        problems = describe_errors(exc, most=PROBLEMS)
        told = "; ".join(f"{'.'.join(map(str, item.path))} {item.message}" for item in problems)
        raise OutputError(f"It returned what its output schema forbids: {told}") from exc
    except Exception as exc:  # serialisers may raise anything, and files of images be missing
        raise OutputError(f"What it returned cannot be sent: {reason_of(exc)}") from exc


def _as_sent(structured: Any) -> Any:
    """Structured content as clients get it: JSON has no numbers that are not finite."""
    return to_jsonable_python(structured, inf_nan_mode="null")


def _loses_numbers(result: Any) -> bool:
    """Whether numbers that are not finite may become null when a result is sent.

    The text of a result shows cheaply that there are none, which is nearly always so.
    """
    if not isinstance(result, types.CallToolResult):
        return False
    texts = [block.text for block in result.content if isinstance(block, types.TextContent)]
    if not any(word in text for text in texts for word in ("null", *NOT_FINITE)):
        return False
    plain = to_json(result.structured_content, fallback=str).decode()
    return any(word in plain for word in NOT_FINITE)
