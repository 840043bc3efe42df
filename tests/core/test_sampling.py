"""`ctx.sample`: the model of the client, asked in the middle of a call."""

from typing import Any

import mcp_types as types
import pytest
from mcp.shared.exceptions import MCPError

from mcpkit import Context, Plugin
from mcpkit.testing import connect

pytestmark = pytest.mark.anyio


def make_plugin() -> Plugin:
    plugin = Plugin()

    @plugin.tool
    async def rhyme(word: str, ctx: Context) -> str:
        """Ask for a rhyme."""
        return (await ctx.sample(f"What rhymes with {word}?", system_prompt="Be short")).text

    @plugin.tool(task="required")
    async def rhyme_in_task(word: str, ctx: Context) -> str:
        """Ask for a rhyme in a task."""
        question = types.SamplingMessage(role="user", content=types.TextContent(text=word))
        sampled = await ctx.sample([question, "Quick"], max_tokens=5, temperature=0)
        return f"{sampled.text} by {sampled.result.model}"

    return plugin


class Model:
    """A client's model, which notes what it was asked."""

    def __init__(self, content: Any = None) -> None:
        self.asked: list[types.CreateMessageRequestParams] = []
        self.content = content or types.TextContent(text="rhyme")

    async def __call__(self, context: Any, params: Any) -> types.CreateMessageResult:
        self.asked.append(params)
        return types.CreateMessageResult(role="assistant", content=self.content, model="m1")


async def test_the_model_of_the_client_answers_in_a_session() -> None:
    model = Model()
    async with connect(
        it=make_plugin(), mode="legacy", client={"sampling_callback": model}
    ) as client:
        result = await client.call_tool("it_rhyme", {"word": "time"})

    assert result.structured_content == {"result": "rhyme"}
    (asked,) = model.asked
    assert asked.messages[0].content.text == "What rhymes with time?"  # type: ignore[union-attr]
    assert (asked.system_prompt, asked.max_tokens) == ("Be short", 512)


async def test_the_model_of_the_client_answers_in_a_task() -> None:
    model = Model()
    async with connect(it=make_plugin(), client={"sampling_callback": model}) as client:
        result = await client.call_tool("it_rhyme_in_task", {"word": "time"})

    assert result.structured_content == {"result": "rhyme by m1"}
    (asked,) = model.asked
    assert [message.content.text for message in asked.messages] == ["time", "Quick"]  # type: ignore[union-attr]
    assert (asked.max_tokens, asked.temperature) == (5, 0)


async def test_an_image_has_no_text() -> None:
    model = Model(types.ImageContent(data="aGk=", mime_type="image/png"))
    async with connect(
        it=make_plugin(), mode="legacy", client={"sampling_callback": model}
    ) as client:
        result = await client.call_tool("it_rhyme", {"word": "time"})

    assert result.structured_content == {"result": ""}


async def refuse(context: Any, params: Any) -> Any:
    raise MCPError(-1, "The user said no" + "!" * 1000)


@pytest.mark.parametrize(
    ("mode", "options", "told"),
    [
        ("legacy", {}, "needs a client that offers its model"),
        ("auto", {}, "needs a client that offers its model"),
        ("auto", {"sampling_callback": Model()}, "cannot be asked in the middle of this call"),
        ("legacy", {"sampling_callback": refuse}, "did not ask its model"),
    ],
)
async def test_a_client_that_cannot_be_asked_is_told_why(
    mode: Any, options: dict[str, Any], told: str
) -> None:
    async with connect(it=make_plugin(), mode=mode, client=options) as client:
        result = await client.call_tool("it_rhyme", {"word": "time"})

    assert result.is_error
    text = result.content[0].text  # type: ignore[union-attr]
    assert told in text
    assert len(text) < 500
