"""Prompts: a declaration becomes a component that renders messages."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import mcp_types as types
from mcp.server.mcpserver.prompts import Prompt
from mcp.server.mcpserver.prompts.base import Message
from pydantic import PrivateAttr

from mcpkit.core.components import Component
from mcpkit.core.declarations import PromptDeclaration
from mcpkit.core.errors import ArgumentsError
from mcpkit.core.handlers import description, guarded, refuse_unknown, unwrapped
from mcpkit.core.prompt_arguments import PromptArguments
from mcpkit.core.signatures import check_parameters
from mcpkit.core.threads import WorkerThreads
from mcpkit.core.wire import wired


class _Whole(Message):
    """Carries a whole result through the SDK, which takes messages."""

    _result: types.GetPromptResult = PrivateAttr()

    def __init__(self, result: types.GetPromptResult) -> None:
        super().__init__("", role="user")
        self._result = result

    @property
    def result(self) -> types.GetPromptResult:
        return self._result


def build_prompt(
    declaration: PromptDeclaration, plugin: str, exposed: str, threads: WorkerThreads
) -> Component:
    """Make the component of a prompt.

    Raises:
        PluginContractError: Its function has parameters that clients cannot fill.
        Exception: Whatever the SDK finds wrong with the signature.
    """
    check_parameters(f"prompt {declaration.name!r}", declaration.handler, typed=False)
    function = guarded(declaration.handler, threads)
    prompt = Prompt.from_function(
        _as_messages(function),
        name=exposed,
        title=declaration.title,
        description=description(declaration.description, declaration.handler),
        icons=declaration.icons,
    )
    given = PromptArguments(function)
    arguments_known = {argument.name: argument for argument in prompt.arguments or ()}

    async def run(arguments: Mapping[str, Any], context: Any) -> Any:
        refuse_unknown(arguments, arguments_known)
        missing = [
            name
            for name, argument in arguments_known.items()
            if argument.required and name not in arguments
        ]
        if missing:
            raise ArgumentsError(f"{', '.join(missing)} is required")
        messages = await unwrapped(prompt.render(given.read(arguments), context))
        if isinstance(messages, types.InputRequiredResult):
            return messages
        if messages and isinstance(messages[0], _Whole):
            return messages[0].result
        return types.GetPromptResult(
            description=prompt.description,
            messages=[
                types.PromptMessage(role=message.role, content=message.content)
                for message in messages
            ],
        )

    return Component(
        kind="prompt",
        plugin=plugin,
        name=declaration.name,
        exposed=exposed,
        definition=wired(
            types.Prompt(
                name=exposed,
                title=prompt.title,
                description=prompt.description or None,
                arguments=[
                    types.PromptArgument(
                        name=argument.name,
                        description=given.describe(argument.name, argument.description),
                        required=argument.required,
                    )
                    for argument in arguments_known.values()
                ],
                icons=prompt.icons,
            )
        ),
        run=run,
        cache=declaration.cache,
        uses_context=prompt.context_kwarg is not None,
        takes_context=prompt.context_kwarg is not None,
    )


def _as_messages(function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Wrap a function so that the protocol's own records pass the SDK, which takes its own."""

    @functools.wraps(function)
    async def run(*args: Any, **kwargs: Any) -> Any:
        result = await function(*args, **kwargs)
        if isinstance(result, types.GetPromptResult):
            return _Whole(result)
        if isinstance(result, list | tuple):
            return [_message(item) for item in result]
        return _message(result)

    return run


def _message(item: Any) -> Any:
    if isinstance(item, types.PromptMessage):
        return Message(item.content, role=item.role)
    return item
