"""Over streamable HTTP: requests a second on one core, with the load from another.

Each round starts every server anew, then asks the questions one by one, of each contestant in turn.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from benchmarks.environment import Scenario
from benchmarks.measuring import Figure, Table, progress
from benchmarks.requests import LEGACY, MODERN, Check, Request, legacy, modern
from benchmarks.serving import Contestant, Running, ours, peer, served
from benchmarks.wrk import Load, load

SMALL = "hello"
LARGE = "x" * 10_000

BEST = peer("SDK, best configuration", "sdk_best")
SHIPPED = peer("SDK, as shipped", "sdk_as_shipped")
FASTMCP = peer("FastMCP, as shipped", "fastmcp_as_shipped")
LIMIT = peer("bare Starlette (the limit)", "starlette_echo")
OURS = ours("mcpkit, as shipped", Scenario(1, 3))
OURS_MANY = ours(
    "mcpkit, 100 plugins, 500 tools, eager, with middleware",
    Scenario(100, 500, middleware=True),
    "--eager",
)

SYNC = "Handlers are sync functions, which the SDK, FastMCP and mcpkit all run in threads."
ASYNC = "Handlers are async functions, which run on the event loop."

Ask = Callable[[Running, int], Request]
"""Makes the request for a server, and for a number of connections."""


@dataclass(frozen=True)
class Question:
    """What is asked of several contestants.

    Attributes:
        title: Of its table.
        ask: Makes the request.
        connections: How many ask at once.
        contestants: Who are asked; the first is the reference.
        note: A sentence for the reader.
    """

    title: str
    ask: Ask
    connections: int
    contestants: tuple[Contestant, ...]
    note: str = ""


def calls_title(era: str, connections: int, text: str) -> str:
    """What the table of some calls is called."""
    plural = "s" if connections > 1 else ""
    return f"HTTP calls, {era}, {connections} connection{plural}, {len(text):,} bytes of text"


def lists_title(tools: int) -> str:
    """What the table of some lists is called."""
    return f"`tools/list` over HTTP with {tools:,} tools, {MODERN}"


def measure_calls(rounds: int) -> list[Table]:
    """Calls a second, by era, connections and size of the text that comes back."""
    questions = []
    for era, others in ((MODERN, (LIMIT,)), (LEGACY, ())):
        for text in (SMALL, LARGE):
            for connections in (1, 16, 64):
                contestants = (BEST, SHIPPED, FASTMCP, OURS, *others)
                if (era, connections, text) == (MODERN, 16, SMALL):
                    contestants += (OURS_MANY,)
                title = calls_title(era, connections, text)
                ask = partial(_call, era=era, text=text)
                questions.append(Question(title, ask, connections, contestants, SYNC))
    title = f"{calls_title(MODERN, 16, SMALL)}, async handlers"
    ask = partial(_call, era=MODERN, text=SMALL, is_async=True)
    questions.append(Question(title, ask, 16, (BEST, SHIPPED, FASTMCP, OURS), ASYNC))
    return _answers(questions, rounds)


def measure_lists(rounds: int) -> list[Table]:
    """`tools/list` a second, by the number of tools."""
    questions = []
    for tools in (10, 100, 1000):
        contestants = (
            peer(BEST.name, "sdk_best", str(tools)),
            peer(FASTMCP.name, "fastmcp_as_shipped", str(tools)),
            ours(OURS.name, Scenario(10, tools)),
        )
        ask = partial(_list, tools=tools)
        questions.append(Question(lists_title(tools), ask, 4, contestants))
    return _answers(questions, rounds, seconds=2)  # the slowest make six a second


def _call(
    server: Running, connections: int, *, era: str, text: str, is_async: bool = False
) -> Request:
    contestant = server.contestant
    tool = contestant.async_tool if is_async else contestant.tool
    check: Check = lambda result: result["content"] == [{"type": "text", "text": text}]  # noqa: E731
    call = {"name": tool, "arguments": {"text": text}}
    if era == MODERN:
        return modern("tools/call", check, **call)
    return legacy(server.url, connections, "tools/call", check, **call)


def _list(server: Running, connections: int, *, tools: int) -> Request:
    return modern("tools/list", lambda result: len(result["tools"]) == tools)


def _answers(questions: Sequence[Question], rounds: int, seconds: int = 1) -> list[Table]:
    """Ask all questions in each round, every one of its contestants in turn."""
    loads: dict[tuple[str, str], list[Load]] = defaultdict(list)
    for number in range(rounds):
        progress(f"round {number + 1} of {rounds}: starting servers")
        with ExitStack() as opened:
            servers = {
                contestant: opened.enter_context(served(contestant))
                for contestant in dict.fromkeys(_contestants(questions))
            }
            for question in questions:
                progress(f"round {number + 1} of {rounds}: {question.title}")
                for contestant in question.contestants:
                    server = servers[contestant]
                    request = question.ask(server, question.connections)
                    if question is _first(questions, contestant):
                        load(server, request, question.connections)  # warms it up
                    reached = load(server, request, question.connections, seconds)
                    loads[question.title, contestant.name].append(reached)
    return [_table(question, loads) for question in questions]


def _contestants(questions: Iterable[Question]) -> Iterable[Contestant]:
    for question in questions:
        yield from question.contestants


def _first(questions: Iterable[Question], contestant: Contestant) -> Question:
    return next(question for question in questions if contestant in question.contestants)


def _table(question: Question, loads: dict[tuple[str, str], list[Load]]) -> Table:
    names = [contestant.name for contestant in question.contestants]
    reached = {name: loads[question.title, name] for name in names}
    return Table(
        question.title,
        "requests/s",
        names[0],
        [Figure(name, tuple(one.rate for one in reached[name])) for name in names],
        higher_is_better=True,
        notes=[" ".join(filter(None, (question.note, _forms(reached))))],
        cpu=[Figure(name, tuple(one.cpu for one in reached[name])) for name in names],
    )


def _forms(reached: Mapping[str, Sequence[Load]]) -> str:
    """Tell who answered how: an event stream costs more than JSON."""
    streams = [name for name, loads in reached.items() if any(one.is_stream for one in loads)]
    if not streams:
        return "All answer JSON."
    return f"Event streams come from: {'; '.join(streams)}. The others answer JSON."
