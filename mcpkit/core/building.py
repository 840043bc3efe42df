"""Building: a declaration becomes a component that lists itself and runs its handler.

Schemas, URI templates and prompt rendering are the SDK's; names, errors and threads are ours.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import mcp_types as types
from mcp.server.mcpserver.tools import Tool
from mcp.shared.inbound import X_MCP_HEADER_KEY

from mcpkit.core.arguments import bounded
from mcpkit.core.components import Completer, Component
from mcpkit.core.declarations import (
    CompletionDeclaration,
    PromptDeclaration,
    ReadyDeclaration,
    ResourceDeclaration,
    ToolDeclaration,
)
from mcpkit.core.deferred import deferred
from mcpkit.core.errors import PluginContractError
from mcpkit.core.extensions.apps import tool_meta
from mcpkit.core.handlers import description, guarded, refuse_unknown, unwrapped
from mcpkit.core.outputs import build_output, is_structured
from mcpkit.core.plain import is_plain
from mcpkit.core.prompts import build_prompt
from mcpkit.core.resolvers import check_resolvers
from mcpkit.core.resources import build_resource
from mcpkit.core.signatures import check_parameters
from mcpkit.core.threads import WorkerThreads
from mcpkit.core.wire import wired

check_input_schema = deferred("mcpkit.core.schemas:check_input_schema")
checker = deferred("mcpkit.core.schemas:checker")

MAX_COMPLETIONS = 100
"""Most values of one completion (specification, server/utilities/completion)."""


def build(
    declaration: ToolDeclaration | ResourceDeclaration | PromptDeclaration | ReadyDeclaration,
    plugin: str,
    exposed: str,
    threads: WorkerThreads,
) -> Component:
    """Make the component of one declaration.

    Args:
        declaration: What the plugin wrote.
        plugin: Name of its plugin.
        exposed: What clients call it; for resources their URI.
        threads: Where its function runs when it is sync.

    Raises:
        Exception: Whatever the SDK finds wrong with the signature.
    """
    match declaration:
        case ToolDeclaration():
            return _build_tool(declaration, plugin, exposed, threads)
        case ResourceDeclaration():
            return build_resource(declaration, plugin, threads)
        case PromptDeclaration():
            return build_prompt(declaration, plugin, exposed, threads)
        case ReadyDeclaration():
            return _adopt(declaration, plugin, exposed)


def _build_tool(
    declaration: ToolDeclaration, plugin: str, exposed: str, threads: WorkerThreads
) -> Component:
    is_typed = declaration.input_schema is None
    check_parameters(f"tool {declaration.name!r}", declaration.handler, typed=is_typed)
    check_resolvers(f"tool {declaration.name!r}", declaration.handler)
    tool = Tool.from_function(
        guarded(declaration.handler, threads),
        name=exposed,
        title=declaration.title,
        description=description(declaration.description, declaration.handler),
        annotations=declaration.annotations,
        icons=declaration.icons,
        meta=declaration.meta,
        structured_output=is_structured(declaration),
    )
    tool.fn_metadata = bounded(tool.fn_metadata)
    schema, prepare = _input(declaration, tool)
    takes_context = tool.context_kwarg is not None or bool(tool.resolved_params)
    finish = build_output(declaration, tool, threads)

    async def run(arguments: Mapping[str, Any], context: Any) -> Any:
        return await finish(await unwrapped(tool.run(prepare(arguments), context)))

    return Component(
        kind="tool",
        plugin=plugin,
        name=declaration.name,
        exposed=exposed,
        definition=wired(
            types.Tool(
                name=exposed,
                title=tool.title,
                description=tool.description,
                input_schema=schema,
                output_schema=declaration.output_schema or tool.output_schema,
                annotations=tool.annotations,
                icons=tool.icons,
                _meta=tool_meta(declaration.meta, declaration.app),
            )
        ),
        run=run,
        timeout=declaration.timeout,
        cache=declaration.cache,
        task=declaration.task,
        header_schema=schema if _travels_in_headers(schema) else None,
        uses_context=takes_context,
        takes_context=takes_context,
    )


def _travels_in_headers(schema: Mapping[str, Any]) -> bool:
    """Whether a parameter anywhere in a schema travels in a header (`x-mcp-header`)."""
    return X_MCP_HEADER_KEY in repr(schema)


def _input(
    declaration: ToolDeclaration, tool: Tool
) -> tuple[dict[str, Any], Callable[[Mapping[str, Any]], dict[str, Any]]]:
    """The input schema of a tool, and what checks a call's arguments for its function."""
    if declaration.input_schema is None:
        schema = {**tool.parameters, "additionalProperties": False}
        schema.setdefault("properties", {})
        if not is_plain(schema):
            check_input_schema(declaration.name, schema)

        def spread(arguments: Mapping[str, Any]) -> dict[str, Any]:
            refuse_unknown(arguments, schema["properties"])
            return dict(arguments)

        return schema, spread
    takes = list(tool.parameters.get("properties", {}))
    if len(takes) != 1:
        raise PluginContractError(
            f"Its tool {declaration.name!r} has a schema of its own, but its function takes "
            f"{len(takes)} arguments instead of one",
            hint="Write def tool(arguments: dict[str, Any]), with ctx: Context after it if needed",
        )
    check = checker(declaration.name, declaration.input_schema)

    def whole(arguments: Mapping[str, Any]) -> dict[str, Any]:
        check(arguments)
        return {takes[0]: dict(arguments)}

    return declaration.input_schema, whole


def _adopt(declaration: ReadyDeclaration, plugin: str, exposed: str) -> Component:
    definition = declaration.definition
    if declaration.kind in {"tool", "prompt"}:
        definition = definition.model_copy(update={"name": exposed})
    elif declaration.kind == "resource":
        exposed = str(definition.uri)
    else:
        exposed = definition.uri_template
    return Component(
        kind=declaration.kind,
        plugin=plugin,
        name=declaration.name,
        exposed=exposed,
        definition=wired(definition),
        run=declaration.run,
        match=declaration.match,
        timeout=declaration.timeout,
        cache=declaration.cache,
        header_schema=_header_schema(declaration),
    )


def _header_schema(declaration: ReadyDeclaration) -> dict[str, Any] | None:
    """The input schema of a tool with parameters that travel in headers."""
    schema = getattr(declaration.definition, "input_schema", None)
    return schema if schema is not None and _travels_in_headers(schema) else None


def build_completer(
    declaration: CompletionDeclaration, plugin: str, threads: WorkerThreads
) -> Completer:
    """Make the completer of one plugin; its function may take the `Context` as fourth argument.

    Raises:
        PluginContractError: The function does not take `(ref, argument, context)`.
    """
    handler = guarded(declaration.handler, threads)
    takes = len(inspect.signature(declaration.handler).parameters)
    if takes not in {3, 4}:
        raise PluginContractError(
            f"Its completion function takes {takes} arguments",
            hint="Write def complete(ref, argument, context), or with a fourth ctx: Context",
        )

    async def run(params: Any, context: Any) -> Any:
        given = (params.ref, params.argument, params.context, context)
        return _completion(await unwrapped(handler(*given[:takes])))

    return Completer(plugin=plugin, run=run)


def _completion(answer: Any) -> types.Completion:
    """Accept a `Completion`, a sequence of strings, or None; keep to the limit."""
    if isinstance(answer, types.Completion):
        values, total, has_more = answer.values, answer.total, answer.has_more
    else:
        values, total, has_more = [str(value) for value in answer or ()], None, None
    if len(values) > MAX_COMPLETIONS:
        total, has_more = total or len(values), True
    return types.Completion(values=values[:MAX_COMPLETIONS], total=total, has_more=has_more)
