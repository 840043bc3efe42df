"""Tools that ask the client between rounds, as the 2026-07-28 protocol does (SEP-2322)."""

import json
from typing import Any

import anyio
import mcp_types as types
from mcp.server.mcpserver.prompts.base import UserMessage

from mcpkit import Context
from mcpkit_plugin_conformance.declared import plugin

Rounds = types.InputRequiredResult


def _form(message: str, field: str, kind: str = "string") -> types.ElicitRequest:
    schema: Any = {"type": "object", "properties": {field: {"type": kind}}, "required": [field]}
    params = types.ElicitRequestFormParams(message=message, requested_schema=schema)
    return types.ElicitRequest(params=params)


def _sample(text: str, max_tokens: int = 100) -> types.CreateMessageRequest:
    message = types.SamplingMessage(role="user", content=types.TextContent(text=text))
    params = types.CreateMessageRequestParams(messages=[message], max_tokens=max_tokens)
    return types.CreateMessageRequest(params=params)


def _given(ctx: Context, key: str, field: str) -> str | None:
    """What the client has answered to a form; None when it has not, or not so."""
    answer = (ctx.input_responses or {}).get(key)
    if not isinstance(answer, types.ElicitResult) or not answer.content:
        return None
    value = answer.content.get(field)
    return None if value is None else str(value)


@plugin.tool()
async def test_input_required_result_elicitation(ctx: Context) -> str | Rounds:
    """Ask for a name."""
    name = _given(ctx, "user_name", "name")
    if name is None:
        return Rounds(input_requests={"user_name": _form("What is your name?", "name")})
    return f"Hello, {name}!"


@plugin.tool()
async def test_streaming_elicitation(ctx: Context) -> str | Rounds:
    """Report progress, then ask for a name."""
    await ctx.report_progress(1, 2, "About to ask")
    await anyio.sleep(0.05)
    return await test_input_required_result_elicitation(ctx)


@plugin.tool()
async def test_input_required_result_sampling(ctx: Context) -> str | Rounds:
    """Ask the client's model."""
    answer = (ctx.input_responses or {}).get("capital_question")
    if isinstance(answer, types.CreateMessageResult):
        return f"The model said: {getattr(answer.content, 'text', '')}"
    question = _sample("What is the capital of France?")
    return Rounds(input_requests={"capital_question": question})


@plugin.tool()
async def test_input_required_result_list_roots(ctx: Context) -> str | Rounds:
    """Ask for the client's roots."""
    answer = (ctx.input_responses or {}).get("client_roots")
    if isinstance(answer, types.ListRootsResult):
        return f"Roots: {', '.join(str(root.uri) for root in answer.roots)}"
    return Rounds(input_requests={"client_roots": types.ListRootsRequest()})


@plugin.tool()
async def test_input_required_result_request_state(ctx: Context) -> str | Rounds:
    """Carry a state through the round."""
    if _given(ctx, "confirm", "ok") is not None and ctx.request_state == "nonce":
        return "state-ok"
    confirm = _form("Please confirm", "ok", "boolean")
    return Rounds(input_requests={"confirm": confirm}, request_state="nonce")


@plugin.tool()
async def test_input_required_result_multiple_inputs(ctx: Context) -> str | Rounds:
    """Ask for three things at once."""
    wanted: dict[str, Any] = {
        "user_name": _form("What is your name?", "name"),
        "greeting": _sample("Greet somebody", 50),
        "client_roots": types.ListRootsRequest(),
    }
    if wanted.keys() <= (ctx.input_responses or {}).keys():
        return "All three were answered"
    return Rounds(input_requests=wanted, request_state="asked")


@plugin.tool()
async def test_input_required_result_multi_round(ctx: Context) -> str | Rounds:
    """Ask twice, one after the other."""
    state: dict[str, str] = json.loads(ctx.request_state or "{}")
    name = state.get("name") or (_given(ctx, "step1", "name") if state else None)
    color = _given(ctx, "step2", "color")
    if name is None:
        ask = {"step1": _form("What is your name?", "name")}
        return Rounds(input_requests=ask, request_state=json.dumps({"round": "1"}))
    if color is None:
        ask = {"step2": _form("What is your favorite color?", "color")}
        return Rounds(input_requests=ask, request_state=json.dumps({"round": "2", "name": name}))
    return f"{name} likes {color}"


@plugin.tool()
async def test_input_required_result_tampered_state(ctx: Context) -> str | Rounds:
    """Carry a state that nobody may change."""
    if ctx.request_state is not None:
        return f"state-ok: {ctx.request_state}"
    confirm = _form("Please confirm", "ok", "boolean")
    return Rounds(input_requests={"confirm": confirm}, request_state="untouched")


@plugin.tool()
async def test_input_required_result_capabilities(ctx: Context) -> Rounds:
    """Ask only for what the client can do."""
    capabilities = ctx.client_capabilities or types.ClientCapabilities()
    ask: dict[str, Any] = {}
    if capabilities.sampling is not None:
        ask["sample"] = _sample("Say hello", 50)
    if capabilities.elicitation is not None:
        ask["form"] = _form("What is your name?", "name")
    return Rounds(input_requests=ask, request_state="asked")


@plugin.prompt()
async def test_input_required_result_prompt(ctx: Context) -> list[UserMessage] | Rounds:
    """Ask for context, then write the prompt."""
    context = _given(ctx, "user_context", "context")
    if context is None:
        return Rounds(input_requests={"user_context": _form("Which context?", "context")})
    return [UserMessage(f"Use this context: {context}")]
