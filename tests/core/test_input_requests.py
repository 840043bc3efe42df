"""Questions to clients: only what a client declared is asked, whatever handler asks."""

from typing import Any

import mcp_types as types
import pytest
from mcp.server.mcpserver import MCPServer
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel

from mcpkit import Context, Plugin
from mcpkit.core.contributions import Extension, Method
from mcpkit.testing import connect

pytestmark = pytest.mark.anyio

Rounds = types.InputRequiredResult

FORM: Any = {"type": "object", "properties": {"name": {"type": "string"}}}

ASKED: dict[str, Any] = {
    "elicitation": types.ElicitRequest(
        params=types.ElicitRequestFormParams(message="Who?", requested_schema=FORM)
    ),
    "url": types.ElicitRequest(
        params=types.ElicitRequestURLParams(
            message="Log in", url="https://example.com", elicitation_id="1"
        )
    ),
    "sampling": types.CreateMessageRequest(
        params=types.CreateMessageRequestParams(messages=[], max_tokens=1)
    ),
    "sampling with tools": types.CreateMessageRequest(
        params=types.CreateMessageRequestParams(messages=[], max_tokens=1, tools=[])
    ),
    "roots": types.ListRootsRequest(),
}

MISSING: dict[str, Any] = {
    "elicitation": {"elicitation": {"form": {}}},
    "url": {"elicitation": {"url": {}}},
    "sampling": {"sampling": {}},
    "sampling with tools": {"sampling": {"tools": {}}},
    "roots": {"roots": {}},
}


class Form(BaseModel):
    """What is asked."""

    name: str


def asking(*kinds: str) -> Plugin:
    """A plugin whose every handler asks its client."""
    plugin = Plugin()
    result = Rounds(input_requests={kind: ASKED[kind] for kind in kinds})

    @plugin.tool(name="ask")
    def ask() -> Rounds:
        """Ask."""
        return result

    @plugin.resource("asking://{name}")
    def read(name: str) -> Any:
        """Ask."""
        return result

    @plugin.prompt(name="ask")
    def prompt() -> Any:
        """Ask."""
        return result

    async def extra(ctx: Any, params: Any) -> dict[str, Any]:
        return result.model_dump(by_alias=True, mode="json", exclude_none=True)

    @plugin.hookimpl
    def mcpkit_extensions(settings: Any) -> list[Extension]:
        method = Method(name="acme/ask", params=types.RequestParams, handler=extra)
        return [Extension(identifier="com.example/ask", methods=(method,))]

    return plugin


async def answer_form(context: Any, params: Any) -> types.ElicitResult:
    """Answer each form."""
    return types.ElicitResult(action="accept", content={"name": "Ada"})


async def roots(context: Any) -> types.ListRootsResult:
    """Have no roots."""
    return types.ListRootsResult(roots=[])


@pytest.mark.parametrize("kind", ASKED)
async def test_a_client_is_not_asked_for_what_it_did_not_declare(kind: str) -> None:
    async with connect(asking=asking(kind)) as client:
        with pytest.raises(MCPError) as refused:
            await client.call_tool("asking_ask")

    assert refused.value.code == types.MISSING_REQUIRED_CLIENT_CAPABILITY
    assert refused.value.error.data == {"requiredCapabilities": MISSING[kind]}


async def test_prompts_resources_and_methods_of_extensions_are_checked_alike() -> None:
    request = types.Request[types.RequestParams, str](
        method="acme/ask", params=types.RequestParams()
    )
    async with connect(asking=asking("elicitation", "roots")) as client:
        with pytest.raises(MCPError) as read:
            await client.read_resource("asking://it")
        with pytest.raises(MCPError) as prompt:
            await client.get_prompt("asking_ask")
        with pytest.raises(MCPError) as method:
            await client.session.send_request(request, types.Result)

    for refused in (read, prompt, method):
        assert refused.value.code == types.MISSING_REQUIRED_CLIENT_CAPABILITY
        assert refused.value.error.data == {
            "requiredCapabilities": {"elicitation": {"form": {}}, "roots": {}}
        }


async def test_an_adopted_server_is_checked_alike() -> None:
    server: MCPServer[Any] = MCPServer("old")

    @server.tool()
    def ask() -> Rounds:
        """Ask."""
        return Rounds(input_requests={"roots": ASKED["roots"]})

    async with connect(old=server) as client:
        with pytest.raises(MCPError) as refused:
            await client.call_tool("old_ask")

    assert refused.value.code == types.MISSING_REQUIRED_CLIENT_CAPABILITY


async def test_a_client_that_declared_it_is_asked() -> None:
    plugin = Plugin()

    @plugin.tool()
    def ask(ctx: Context) -> str | Rounds:
        """Ask for a name and for roots."""
        if ctx.input_responses:
            return ", ".join(sorted(ctx.input_responses))
        return Rounds(input_requests={kind: ASKED[kind] for kind in ("elicitation", "roots")})

    options = {"elicitation_callback": answer_form, "list_roots_callback": roots}
    async with connect(client=options, asking=plugin) as client:
        result = await client.call_tool("asking_ask")

    assert result.structured_content == {"result": "elicitation, roots"}


async def test_rounds_without_questions_pass_to_every_client_of_the_protocol() -> None:
    plugin = Plugin()

    @plugin.tool()
    def again(ctx: Context) -> str | Rounds:
        """Take two rounds."""
        return ctx.request_state or Rounds(request_state="second")

    async with connect(rounds=plugin) as client:
        result = await client.call_tool("rounds_again")

    assert result.structured_content == {"result": "second"}


async def test_a_client_of_2025_learns_which_protocol_rounds_need() -> None:
    async with connect(mode="legacy", asking=asking("roots")) as client:
        result = await client.call_tool("asking_ask")
        with pytest.raises(MCPError, match="2026-07-28"):
            await client.get_prompt("asking_ask")

    assert result.is_error
    assert "2026-07-28" in result.content[0].text


async def test_a_task_asks_only_what_its_client_declared() -> None:
    plugin = Plugin()

    @plugin.tool(task="optional")
    async def ask(ctx: Context) -> str:
        """Ask in the middle of a task."""
        answer = await ctx.elicit("Who?", Form)
        return answer.action

    async with connect(asking=plugin) as client:
        result = await client.call_tool("asking_ask")
    async with connect(client={"elicitation_callback": answer_form}, asking=plugin) as client:
        answered = await client.call_tool("asking_ask")

    assert result.is_error
    assert "cannot ask its user" in result.content[0].text
    assert answered.structured_content == {"result": "accept"}


async def test_a_task_samples_only_from_a_client_that_declared_it() -> None:
    plugin = Plugin()

    @plugin.tool(task="optional")
    async def sample(ctx: Context) -> str:
        """Sample in the middle of a task."""
        await ctx.session.send_request(ASKED["sampling"], types.CreateMessageResult)
        return "sampled"

    async with connect(asking=plugin) as client:
        with pytest.raises(MCPError) as refused:
            await client.call_tool("asking_sample")

    assert refused.value.code == types.MISSING_REQUIRED_CLIENT_CAPABILITY


async def test_a_session_without_elicitation_is_not_asked() -> None:
    plugin = Plugin()

    @plugin.tool()
    async def ask(ctx: Context) -> str:
        """Ask in the middle of a call."""
        return (await ctx.elicit("Who?", Form)).action

    async with connect(mode="legacy", asking=plugin) as client:
        result = await client.call_tool("asking_ask")

    assert result.is_error
    assert "cannot ask its user" in result.content[0].text


async def test_a_question_in_the_middle_of_a_modern_call_fails_the_tool() -> None:
    plugin = Plugin()

    @plugin.tool()
    async def ask(ctx: Context) -> str:
        """Ask in the middle of a call."""
        return (await ctx.elicit("Who?", Form)).action

    async def answer(context: Any, params: Any) -> types.ElicitResult:
        raise AssertionError("never asked")

    async with connect(asking=plugin, client={"elicitation_callback": answer}) as client:
        result = await client.call_tool("asking_ask")

    assert result.is_error
    assert "needs a session of protocol 2025-11-25 or a task" in result.content[0].text
