"""Questions of tools, answered by options and on a real terminal."""

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Any, Literal

import mcp_types as types
import pytest
from pydantic import BaseModel, Field

from mcpkit import Elicit, Plugin, Resolve
from mcpkit.cli.questions import Questions
from mcpkit.testing import connect
from tests.conftest import Run

pytestmark = pytest.mark.slow

MORE = """
from typing import Literal
from mcpkit import Elicit, Resolve

class Order(BaseModel):
    count: int = Field(ge=1, le=9, description="How many")
    size: Literal["small", "large"] = "small"
    gift: bool = False
    note: str | None = None

def ask_order() -> Elicit[Order]:
    return Elicit("What do you order?", Order)

@plugin.tool()
def order(found: Annotated[Order, Resolve(ask_order)]) -> str:
    "Order."
    return f"{found.count} {found.size} {found.gift} {found.note}"

from mcpkit import Context

@plugin.tool()
async def haggle(ctx: Context) -> str:
    "Ask in the middle of the call."
    answer = await ctx.elicit("What do you order?", Order)
    return f"{answer.action} {answer.data.count}"
"""

ORDER = ("call", "clock_order", "--set", "plugins_allow=clock")


@pytest.fixture
def asking(site: Path) -> Path:
    """The plugin `clock`, with a tool that asks."""
    module = site / "clock_module.py"
    module.write_text(module.read_text("utf-8") + MORE, "utf-8")
    return site


def test_a_tool_that_asks_in_the_middle_of_its_call_asks_with_legacy(
    run: Run, asking: Path
) -> None:
    haggle = ("call", "clock_haggle", "--set", "plugins_allow=clock", "--answer", "count=2")

    refused = run(*haggle)
    asked = run(*haggle, "--legacy")

    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1] == "hint: Pass --legacy to be asked"
    assert (asked.returncode, asked.stdout) == (0, "accept 2\n"), asked.stderr


@pytest.mark.parametrize(
    ("answers", "code", "said"),
    [
        (("count=2",), 0, "2 small False None"),
        (("count=2", "size=large", "gift=true", "note=7"), 0, "2 large True 7"),
        (("decline",), 1, "declined"),
        (("cancel",), 1, ""),
        ((), 1, "no terminal to answer on: What do you order?"),
        ((), 1, "--answer count=…"),
        (("accept",), 1, "--answer count=…"),
        (("size=large",), 1, "Pass --answer count=…"),
        (("count=0",), 1, "count must be at least 1 and at most 9"),
        (("count=many",), 1, "count must be an integer"),
        (("count=1", "size=huge"), 1, "size must be one of small, large"),
        (("count=1", "count=2"), 2, "takes a single value"),
        (("nonsense",), 2, "is not NAME=VALUE"),
    ],
)
def test_options_answer_where_there_is_no_terminal(
    run: Run, asking: Path, answers: tuple[str, ...], code: int, said: str
) -> None:
    options = [part for answer in answers for part in ("--answer", answer)]

    result = run(*ORDER, *options)

    assert said in (result.stderr if code else result.stdout)
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr


def converse(asking: Path, typed: str) -> tuple[int, str, str]:
    """Call the tool on a terminal; type when it asks."""
    terminal, side = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "mcpkit", *ORDER],
        stdin=side,
        stdout=subprocess.PIPE,
        stderr=side,
        env={**os.environ, "PYTHONPATH": str(asking), "TERM": "dumb"},
        start_new_session=True,
    )
    os.close(side)
    shown, lines, deadline = "", iter(typed.split("|")), time.monotonic() + 60
    try:
        while time.monotonic() < deadline:
            if select.select([terminal], [], [], 0.1)[0]:
                try:
                    shown += os.read(terminal, 4096).decode()
                except OSError:  # the process has ended
                    break
                if shown.endswith("> "):
                    os.write(terminal, next(lines).encode())
        stdout = process.communicate(timeout=30)[0].decode()
    finally:
        process.kill()
        process.wait(30)
        os.close(terminal)
    return process.returncode, stdout, shown


def test_questions_are_asked_on_the_terminal(asking: Path) -> None:
    code, stdout, shown = converse(asking, "\n|many\n|12\n|3\n|2\n|y\n|hello\n")

    assert (code, stdout) == (0, "3 large True hello\n"), shown
    for said in (
        "What do you order?",
        "How many",
        "count must be an integer",
        "count must be at least 1 and at most 9",
        "  2. large",
        'default "small"',
        "default false",
    ):
        assert said in shown


@pytest.mark.parametrize("typed", ["3\n|:d\n", "3\n|:c\n", "\x04"])
def test_questions_are_declined_and_cancelled_on_the_terminal(asking: Path, typed: str) -> None:
    code, stdout, shown = converse(asking, typed)

    assert (code, stdout) == (1, "")
    assert "What do you order?" in shown
    assert "Traceback" not in shown


class Wish(BaseModel):
    """What is asked."""

    side: Literal["am", "pm"]
    hours: list[Literal["1", "2"]] = Field(["1"], description="Hours")


def ask_wish() -> Elicit[Wish]:
    return Elicit("Your wish?", Wish)


plugin = Plugin()


@plugin.tool()
def wish(found: Annotated[Wish, Resolve(ask_wish)]) -> dict[str, Any]:
    """Grant a wish."""
    return found.model_dump()


@pytest.mark.anyio
@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_questions_are_answered_in_both_eras(mode: Any) -> None:
    questions = Questions(["side=pm", "hours=1", "hours=2"])

    async with connect(
        mode=mode, client={"elicitation_callback": questions.answer}, clock=plugin
    ) as client:
        result = await client.call_tool("clock_wish", {})

    assert result.structured_content == {"side": "pm", "hours": ["1", "2"]}


@pytest.mark.anyio
@pytest.mark.parametrize(("answers", "action"), [(["accept"], "accept"), (["decline"], "decline")])
async def test_what_is_asked_at_a_url_is_answered(answers: list[str], action: str) -> None:
    asked = types.ElicitRequestURLParams(message="Pay", url="https://example.org/pay")
    questions, helpless = Questions(answers), Questions([])

    answer = await questions.answer(None, asked)
    refused = await helpless.answer(None, asked)

    assert isinstance(answer, types.ElicitResult)
    assert answer.action == action
    assert isinstance(refused, types.ErrorData)
    assert "https://example.org/pay" in str(helpless.failure and helpless.failure.hint)
