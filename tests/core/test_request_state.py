"""State that clients carry between rounds: sealed, for one call, and for a while."""

import base64
import time
from collections.abc import Mapping
from typing import Any

import mcp
import mcp_types as types
import pytest
from mcp.shared.exceptions import MCPError

from mcpkit import Context, Plugin
from mcpkit.testing import connect

pytestmark = pytest.mark.anyio

ONE, TWO = "1" * 32, "2" * 32
SECRET = "what the server alone may know"


def rounds() -> Plugin:
    """A plugin with two tools of two rounds each."""
    plugin = Plugin()

    def take_a_round(ctx: Context, word: str = "") -> str | types.InputRequiredResult:
        """Take two rounds."""
        return ctx.request_state or types.InputRequiredResult(request_state=SECRET)

    plugin.tool(name="first")(take_a_round)
    plugin.tool(name="other")(take_a_round)
    return plugin


async def begin(client: mcp.Client, word: str = "") -> str:
    """The state that a client is given to carry."""
    asked = await client.session.call_tool(
        "rounds_first", {"word": word}, allow_input_required=True
    )
    assert isinstance(asked, types.InputRequiredResult)
    assert asked.request_state is not None
    return asked.request_state


async def finish(client: mcp.Client, state: str, tool: str = "first", word: str = "") -> str:
    """What the second round answers, or how it is refused."""
    try:
        result = await client.session.call_tool(
            f"rounds_{tool}", {"word": word}, request_state=state
        )
    except MCPError as exc:
        return exc.message
    assert isinstance(result, types.CallToolResult)
    return str((result.structured_content or {})["result"])


def server(*keys: str, **settings: Any) -> Mapping[str, Any]:
    """Settings of a server with some keys."""
    return {"request_state": {"keys": keys, **settings}}


async def test_state_is_sealed_and_opens_for_the_call_that_it_belongs_to() -> None:
    async with connect(rounds=rounds(), server=server(ONE)) as client:
        state = await begin(client, "a")
        opened = await finish(client, state, word="a")

    assert opened == SECRET
    assert SECRET not in state
    padded = state.rpartition(".")[2] + "==="
    assert SECRET.encode() not in base64.urlsafe_b64decode(padded)


async def test_state_of_another_call_or_that_was_changed_is_refused() -> None:
    async with connect(rounds=rounds(), server=server(ONE)) as client:
        state = await begin(client, "a")
        refused = [
            await finish(client, state, tool="other", word="a"),
            await finish(client, state, word="b"),
            await finish(client, state[:-1], word="a"),
            await finish(client, f"{state}A", word="a"),
            await finish(client, state[:-9] + ("A" if state[-9] != "A" else "B") + state[-8:]),
            await finish(client, "", word="a"),
            await finish(client, SECRET, word="a"),
        ]

    for message in refused:
        assert "requestState" in message


@pytest.mark.parametrize(
    ("sealing", "opening", "opens"),
    [
        ((ONE,), (ONE,), True),
        ((ONE,), (TWO, ONE), True),
        ((TWO, ONE), (TWO,), True),
        ((TWO, ONE), (ONE,), False),
        ((ONE,), (TWO,), False),
        ((ONE,), (f"{ONE}1",), False),
        ((), (ONE,), False),
        ((), (), False),
    ],
)
async def test_the_first_key_seals_and_all_open(
    sealing: tuple[str, ...], opening: tuple[str, ...], opens: bool
) -> None:
    async with connect(rounds=rounds(), server=server(*sealing)) as client:
        state = await begin(client)
    async with connect(rounds=rounds(), server=server(*opening)) as client:
        answer = await finish(client, state)

    assert (answer == SECRET) is opens
    assert opens or "requestState" in answer


async def test_state_of_a_server_of_another_name_is_refused() -> None:
    async with connect(rounds=rounds(), server={**server(ONE), "name": "one"}) as client:
        state = await begin(client)
    async with connect(rounds=rounds(), server={**server(ONE), "name": "two"}) as client:
        answer = await finish(client, state)

    assert "requestState" in answer


@pytest.mark.parametrize("keys", [(), (ONE,)])
@pytest.mark.parametrize(("later", "opens"), [(59.0, True), (61.0, False)])
async def test_state_expires(
    keys: tuple[str, ...], later: float, opens: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time
    async with connect(rounds=rounds(), server=server(*keys, ttl=60)) as client:
        state = await begin(client)
        monkeypatch.setattr(time, "time", lambda: now() + later)
        answer = await finish(client, state)

    assert (answer == SECRET) is opens
    assert opens or "requestState" in answer
