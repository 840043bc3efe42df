"""Outputs: what the function of a tool returned becomes the result of the call.

The return type is the schema, and the SDK checks it; or the tool brings a JSON Schema of its own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import mcp_types as types
from mcp.server.mcpserver.tools import Tool
from pydantic_core import to_jsonable_python

from mcpkit.core.declarations import ToolDeclaration
from mcpkit.core.deferred import deferred
from mcpkit.core.errors import OutputError, PluginContractError
from mcpkit.core.threads import WorkerThreads

output_checker = deferred("mcpkit.core.schemas:output_checker")

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

        async def finish(returned: Any) -> Any:
            try:
                return convert(returned)
            except Exception as exc:  # plugin code: serialisers may raise anything
                raise OutputError(f"It returned what its output schema forbids: {exc}") from exc

        return finish
    check = output_checker(declaration.name, declaration.output_schema)

    def checked(returned: Any) -> Any:
        result = convert(returned)
        if isinstance(result, types.InputRequiredResult) or result.is_error:
            return result
        if not isinstance(returned, types.CallToolResult):
            structured = to_jsonable_python(returned, by_alias=True)
            result = result.model_copy(update={"structured_content": structured})
        if not isinstance(result.structured_content, dict):
            raise OutputError("It returned no object, which its output schema asks for")
        check(result.structured_content)
        return result

    async def finish_in_thread(returned: Any) -> Any:
        return await threads.run(partial(checked, returned))

    return finish_in_thread
