"""`Context`: what a handler may ask about its own plugin."""

from typing import Any

import pytest

from mcpkit import Context, Plugin, ToolError
from mcpkit.testing import connect

pytestmark = pytest.mark.anyio


def make_plugin() -> Plugin:
    plugin = Plugin()

    @plugin.tool()
    def ask(name: str, ctx: Context) -> str:
        """Tell what clients call a tool or prompt."""
        try:
            return ctx.exposed_name(name)
        except ValueError as exc:
            raise ToolError(str(exc)) from exc

    @plugin.prompt()
    def plan(ctx: Context) -> str:
        """Name a tool in a prompt."""
        return f"Use {ctx.exposed_name('ask')}"

    return plugin


@pytest.mark.parametrize(
    ("section", "prefix"), [({}, "desk_"), ({"prefix": "front"}, "front_"), ({"prefix": ""}, "")]
)
async def test_a_handler_learns_what_clients_call_its_tools_and_prompts(
    section: dict[str, Any], prefix: str
) -> None:
    async with connect(desk=make_plugin(), settings={"desk": section}) as client:
        tool = await client.call_tool(f"{prefix}ask", {"name": "ask"})
        prompt = await client.call_tool(f"{prefix}ask", {"name": "plan"})
        said = await client.get_prompt(f"{prefix}plan")

    assert tool.structured_content == {"result": f"{prefix}ask"}
    assert prompt.structured_content == {"result": f"{prefix}plan"}
    assert said.messages[0].content.text == f"Use {prefix}ask"  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["nothing", "other_ask", ""])
async def test_a_name_that_is_not_of_the_plugin_is_refused(name: str) -> None:
    async with connect(
        desk=make_plugin(), other=make_plugin(), settings={"desk": {"prefix": ""}}
    ) as client:
        result = await client.call_tool("ask", {"name": name})

    assert result.is_error
    assert f"Plugin 'desk' has no tool or prompt {name!r}" in str(result.content)
